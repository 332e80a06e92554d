//! All records of all logs in one order in which every cause stands before
//! what it caused. Each log's own order is kept; where both may come next the
//! earlier one does, then the service that comes first in the suite.

use std::collections::{BTreeMap, HashMap, HashSet};

use decider::{Cause, Position, Source, Timestamp};

use crate::history::{Entry, History, LogName};

/// Number in the common order, of those records that are asked for.
pub(crate) fn rank(
    history: &History,
    wanted: impl Iterator<Item = Source>,
) -> HashMap<Source, usize> {
    let wanted: HashSet<Source> = wanted.collect();
    let mut ranks = HashMap::with_capacity(wanted.len());
    let mut number = 0;
    walk(history, |at, _| {
        if wanted.contains(&at) {
            ranks.entry(at).or_insert(number);
        }
        number += 1;
    });
    ranks
}

/// Records that wait for one another in a circle: the first of each.
pub(crate) fn circular(history: &History) -> Vec<Source> {
    let mut circular = Vec::new();
    walk(history, |at, waits| {
        if waits {
            circular.push(at);
        }
    });
    circular
}

/// The next record of a log.
struct Head {
    number: usize,
    position: Position,
    recorded: Timestamp,
    cause: Option<Source>,
}

impl Head {
    fn of(entries: &[Entry], number: usize) -> Option<Self> {
        let entry = entries.get(number)?;
        let raw = entry.record().ok();
        Some(Self {
            number,
            position: entry.position,
            recorded: raw.as_ref().map(|raw| raw.recorded).unwrap_or_default(),
            cause: match raw.map(|raw| raw.cause) {
                Some(Cause::Source(cause)) => Some(cause),
                _ => None,
            },
        })
    }
}

/// In the common order; says of each record whether its cause has not come yet.
fn walk(history: &History, mut visit: impl FnMut(Source, bool)) {
    let mut heads: BTreeMap<LogName, Head> = BTreeMap::new();
    for (name, log) in &history.logs {
        heads.extend(Head::of(&log.entries, 0).map(|head| (*name, head)));
    }
    let mut reached = BTreeMap::<LogName, Position>::new();
    loop {
        let next = heads.iter().map(|(name, head)| {
            let waits = head
                .cause
                .is_some_and(|cause| waits(history, &reached, &cause));
            (waits, head.recorded, *name)
        });
        let Some((waits, _, name)) = next.min() else {
            return;
        };
        let Some(head) = heads.remove(&name) else {
            return;
        };
        visit(name.at(head.position), waits);
        let reached = reached.entry(name).or_default();
        *reached = (*reached).max(head.position);
        let next = Head::of(&history.logs[&name].entries, head.number + 1);
        heads.extend(next.map(|head| (name, head)));
    }
}

/// A cause that is nowhere is not waited for.
fn waits(history: &History, reached: &BTreeMap<LogName, Position>, cause: &Source) -> bool {
    let name = LogName::of(cause);
    let there = reached.get(&name).copied().unwrap_or_default() >= cause.position;
    let will_be = history
        .logs
        .get(&name)
        .is_some_and(|log| log.last_position() >= cause.position);
    !there && will_be
}
