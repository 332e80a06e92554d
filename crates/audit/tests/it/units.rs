//! A command whose end was lost: void where that is said, a finding where it is
//! not, and in no case something that happened.

use audit::{FindingKind as Kind, Moment, reconcile, replay, state, verify};
use decider::{Invariant, Position, Service, Timestamp};
use proto::{log::v1::UnitVoided, order::v1 as ord};

use crate::suite::{ORDER, Suite, day, order, runtime};

/// The order is cancelled, in a command of which one record more is missing.
pub fn torn() -> Suite {
    let mut suite = day();
    let cancelled = ord::OrderCancelled {
        order_id: ORDER.into(),
        reason: ord::CancelReason::Customer.into(),
        note: String::new(),
        household_id: "H-1".into(),
    };
    suite.timer(vec![order(cancelled)]);
    suite.alter("OrderCancelled", |raw| raw.unit_remaining = 1);
    suite
}

pub fn voided() -> Suite {
    let mut suite = torn();
    let Position(at) = suite.find("OrderCancelled").position;
    let note = UnitVoided {
        from_position: at,
        to_position: at,
    };
    suite.timer(vec![runtime(Service::Order, "unit", &note)]);
    suite
}

#[test]
fn a_torso_at_the_end_is_a_finding() {
    let suite = torn();
    let at = suite.find("OrderCancelled").position;
    let report = verify(&suite.history());
    let findings: Vec<_> = report.logs.iter().flat_map(|l| &l.findings).collect();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(
        (findings[0].kind, findings[0].position),
        (Kind::UnitOpen, Some(at))
    );
    assert!(findings[0].detail.contains("1 more of its records"));
}

#[test]
fn a_voided_torso_counts_for_nothing() {
    let suite = voided();
    let history = suite.history();
    let report = verify(&history);
    assert!(report.holds, "{:#?}", report.logs[0].findings);
    assert_eq!(report.logs[0].voided, 1);
    assert!(
        report
            .text()
            .contains("void    1 commands whose end was lost")
    );
    assert!(reconcile(&history, None).holds);
    // The order is as it was.
    let of = |suite: &Suite| {
        let stream = format!("order/{ORDER}");
        state(&suite.history(), &stream, None).expect("known").state
    };
    assert_eq!(of(&suite), of(&day()));
    assert_eq!(
        replay(&history, ORDER).expect("known").outcome,
        replay(&day().history(), ORDER).expect("known").outcome
    );
    // Where the entity is asked about at the torso itself, it is not in either.
    let at = suite.find("OrderCancelled").position;
    let asked = state(&history, &format!("order/{ORDER}"), Some(Moment::At(at)));
    let asked = asked.expect("known");
    assert!(asked.history.iter().all(|line| line.position < at));
}

#[test]
fn a_torso_that_is_followed_by_something_else_is_a_finding() {
    for missing in [1, 2] {
        let mut suite = torn();
        suite.alter("OrderCancelled", |raw| raw.unit_remaining = missing);
        let household = ord::HouseholdRegistered {
            household_id: "H-3".into(),
            ..Default::default()
        };
        let at = suite.timer(vec![order(household)])[0].position;
        let report = verify(&suite.history());
        let findings = report.logs[0].findings.iter();
        let findings: Vec<_> = findings.map(|f| (f.kind, f.position)).collect();
        assert_eq!(
            findings,
            [(Kind::UnitBroken, Some(at))],
            "{missing} missing"
        );
        let broken = reconcile(&suite.history(), None).broken();
        assert!(broken.contains(&Invariant::LogContinuous));
    }
}

#[test]
fn a_note_that_voids_what_is_no_torso_is_a_finding() {
    let note = UnitVoided {
        from_position: 3,
        to_position: 4,
    };
    for mut suite in [day(), torn()] {
        let note = runtime(Service::Order, "unit", &note);
        let at = suite.timer(vec![note])[0].position;
        let report = verify(&suite.history());
        let findings = report.logs[0].findings.iter();
        let findings: Vec<_> = findings.map(|f| (f.kind, f.position)).collect();
        assert_eq!(findings, [(Kind::UnitBroken, Some(at))]);
        assert!(
            report.logs[0].findings[0]
                .detail
                .contains("positions 3 to 4 void")
        );
    }
}

#[test]
fn a_request_that_was_voided_may_be_carried_out_later() {
    let mut suite = voided();
    let request = |raw: &mut proto::record::Raw| {
        raw.cause = decider::Cause::Request {
            request_id: "r-again".into(),
            digest: [1; 16],
            record_count: 1,
        };
        raw.recorded = Timestamp(raw.recorded.0);
    };
    suite.alter("OrderCancelled", request);
    let registered = ord::HouseholdRegistered {
        household_id: "H-3".into(),
        ..Default::default()
    };
    let at = suite.timer(vec![order(registered)])[0];
    suite.alter_at(at, request);
    let report = verify(&suite.history());
    assert!(report.holds, "{:#?}", report.logs[0].findings);
}
