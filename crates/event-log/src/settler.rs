//! Takes what the journal made durable on into sled, in a thread of its own.
//!
//! Until a batch is in sled it is read from memory; until sled has synced it,
//! its journal segment stays. An append waits only when the journal has no
//! segment left: a settler that falls behind makes appends slower, it never
//! loses. What it cannot write it reports to the next append.

use std::collections::VecDeque;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use decider::Position;
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::batch::{self, Batch, Settled};
use crate::checked::{self, Checked};
use crate::database::Database;
use crate::disk::{Durable, guarded};
use crate::error::LogError;

/// Batches are gathered up to this before sled gets them, or for [`PATIENCE`]:
/// the records of many small groups then share a key.
const GATHERED_BYTES: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(1);
/// Inserted between two looks at what else is to be done.
const STEP_BYTES: usize = 1024 * 1024;
/// sled's file is synced at least this often: sled reuses a segment of its file
/// once what replaces its pages is written, and that must also be durable by
/// then. It waits at least until a later segment is begun, so half a segment is
/// often enough.
pub(crate) const UNSYNCED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What appends, readers, settler and scrub have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// There is something to do for the settler, or for the scrub to stop.
    work: Condvar,
    stopping: Condvar,
    progress: Condvar,
}

#[derive(Debug)]
struct State {
    pending: VecDeque<Arc<Batch>>,
    pending_bytes: usize,
    pending_since: Instant,
    /// Durable in sled.
    settled: Position,
    hurry: bool,
    stop: bool,
    failed: Option<Failure>,
}

#[derive(Debug)]
struct Failure {
    /// Until an append has reported it.
    error: Option<LogError>,
    because: String,
}

impl Shared {
    pub fn new(settled: Position) -> Self {
        Self {
            state: Mutex::new(State {
                pending: VecDeque::new(),
                pending_bytes: 0,
                pending_since: Instant::now(),
                settled,
                hurry: false,
                stop: false,
                failed: None,
            }),
            work: Condvar::new(),
            stopping: Condvar::new(),
            progress: Condvar::new(),
        }
    }

    /// Hands over batches that are durable in the journal.
    pub fn push(&self, batches: Vec<Batch>) {
        let mut state = self.state.lock();
        if state.pending.is_empty() {
            state.pending_since = Instant::now();
            self.work.notify_one();
        }
        let before = state.pending_bytes;
        for batch in batches {
            state.pending_bytes += batch.value.len();
            state.pending.push_back(Arc::new(batch));
        }
        if before < GATHERED_BYTES && state.pending_bytes >= GATHERED_BYTES {
            self.work.notify_one();
        }
    }

    pub fn settled(&self) -> Position {
        self.state.lock().settled
    }

    /// An error that the settler or the scrub met: first itself, then
    /// [`LogError::Closed`].
    pub fn check(&self) -> Result<(), LogError> {
        Self::check_state(&mut self.state.lock())
    }

    fn check_state(state: &mut State) -> Result<(), LogError> {
        let Some(failure) = &mut state.failed else {
            return Ok(());
        };
        let because = failure.because.clone();
        Err(failure.error.take().unwrap_or(LogError::Closed { because }))
    }

    /// Waits until more is durable in sled than `settled`.
    pub fn wait_beyond(&self, settled: Position) -> Result<(), LogError> {
        self.wait(|state| state.settled > settled)
    }

    /// Waits until everything up to `position` is durable in sled.
    pub fn wait_for(&self, position: Position) -> Result<(), LogError> {
        self.wait(|state| state.settled >= position)
    }

    fn wait(&self, enough: impl Fn(&State) -> bool) -> Result<(), LogError> {
        let mut state = self.state.lock();
        while !enough(&state) {
            Self::check_state(&mut state)?;
            state.hurry = true;
            self.work.notify_one();
            self.progress.wait(&mut state);
        }
        Ok(())
    }

    pub fn fail(&self, error: LogError) {
        let mut state = self.state.lock();
        if state.failed.is_none() {
            let because = error.to_string();
            let error = Some(error);
            state.failed = Some(Failure { error, because });
        }
        self.progress.notify_all();
    }

    /// Tells settler and scrub to end; the settler finishes its work before.
    pub fn stop(&self) {
        self.state.lock().stop = true;
        self.work.notify_all();
        self.stopping.notify_all();
    }

    /// Waits so long, or shorter if the log is being closed: then true.
    pub fn stops_within(&self, pause: Duration) -> bool {
        let mut state = self.state.lock();
        if !state.stop {
            self.stopping.wait_for(&mut state, pause);
        }
        state.stop
    }

    /// The batches from the one that holds `from` on, enough for `records`.
    /// Without any, the position from which on there are some.
    pub fn pending(&self, from: Position, records: usize) -> Result<Vec<Arc<Batch>>, Position> {
        let state = self.state.lock();
        match state.pending.front() {
            None => return Err(Position(u64::MAX)),
            Some(batch) if batch.first > from => return Err(batch.first),
            Some(_) => {}
        }
        let start = state.pending.partition_point(|batch| batch.last() < from);
        let mut batches = Vec::new();
        let end = from.0.saturating_add(records as u64);
        for batch in state.pending.range(start..) {
            if batch.first.0 >= end {
                break;
            }
            batches.push(Arc::clone(batch));
        }
        Ok(batches)
    }
}

/// The thread's part.
pub(crate) struct Settler {
    pub db: Arc<Database>,
    /// See [`Database::renew`].
    pub renewed_bytes: usize,
    pub durable: Arc<Durable>,
    pub checked: Checked,
    pub shared: Arc<Shared>,
}

impl Settler {
    pub fn run(mut self) {
        if let Err(error) = self.settle() {
            self.shared.fail(error);
        }
    }

    fn settle(&mut self) -> Result<(), LogError> {
        let mut unsynced = 0;
        let mut since_renewed = 0;
        let mut unsynced_since = None;
        let mut inserted = Position::ZERO;
        loop {
            let (batches, sync, stop) = self.next(unsynced_since);
            for settled in batch::settled(&batches) {
                inserted = settled.batch.last();
                let bytes = self.insert(&settled)?;
                unsynced += bytes;
                since_renewed += bytes;
                unsynced_since = unsynced_since.or_else(|| Some(Instant::now()));
                if unsynced >= UNSYNCED_BYTES_MAX {
                    self.sync(inserted)?;
                    (unsynced, unsynced_since) = (0, None);
                }
            }
            if since_renewed >= self.renewed_bytes {
                self.sync(inserted)?;
                (unsynced, unsynced_since) = (0, None);
                self.db.renew()?;
                since_renewed = 0;
            }
            if sync && unsynced > 0 {
                self.sync(inserted)?;
                (unsynced, unsynced_since) = (0, None);
            }
            if stop && unsynced == 0 {
                return Ok(());
            }
        }
    }

    /// Waits for work: batches to insert, whether to sync behind them, and
    /// whether they are the last ones.
    fn next(&self, unsynced_since: Option<Instant>) -> (Vec<Arc<Batch>>, bool, bool) {
        let mut state = self.shared.state.lock();
        loop {
            let waiting = !state.pending.is_empty();
            let since = unsynced_since.or(waiting.then_some(state.pending_since));
            let due = since.map(|since| since + PATIENCE);
            let late = due.is_some_and(|due| due <= Instant::now());
            let pressed = late || state.hurry || state.stop;
            if pressed || state.pending_bytes >= GATHERED_BYTES {
                return Self::take(&mut state, pressed);
            }
            match due {
                Some(due) => drop(self.shared.work.wait_until(&mut state, due)),
                None => self.shared.work.wait(&mut state),
            }
        }
    }

    fn take(state: &mut MutexGuard<'_, State>, pressed: bool) -> (Vec<Arc<Batch>>, bool, bool) {
        let mut bytes = 0;
        let few = |batch: &&Arc<Batch>| {
            bytes += batch.value.len();
            bytes <= STEP_BYTES
        };
        let batches: Vec<_> = state.pending.iter().take_while(few).cloned().collect();
        let all = batches.len() == state.pending.len();
        if all {
            state.hurry = false;
        }
        (batches, all && pressed, all && state.stop)
    }

    fn insert(&mut self, settled: &Settled<'_>) -> Result<usize, LogError> {
        let Settled { batch, of } = settled;
        put(&*self.db.open()?, &self.durable, batch)?;
        let bytes = batch.value.len();
        self.checked.passed(batch.last(), bytes as u64);
        let mut state = self.shared.state.lock();
        for batch in state.pending.drain(..*of).collect::<Vec<_>>() {
            state.pending_bytes -= batch.value.len();
        }
        state.pending_since = Instant::now();
        Ok(bytes)
    }

    fn sync(&mut self, inserted: Position) -> Result<(), LogError> {
        self.durable.flush(&*self.db.open()?, inserted)?;
        self.checked
            .write()
            .map_err(|e| LogError::io("marking what is checked of", &self.durable.path, e))?;
        self.shared.state.lock().settled = inserted;
        self.shared.progress.notify_all();
        Ok(())
    }
}

/// Writes a batch to its place in sled, which must be free.
pub(crate) fn put(db: &sled::Db, durable: &Durable, batch: &Batch) -> Result<(), LogError> {
    let old = guarded(|| db.insert(batch::key(batch.first), batch.value.as_slice()))
        .map_err(|e| LogError::sled("writing", &durable.path, batch.first, e))?;
    if old.is_none() {
        return Ok(());
    }
    Err(LogError::Damaged {
        path: durable.path.clone(),
        position: batch.first,
        what: "`db` has a batch already where the next is to be written".to_owned(),
    })
}

/// Makes the next opening check everything.
pub(crate) fn forget_checked(durable: &Durable) {
    // Whether or not it can be removed, the finding itself is reported.
    drop(fs::remove_file(durable.path.join(checked::NAME)));
}
