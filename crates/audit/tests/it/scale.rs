//! A day of the real size: everything is looked at once, not once for each
//! record.

use audit::{History, Streams, reconcile, replay, verify};
use decider::Invariant;

use crate::suite::days;

const HOUSEHOLDS: usize = 1127;

#[test]
fn a_day_of_all_households_holds() {
    let bytes = days(HOUSEHOLDS);
    let history = History::from_bytes(bytes.clone());
    let verified = verify(&history);
    assert!(verified.holds, "{:#?}", verified.logs[0].findings.first());
    let report = reconcile(&history, Some(&Streams::from_messages(bytes)));
    assert!(report.holds, "{:#?}", report.broken());
    let facts = |invariant| report.check(invariant).expect("checked").facts;
    assert_eq!(facts(Invariant::ReceiptOrVisit), HOUSEHOLDS as u64);
    // And one that ordered nothing.
    assert_eq!(facts(Invariant::ServedOrListed), HOUSEHOLDS as u64 + 1);
    let replay = replay(&history, "01J9ZORDva").expect("the last order");
    assert_eq!(replay.lines.len(), 24);
}
