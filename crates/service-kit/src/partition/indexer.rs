//! Builds the stream index: a reader of the log, behind the writer by a moment.

use std::{sync::Arc, time::Duration};

use decider::{Cause, Domain, Position};
use event_log::{Entry, EventLog, LogError};
use proto::{
    record::{self, Raw, RecordError},
    unit::{Taken, UnitBroken, Units},
};
use sha2::{Digest, Sha256};
use stream_index::{Answered, IndexError, IndexOptions, Indexed, Mark, StreamIndex};
use tokio_util::sync::CancellationToken;

use super::{Partition, machine::recent::request_key, snapshot::record_digest};

/// Records read and added at once.
const CHUNK_RECORDS: usize = 4096;
/// Shortest time between two additions: what is in memory anyway can wait until
/// it is more.
const REST: Duration = Duration::from_millis(50);
/// A longer way than this is said in the log.
const LONG_RECORDS: u64 = 100_000;
/// Added since the index was flushed: more are flushed, so that an opening has
/// few to read from its journal, also after a crash.
const UNFLUSHED_RECORDS_MAX: usize = 200_000;

/// Why the index did not go on.
#[derive(Debug, thiserror::Error)]
pub enum IndexerError {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("the event log cannot be read: {0}")]
    Log(#[from] LogError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Unit(#[from] UnitBroken),
}

/// Opens the index of a partition's log, an empty one where what is there does
/// not belong to the log.
///
/// # Errors
/// The folder cannot be written, or another process has it open.
pub fn open(
    data_dir: &std::path::Path,
    service: decider::Service,
    partition: u32,
    log: &dyn EventLog,
) -> Result<StreamIndex, IndexError> {
    let path = data_dir
        .join(service.name())
        .join(format!("{partition}.index"));
    StreamIndex::open(&path, IndexOptions::default(), |mark| {
        record_digest(log, mark.position).is_ok_and(|found| found == Some(mark.record))
    })
}

/// Takes records from the log into the index, unit by unit.
#[derive(Debug)]
pub struct Indexer {
    index: Arc<StreamIndex>,
    log: Arc<dyn EventLog>,
    units: Units,
    next: Position,
    unflushed: usize,
}

impl Indexer {
    #[must_use]
    pub fn new(index: Arc<StreamIndex>, log: Arc<dyn EventLog>) -> Self {
        Self {
            next: index.position().next(),
            index,
            log,
            units: Units::default(),
            unflushed: 0,
        }
    }

    /// Adds all that the log has.
    ///
    /// # Errors
    /// See [`IndexerError`].
    pub fn bring_up(&mut self) -> Result<(), IndexerError> {
        let (from, to) = (self.next, self.log.last_position());
        let long = to.0.saturating_sub(from.0) > LONG_RECORDS;
        if long {
            tracing::info!(%from, %to, "adding to the stream index");
        }
        while self.step()? {}
        if long {
            self.flush_beyond(0)?;
            tracing::info!(position = %self.index.position(), "the stream index is complete");
        }
        Ok(())
    }

    /// Adds the next records; says whether there were any.
    ///
    /// # Errors
    /// See [`IndexerError`].
    pub fn step(&mut self) -> Result<bool, IndexerError> {
        let entries = self.log.read(self.next, CHUNK_RECORDS)?;
        let mut records = Vec::with_capacity(entries.len());
        let mut end: Option<&Entry> = None;
        for entry in &entries {
            self.next = entry.position.next();
            match self.units.take(record::decode(&entry.bytes)?)? {
                Taken::Open => continue,
                Taken::Whole(unit) => records.extend(unit.into_iter().map(counted)),
                Taken::Void { note, torso } => {
                    records.extend(torso.into_iter().map(used));
                    records.push(counted(*note));
                }
            }
            end = Some(entry);
        }
        if let Some(end) = end {
            let mark = Mark {
                position: end.position,
                record: Sha256::digest(&end.bytes).into(),
            };
            self.index.apply(&records, mark)?;
            self.unflushed += records.len();
            self.flush_beyond(UNFLUSHED_RECORDS_MAX)?;
        }
        Ok(!entries.is_empty())
    }

    /// Adds a last time, and makes sure that the next opening is quick.
    ///
    /// # Errors
    /// See [`IndexerError`].
    pub fn close(&mut self) -> Result<(), IndexerError> {
        self.bring_up()?;
        Ok(self.index.close()?)
    }

    fn flush_beyond(&mut self, records: usize) -> Result<(), IndexError> {
        if self.unflushed > records {
            self.index.flush()?;
            self.unflushed = 0;
        }
        Ok(())
    }
}

/// A record of a whole command.
fn counted(raw: Raw) -> Indexed {
    let request = match &raw.cause {
        Cause::Request {
            request_id,
            digest,
            record_count,
        } => Some((
            request_key(request_id),
            Answered {
                digest: *digest,
                first: raw.position,
                count: *record_count,
            },
        )),
        Cause::Source(_) | Cause::Timer { .. } => None,
    };
    Indexed {
        request,
        ..used(raw)
    }
}

/// A record of a command that is void: its revision is used, nothing is
/// answered.
fn used(raw: Raw) -> Indexed {
    Indexed {
        position: raw.position,
        stream: raw.stream,
        revision: raw.revision,
        request: None,
    }
}

/// Keeps the index close behind the log until `stop`, and brings it up a last
/// time then.
///
/// # Errors
/// The index cannot be written. The memory of what is not indexed would grow
/// without end, so the service ends.
pub async fn follow<D: Domain>(
    partition: Partition<D>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let Some(index) = partition.inner.index.clone() else {
        stop.cancelled().await;
        return Ok(());
    };
    let mut durable = partition.log().watch();
    let mut indexer = Indexer::new(index, Arc::clone(partition.log()));
    while !stop.is_cancelled() {
        let next = indexer.next;
        tokio::select! {
            () = stop.cancelled() => {}
            changed = durable.wait_for(|position| *position >= next) => { changed?; }
        }
        indexer = tokio::task::spawn_blocking(move || {
            indexer.bring_up()?;
            Ok::<_, IndexerError>(indexer)
        })
        .await??;
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(REST) => {}
        }
    }
    let last = move || Ok(indexer.close()?);
    tokio::task::spawn_blocking(last).await?
}
