//! Whether what a log says it reacted to exists, and was reacted to once and
//! in order.

use std::collections::BTreeMap;

use decider::{Cause, Position, Service, Source};

use super::{Finding, FindingKind as Kind};
use crate::{
    history::{History, Log, LogName, cursor},
    units::Standing,
};

/// Gives the number of records with a cause in a log.
pub(super) fn check(
    history: &History,
    name: LogName,
    log: &Log,
    standing: &Standing,
    findings: &mut Vec<Finding>,
) -> u64 {
    let mut causes = 0;
    let mut cursors = BTreeMap::<(Service, u32), Position>::new();
    let mut before: Option<Source> = None;
    for entry in &log.entries {
        // A voided reaction did not take place; it comes again.
        let raw = match entry.record() {
            Ok(raw) if !standing.idle.contains(&entry.position) => raw,
            _ => {
                before = None;
                continue;
            }
        };
        let position = entry.position;
        let (source, reacted) = match &raw.cause {
            Cause::Source(source) => (Some(*source), true),
            _ => (cursor(&raw), false),
        };
        let Some(source) = source else {
            before = None;
            continue;
        };
        causes += u64::from(reacted);
        if let Some(detail) = missing(history, name, position, &source) {
            findings.push(Kind::CauseMissing.at(position, detail));
        }
        let cursor = cursors
            .entry((source.service, source.partition))
            .or_default();
        let again = reacted && source.position == *cursor && before != Some(source);
        if source.position < *cursor || again {
            let detail =
                format!("it reacts to {source}, but that log was taken in up to {cursor} before");
            findings.push(Kind::ReactionRepeated.at(position, detail));
        }
        *cursor = (*cursor).max(source.position);
        before = reacted.then_some(source);
    }
    causes
}

fn missing(
    history: &History,
    name: LogName,
    position: Position,
    source: &Source,
) -> Option<String> {
    let log = LogName::of(source);
    if log == name && source.position >= position {
        return Some(format!("its cause {source} does not stand before it"));
    }
    let Some(named) = history.logs.get(&log) else {
        return Some(format!(
            "its cause {source} is in a log that is not among these"
        ));
    };
    if named.get(source.position).is_some() || unread(named, source.position) {
        return None;
    }
    Some(format!(
        "its cause {source} does not exist: that log ends at {}",
        named.last_position()
    ))
}

/// Behind a damage nothing is known; the damage itself is reported.
fn unread(log: &Log, position: Position) -> bool {
    log.damage
        .as_ref()
        .is_some_and(|damage| position >= damage.position)
}
