//! Folds a log, all of it or up to a past moment.

use std::sync::{
    Arc,
    mpsc::{self, SyncSender},
};

use decider::{Domain, Position, Timestamp};
use event_log::{Entry, EventLog, LogError};
use proto::view::View;
use stream_index::{IndexError, StreamIndex};
use transparency::StateDigest;

use super::{
    QueryError,
    indexer::{Indexer, IndexerError},
    machine::{GENERATION_RECORDS, Machine, ReplayError},
    snapshot::Snapshots,
};

/// Records read at once.
const CHUNK_RECORDS: usize = 1024;
/// Readings that wait to be folded.
const CHUNKS_AHEAD: usize = 2;

/// A past moment of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// The state after this record; within the records of one command, the
    /// state before the first of them.
    Position(Position),
    /// Everything recorded up to and including this time.
    Time(Timestamp),
}

/// Replays a log into a fresh machine, up to a past moment where one is given;
/// gives the time of its last record that counts.
///
/// # Errors
/// The log cannot be read, or a record in it is not what it should be.
pub fn replay<D: Domain>(
    log: &dyn EventLog,
    partition: u32,
    until: Option<AsOf>,
) -> Result<(Machine<D>, Timestamp), QueryError> {
    let mut machine = Machine::new(partition);
    go_on(&mut machine, log, until, || false)?;
    let time = machine.last_recorded();
    Ok((machine, time))
}

/// The machine with which a service starts: the newest snapshot that can be
/// used, the records behind it, and the index for what it does not hold. Gives
/// the snapshot's digest and the index too, which is brought up to the log
/// first. While the index is opened the snapshot is read.
///
/// # Errors
/// The log cannot be read, a record in it is not what it should be, or the
/// index cannot be opened or written.
pub fn restore<D: Domain>(
    log: &Arc<dyn EventLog>,
    partition: u32,
    snapshots: &Snapshots,
    index: impl FnOnce() -> Result<Arc<StreamIndex>, IndexError>,
) -> Result<Restored<D>, QueryError> {
    let (index, newest) = std::thread::scope(|scope| {
        let newest = scope.spawn(|| snapshots.newest::<D>(&**log));
        let index = index().map_err(IndexerError::from).and_then(|index| {
            Indexer::new(Arc::clone(&index), Arc::clone(log)).bring_up()?;
            Ok(index)
        });
        let newest = newest.join();
        let newest = newest.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok::<_, IndexerError>((index?, newest))
    })?;
    let (machine, digest) = match newest {
        Some((machine, digest)) => (machine, Some(digest)),
        None => (Machine::reader(partition), None),
    };
    let from = machine.position();
    let mut machine = machine.with_index(Arc::clone(&index), GENERATION_RECORDS);
    go_on(&mut machine, &**log, None, || false)?;
    let records = machine.position().0 - from.0;
    tracing::info!(service = %D::SERVICE, partition, snapshot = %from, records, "replayed");
    Ok(Restored {
        machine,
        digest,
        index,
    })
}

/// See [`restore`].
pub struct Restored<D: Domain> {
    pub machine: Machine<D>,
    /// Of the snapshot; none where all was replayed.
    pub digest: Option<StateDigest>,
    pub index: Arc<StreamIndex>,
}

/// The state at a past moment, from the newest snapshot before it. The machine
/// decides nothing: see [`Machine::reader`].
pub(super) fn past<D: Domain>(
    log: &dyn EventLog,
    partition: u32,
    moment: AsOf,
    snapshots: Option<&Snapshots>,
    give_up: impl Fn() -> bool,
) -> Result<Machine<D>, QueryError> {
    let mut machine = snapshots
        .and_then(|snapshots| snapshots.before(moment, log))
        .unwrap_or_else(|| Machine::reader(partition));
    go_on(&mut machine, log, Some(moment), give_up)?;
    Ok(machine)
}

/// Goes on from where the machine is. What comes next is read and checked on a
/// thread of its own, so that decoding and folding have a core for themselves.
pub(super) fn go_on<D: Domain>(
    machine: &mut Machine<D>,
    log: &dyn EventLog,
    until: Option<AsOf>,
    give_up: impl Fn() -> bool,
) -> Result<(), QueryError> {
    let next = machine.next_read();
    std::thread::scope(|scope| {
        let (ahead, chunks) = mpsc::sync_channel(CHUNKS_AHEAD);
        scope.spawn(move || read_ahead(log, next, &ahead));
        for chunk in chunks {
            let entries = chunk?;
            if give_up() {
                return Err(QueryError::Stopped);
            }
            let wanted = match until {
                None => entries.len(),
                Some(until) => count_until(&entries, until)?,
            };
            machine.replay_all(&entries[..wanted])?;
            if wanted < entries.len() {
                break;
            }
        }
        Ok(())
    })
}

/// Reads to the log's end, or until nobody takes it any more.
fn read_ahead(
    log: &dyn EventLog,
    from: Position,
    chunks: &SyncSender<Result<Vec<Entry>, LogError>>,
) {
    let mut next = Some(from);
    while let Some(from) = next {
        let chunk = log.read(from, CHUNK_RECORDS);
        // None behind the log's end, and behind an error.
        let last = chunk.as_ref().ok().and_then(|entries| entries.last());
        next = last.map(|last| last.position.next());
        if chunks.send(chunk).is_err() {
            return;
        }
    }
}

/// How many of the entries are not behind the moment.
fn count_until(entries: &[Entry], until: AsOf) -> Result<usize, ReplayError> {
    for (n, entry) in entries.iter().enumerate() {
        let is_behind = match until {
            AsOf::Position(last) => entry.position > last,
            AsOf::Time(last) => recorded(&entry.bytes)? > last,
        };
        if is_behind {
            return Ok(n);
        }
    }
    Ok(entries.len())
}

fn recorded(bytes: &[u8]) -> Result<Timestamp, ReplayError> {
    match View::of(bytes) {
        Some(view) => Ok(view.recorded),
        None => Ok(proto::record::decode(bytes)?.recorded),
    }
}
