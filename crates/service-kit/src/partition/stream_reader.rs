//! The records of one entity, by the stream index: what is in the index is
//! looked up, the few records behind its end are looked through. Nothing that is
//! not released is seen.

use std::{collections::VecDeque, sync::Arc};

use decider::{Domain, Position, Revision, StreamId};
use event_log::{Entry, EventLog};
use prost::{Message, Name};
use proto::{
    log::v1::UnitVoided,
    record::{self, Raw},
    view::View,
};
use stream_index::{IndexError, StreamIndex};

use super::{Partition, QueryError, indexer::IndexerError};

/// Records behind the index's end that are looked through; where there are
/// more, the index is waited for. Under load it trails by a twentieth of a
/// second, which is about so many records at the highest rates.
const TAIL_RECORDS_MAX: u64 = 16_384;
/// Records read at once where the tail is looked through.
const CHUNK_RECORDS: usize = 1024;

/// Why a stream cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("the log has no record of the stream {0}")]
    Unknown(StreamId),
    #[error(
        "the stream {stream} does not reach to revision {}: read from {from} on once it does; if \
         you have seen that revision, records were lost here", from.0 - 1
    )]
    Beyond { stream: StreamId, from: Revision },
    #[error(
        "the stream index is at position {indexed} and the log at {wanted}; it did not come up in \
         time, ask again"
    )]
    Behind { indexed: Position, wanted: Position },
    #[error(transparent)]
    Query(#[from] QueryError),
}

/// One record of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRecord {
    pub entry: Entry,
    /// Its command was declared void.
    pub voided: bool,
}

/// Goes through a stream's records in order.
#[derive(Debug)]
pub struct StreamReader {
    stream: StreamId,
    index: Arc<StreamIndex>,
    log: Arc<dyn EventLog>,
    next: Revision,
    /// Up to here the index is asked.
    indexed: Position,
    end: Position,
    /// The stream's records behind that.
    tail: VecDeque<(Revision, Position)>,
}

impl<D: Domain> Partition<D> {
    /// Opens a stream from a revision on (0 is read as 1), up to a position of
    /// the log; without one up to where it is released.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        up_to: Option<Position>,
    ) -> Result<StreamReader, StreamError> {
        let index = self.inner.index.clone().ok_or(QueryError::NoIndex)?;
        if let Some(wanted) = up_to {
            let last = self.log().last_position();
            if wanted > last {
                return Err(QueryError::NotRecorded { wanted, last }.into());
            }
            self.wait_released(wanted).await?;
        }
        let released = *self.released().borrow();
        self.wait_indexed(&index, released).await?;
        let log = Arc::clone(self.log());
        let from = Revision(from.0.max(1));
        let opening = tokio::task::spawn_blocking(move || {
            let mut reader = StreamReader {
                indexed: index.position().min(released),
                end: released,
                next: from,
                tail: VecDeque::new(),
                stream,
                index,
                log,
            };
            reader.look_through_tail()?;
            reader.check_start()?;
            reader.end = up_to.map_or(released, |up_to| up_to.min(released));
            Ok(reader)
        });
        opening.await.map_err(|_| QueryError::Stopped)?
    }

    /// Until what is not in the index can be looked through.
    async fn wait_indexed(&self, index: &StreamIndex, wanted: Position) -> Result<(), StreamError> {
        let mut marks = index.watch();
        let near = marks.wait_for(|mark| wanted.0 <= mark.position.0 + TAIL_RECORDS_MAX);
        let waited = tokio::time::timeout(self.inner.limits.query_wait, near).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(QueryError::Stopped.into()),
            Err(_) => Err(StreamError::Behind {
                indexed: index.position(),
                wanted,
            }),
        }
    }
}

impl StreamReader {
    /// Up to this position the stream's records are given.
    #[must_use]
    pub fn end(&self) -> Position {
        self.end
    }

    /// The next records, at most `limit`; none at the end. Blocks on the disk.
    ///
    /// # Errors
    /// The index or the log cannot be read.
    pub fn read(&mut self, limit: usize) -> Result<Vec<StreamRecord>, QueryError> {
        let mut found = Vec::new();
        for (revision, position) in self.positions(limit)? {
            let Some(entry) = self.log.read(position, 1)?.pop() else {
                let last = self.log.last_position();
                return Err(QueryError::NotRecorded {
                    wanted: position,
                    last,
                });
            };
            let raw = decode(&entry.bytes)?;
            self.check(&raw, revision)?;
            self.next = revision.next();
            let voided = self.is_voided(&raw)?;
            found.push(StreamRecord { entry, voided });
        }
        Ok(found)
    }

    fn positions(&mut self, limit: usize) -> Result<Vec<(Revision, Position)>, QueryError> {
        let asked = self.index.positions(&self.stream, self.next, limit);
        let asked = asked.map_err(IndexerError::from)?.into_iter();
        // What the index has got since is in the tail.
        let own = asked.take_while(|position| *position <= self.indexed.min(self.end));
        let mut positions: Vec<_> = (self.next.0..).map(Revision).zip(own).collect();
        let next = positions.last().map_or(self.next, |(last, _)| last.next());
        let tail = self
            .tail
            .iter()
            .skip_while(|(revision, _)| *revision < next);
        let tail = tail.take_while(|(_, position)| *position <= self.end);
        positions.extend(tail.take(limit - positions.len()));
        Ok(positions)
    }

    fn look_through_tail(&mut self) -> Result<(), QueryError> {
        let mut next = self.indexed.next();
        while next <= self.end {
            let entries = self.log.read(next, CHUNK_RECORDS)?;
            let Some(last) = entries.last() else { break };
            next = last.position.next();
            for entry in entries {
                if entry.position > self.end {
                    return Ok(());
                }
                if let Some(revision) = revision_in(&entry.bytes, &self.stream)? {
                    self.tail.push_back((revision, entry.position));
                }
            }
        }
        Ok(())
    }

    /// The record before the first one that is wanted must be there.
    fn check_start(&mut self) -> Result<(), StreamError> {
        let from = self.next;
        self.next = Revision(1);
        if self.positions(1)?.is_empty() {
            return Err(StreamError::Unknown(self.stream.clone()));
        }
        if from > Revision(1) {
            self.next = Revision(from.0 - 1);
            if self.positions(1)?.is_empty() {
                let stream = self.stream.clone();
                return Err(StreamError::Beyond { stream, from });
            }
        }
        self.next = from;
        Ok(())
    }

    /// The index is no authority on what stands where it points.
    fn check(&self, raw: &Raw, revision: Revision) -> Result<(), QueryError> {
        if raw.stream == self.stream && raw.revision == revision {
            return Ok(());
        }
        let other = IndexError::RevisionGap {
            position: raw.position,
            stream: raw.stream.clone(),
            expected: revision,
            found: raw.revision,
        };
        Err(IndexerError::from(other).into())
    }

    /// A torso ends where its note stands, which is no further than its command
    /// would have reached.
    fn is_voided(&self, raw: &Raw) -> Result<bool, QueryError> {
        let behind = usize::try_from(raw.unit_remaining).unwrap_or(usize::MAX);
        if behind == 0 {
            return Ok(false);
        }
        for entry in self.log.read(raw.position.next(), behind)? {
            if entry.position > self.end {
                break;
            }
            let after = decode(&entry.bytes)?;
            if after.event.type_name == UnitVoided::full_name() {
                let note = UnitVoided::decode(&*after.event.data).unwrap_or_default();
                let torso = note.from_position..=note.to_position;
                return Ok(torso.contains(&raw.position.0));
            }
        }
        Ok(false)
    }
}

fn decode(bytes: &[u8]) -> Result<Raw, QueryError> {
    Ok(record::decode(bytes).map_err(IndexerError::from)?)
}

/// The record's revision, if it is of the stream.
fn revision_in(bytes: &[u8], stream: &StreamId) -> Result<Option<Revision>, QueryError> {
    let (found, revision) = match View::of(bytes) {
        Some(view) => (view.stream == stream.as_str(), Revision(view.revision)),
        None => {
            let raw = decode(bytes)?;
            (raw.stream == *stream, raw.revision)
        }
    };
    Ok(found.then_some(revision))
}
