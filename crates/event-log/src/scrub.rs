//! Checks in the background what opening has left out: the older part of a
//! large log, once after opening and then every day. What it finds closes the
//! log with an error that names the position, and makes the next opening check
//! everything, which then refuses. It reads a little at a time.

use std::sync::Arc;
use std::time::Duration;

use decider::Position;

use crate::batch;
use crate::database::Database;
use crate::disk::{Durable, guarded};
use crate::error::LogError;
use crate::scan::{next_of, unreadable};
use crate::settler::{Shared, forget_checked};

const STEP_BYTES: usize = 1024 * 1024;
const PAUSE: Duration = Duration::from_millis(30);
const REST: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) struct Scrub {
    pub db: Arc<Database>,
    pub durable: Arc<Durable>,
    pub shared: Arc<Shared>,
    /// The first position that opening has checked.
    pub end: Position,
}

impl Scrub {
    pub fn run(self) {
        let mut end = self.end;
        loop {
            match self.pass(end) {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    forget_checked(&self.durable);
                    return self.shared.fail(error);
                }
            }
            if self.shared.stops_within(REST) {
                return;
            }
            end = self.shared.settled().next();
        }
    }

    /// Goes over everything before `end`. True: the log is being closed.
    pub fn pass(&self, end: Position) -> Result<bool, LogError> {
        let mut next = Position(1);
        while next < end {
            if self.shared.stops_within(PAUSE) {
                return Ok(true);
            }
            next = self.step(next, end)?;
        }
        Ok(false)
    }

    fn step(&self, from: Position, end: Position) -> Result<Position, LogError> {
        let path = &self.durable.path;
        let damaged = |position, what: String| LogError::Damaged {
            path: path.clone(),
            position,
            what: format!("`db`: {what}"),
        };
        let mut next = from;
        let mut bytes = 0;
        let db = self.db.open()?;
        let mut items = db.range(batch::key(from)..);
        while next < end && bytes < STEP_BYTES {
            let item = guarded(|| next_of(&db, &mut items))
                .map_err(|e| unreadable("checking", path, next, e))?;
            let (_, value) = item
                .filter(|(key, _)| key[..] == batch::key(next))
                .ok_or_else(|| damaged(next, "the batch that held it is gone".to_owned()))?;
            let batch = batch::check(next, &value).map_err(|e| damaged(next, e.to_string()))?;
            next = Position(next.0 + batch.records);
            bytes += value.len();
        }
        Ok(next)
    }
}
