//! The end of a partition's log, read once for all who follow it: of the newest
//! records those that may mean something to any of them. Without it each
//! follower would read and look at every record, and what a firm's vehicles
//! report all the time means nothing to the other firms.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use decider::{Domain, Position};
use event_log::Entry;
use parking_lot::RwLock;
use tokio::sync::watch;

use super::{CHUNK, entries_at_once};
use crate::partition::Partition;

/// Kept for followers; who is further behind reads the log itself.
const KEPT: usize = 1024;

/// Cheap to clone.
#[derive(Clone)]
pub struct Tail {
    recent: Arc<RwLock<Recent>>,
    /// The position of the newest record that is kept.
    newest: watch::Receiver<Position>,
}

struct Recent {
    /// Of the records behind this one...
    after: Position,
    /// ...and up to this one, those that may mean something are here.
    through: Position,
    kept: VecDeque<Entry>,
}

/// What keeps a [`Tail`] at the log's end.
pub struct Reader<D: Domain> {
    partition: Partition<D>,
    may_mean_something: fn(&Entry) -> bool,
    recent: Arc<RwLock<Recent>>,
    newest: watch::Sender<Position>,
}

/// From a position on, what a tail knows.
pub struct Known {
    pub entries: Vec<Entry>,
    /// Up to here.
    pub through: Position,
}

/// A tail that begins at the end of what may be told, and what has to run for
/// it. `may_mean_something` is asked about each record, once.
pub fn tail<D: Domain>(
    partition: Partition<D>,
    may_mean_something: fn(&Entry) -> bool,
) -> (Tail, Reader<D>) {
    let end = *partition.released().borrow();
    let recent = Arc::new(RwLock::new(Recent {
        after: end,
        through: end,
        kept: VecDeque::new(),
    }));
    let (tell, newest) = watch::channel(end);
    let reader = Reader {
        partition,
        may_mean_something,
        recent: Arc::clone(&recent),
        newest: tell,
    };
    (Tail { recent, newest }, reader)
}

impl Tail {
    /// None where the log itself must be read: the position is too far back.
    #[must_use]
    pub fn since(&self, next: Position) -> Option<Known> {
        self.recent.read().since(next)
    }

    /// Waits for a record at `next` or behind it that may mean something; false
    /// when there will be none any more.
    pub async fn grows(&mut self, next: Position) -> bool {
        self.newest.wait_for(|newest| *newest >= next).await.is_ok()
    }
}

impl<D: Domain> Reader<D> {
    /// Reads on until the service ends.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut released = self.partition.released();
        loop {
            let next = self.recent.read().through.next();
            let Ok(may_tell) = released
                .wait_for(|last| *last >= next)
                .await
                .map(|last| *last)
            else {
                return Ok(());
            };
            let count = usize::try_from(may_tell.0 + 1 - next.0).unwrap_or(CHUNK);
            let read = entries_at_once(&self.partition, next, count.min(CHUNK)).await?;
            self.take(&read);
        }
    }

    fn take(&self, read: &[Entry]) {
        let newest = self.recent.write().take(read, self.may_mean_something);
        if let Some(newest) = newest {
            self.newest.send_replace(newest);
        }
    }
}

impl Recent {
    /// Takes in what follows in the log. Gives the newest record of it that is
    /// kept.
    fn take(&mut self, read: &[Entry], may_mean_something: fn(&Entry) -> bool) -> Option<Position> {
        let last = read.last()?;
        let mut newest = None;
        for entry in read.iter().filter(|entry| may_mean_something(entry)) {
            newest = Some(entry.position);
            self.kept.push_back(Entry {
                position: entry.position,
                // On its own: an entry holds its whole batch in memory.
                bytes: Bytes::copy_from_slice(&entry.bytes),
            });
        }
        while self.kept.len() > KEPT
            && let Some(dropped) = self.kept.pop_front()
        {
            self.after = dropped.position;
        }
        self.through = last.position;
        newest
    }

    fn since(&self, next: Position) -> Option<Known> {
        if next <= self.after {
            return None;
        }
        let from = self.kept.partition_point(|entry| entry.position < next);
        Some(Known {
            entries: self.kept.range(from..).cloned().collect(),
            through: self.through,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_even(entry: &Entry) -> bool {
        entry.position.0.is_multiple_of(2)
    }

    /// Records 11 to `last`, read in parts, with what is behind 10.
    fn recent(last: u64) -> Recent {
        let mut recent = Recent {
            after: Position(10),
            through: Position(10),
            kept: VecDeque::new(),
        };
        let all: Vec<Entry> = (11..=last)
            .map(|n| Entry {
                position: Position(n),
                bytes: Bytes::new(),
            })
            .collect();
        for part in all.chunks(7) {
            let newest = part.iter().rev().find(|entry| is_even(entry));
            let newest = newest.map(|entry| entry.position);
            assert_eq!(recent.take(part, is_even), newest);
        }
        recent
    }

    fn known(recent: &Recent, next: u64) -> Option<(Vec<u64>, u64)> {
        let known = recent.since(Position(next))?;
        let positions = known.entries.iter().map(|entry| entry.position.0);
        Some((positions.collect(), known.through.0))
    }

    #[test]
    fn what_means_nothing_is_passed_over_and_nothing_else_is() {
        let recent = recent(15);
        assert_eq!(known(&recent, 10), None, "not read here");
        assert_eq!(known(&recent, 11), Some((vec![12, 14], 15)));
        assert_eq!(known(&recent, 13), Some((vec![14], 15)));
        assert_eq!(known(&recent, 16), Some((vec![], 15)));
        assert_eq!(known(&recent, 40), Some((vec![], 15)), "read ahead of it");
    }

    #[test]
    fn who_is_further_behind_than_is_kept_reads_the_log() {
        let kept = KEPT as u64;
        let recent = recent(10 + 2 * kept + 6);
        assert_eq!(recent.kept.len(), KEPT);
        // Three that are kept no more: 12, 14, 16.
        assert_eq!(known(&recent, 16), None);
        let (positions, through) = known(&recent, 17).expect("just not too far back");
        assert_eq!(positions.first(), Some(&18));
        assert_eq!(positions.len(), KEPT);
        assert_eq!(through, 10 + 2 * kept + 6);
    }
}
