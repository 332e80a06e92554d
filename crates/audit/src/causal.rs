//! All records of all logs in one order in which every cause stands before
//! what it caused. Each log's own order is kept; where both may come next the
//! earlier one does, then the service that comes first in the suite.

use std::collections::{BTreeMap, HashMap};

use decider::{Cause, Position, Source, Timestamp};

use crate::history::{History, LogName};

#[derive(Debug, Default)]
pub(crate) struct Causal {
    /// Number of each record in the common order.
    pub rank: HashMap<Source, usize>,
    /// Records that wait for one another in a circle: the first of each.
    pub circular: Vec<Source>,
}

pub(crate) fn order(history: &History) -> Causal {
    let mut causal = Causal::default();
    let mut heads: BTreeMap<LogName, usize> = history.logs.keys().map(|n| (*n, 0)).collect();
    let mut reached = BTreeMap::<LogName, Position>::new();
    loop {
        let mut next: Option<(bool, Timestamp, LogName)> = None;
        for (name, at) in &heads {
            let Some(entry) = history.logs[name].entries.get(*at) else {
                continue;
            };
            let raw = entry.record.as_ref().ok();
            let waits = match raw.map(|raw| &raw.cause) {
                Some(Cause::Source(cause)) => waits(history, &reached, cause),
                _ => false,
            };
            let candidate = (waits, raw.map(|r| r.recorded).unwrap_or_default(), *name);
            if next.is_none_or(|next| candidate < next) {
                next = Some(candidate);
            }
        }
        let Some((waits, _, name)) = next else {
            return causal;
        };
        let at = heads.entry(name).or_default();
        let source = name.at(history.logs[&name].entries[*at].position);
        *at += 1;
        if waits {
            causal.circular.push(source);
        }
        let reached = reached.entry(name).or_default();
        *reached = (*reached).max(source.position);
        let rank = causal.rank.len();
        causal.rank.entry(source).or_insert(rank);
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
