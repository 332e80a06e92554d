//! What the service's API reads.

use decider::spec::START;
use logistics_domain::*;
use proto::logistics::v1::{ParcelState, RunState};

use crate::world::*;

fn ids(page: &Page<'_, Parcel>) -> Vec<String> {
    page.items.iter().map(|p| p.order_id.to_string()).collect()
}

#[test]
fn parcels_of_a_checkpoint_are_counted_by_state() {
    let mut spec = team(&["m-1"]);
    ready(&mut spec, &[("a", door("E1", "1")), ("b", door("E1", "2"))]);
    expect_parcel(&mut spec, "c", &door("E1", "3"));
    assert_eq!(
        spec.state.parcel_counts(&area(), CP),
        [(ParcelState::Expected, 1), (ParcelState::Disinfected, 2)]
    );
    assert_eq!(
        describe(&spec, "checkpoint", CP).expect("known"),
        "parcels: [1 EXPECTED, 2 DISINFECTED]"
    );
}

#[test]
fn parcels_are_listed_in_the_order_of_the_doors_page_by_page() {
    let mut spec = team(&["m-1"]);
    for (id, at) in [("a", "10"), ("b", "9"), ("c", "1"), ("d", "11")] {
        expect_parcel(&mut spec, id, &door("E1", at));
    }
    let filter = ParcelFilter {
        checkpoint_id: Some(CP.into()),
        state: Some(ParcelState::Expected),
    };
    let first = spec.state.parcels(&area(), &filter, None, 2).expect("page");
    assert_eq!(ids(&first), ["c", "b"]);
    let next = first.next;
    assert_eq!(next.as_deref(), Some("b"));
    // The page goes on at the same door although that parcel moved on.
    spec.accept(receive(vec![receipt("b", &[])]).into());
    let rest = spec.state.parcels(&area(), &filter, next.as_deref(), 2);
    let rest = rest.expect("page");
    assert_eq!(ids(&rest), ["a", "d"]);
    assert_eq!(rest.next, None);
}

#[test]
fn without_a_filter_all_parcels_of_the_area_are_listed_by_checkpoint() {
    let mut spec = team(&["m-1"]);
    expect_parcel(&mut spec, "a", &door("E1", "2"));
    expect_parcel(&mut spec, "b", &door("E1", "1"));
    spec.accept(receive(vec![receipt("a", &[])]).into());
    let all = ParcelFilter::default();
    let page = spec.state.parcels(&area(), &all, None, 9).expect("page");
    assert_eq!(ids(&page), ["b", "a"]);
    let page = spec.state.parcels(&area(), &all, Some("b"), 9);
    assert_eq!(ids(&page.expect("page")), ["a"]);
    let elsewhere = decider::Area::new("321202002").expect("nine digits");
    let page = spec.state.parcels(&elsewhere, &all, None, 9).expect("page");
    assert!(page.items.is_empty());
}

#[test]
fn a_page_cannot_go_on_after_a_parcel_of_another_list() {
    let mut spec = team(&["m-1"]);
    expect_parcel(&mut spec, "a", &door("E1", "2"));
    let all = ParcelFilter::default();
    assert!(spec.state.parcels(&area(), &all, Some("x"), 9).is_none());
    let other = ParcelFilter {
        checkpoint_id: Some("cp-2".into()),
        state: None,
    };
    assert!(spec.state.parcels(&area(), &other, Some("a"), 9).is_none());
}

#[test]
fn runs_are_listed_by_member_checkpoint_and_state() {
    let (mut spec, run_id) = on_the_way(&[("a", door("E1", "1"))]);
    ready(&mut spec, &[("b", door("E2", "1"))]);
    let second = planned(&spec.accept(plan()))[0].run_id.clone();
    let list = |filter: &RunFilter, after: Option<&str>| {
        let page = spec.state.runs(&area(), filter, after, 9);
        page.items
            .iter()
            .map(|r| r.run_id.clone())
            .collect::<Vec<_>>()
    };
    let all = RunFilter::default();
    assert_eq!(list(&all, None).len(), 2);
    let started = RunFilter {
        checkpoint_id: Some(CP.into()),
        member_id: Some("m-1".into()),
        state: Some(RunState::Started),
    };
    assert_eq!(list(&started, None), std::slice::from_ref(&run_id));
    assert!(list(&started, Some(&run_id)).is_empty());
    let by_checkpoint = RunFilter {
        checkpoint_id: Some(CP.into()),
        state: Some(RunState::Planned),
        ..RunFilter::default()
    };
    assert_eq!(list(&by_checkpoint, None), [second]);
    let elsewhere = RunFilter {
        checkpoint_id: Some("cp-2".into()),
        member_id: Some("m-1".into()),
        state: None,
    };
    assert!(list(&elsewhere, None).is_empty());
    assert_eq!(spec.state.runs(&area(), &all, None, 1).next, Some(run_id));
}

#[test]
fn messages_show_what_the_state_knows() {
    let (mut spec, run_id) = on_the_way(&[("a", door("E1", "1"))]);
    spec.accept(place(&run_id, "a"));
    spec.accept(leave(&run_id, "a"));
    let message = run(&spec, &run_id).to_message();
    assert_eq!(message.undisinfected_entrances, ["G1/B1/E1"]);
    assert_eq!(message.revision, 2);
    let message = parcel(&spec, "a").to_message();
    assert_eq!(message.state(), ParcelState::Left);
    assert_eq!((message.revision, message.attempts), (5, 1));
    assert_eq!(message.run_id, run_id);

    let member = spec.state.roster(&area()).next().expect("one");
    let status = member.to_message(hours(1), START);
    assert!(status.on_shift);
    assert_eq!(status.shifts.len(), 1);
    assert_eq!((status.delivered_stops, status.carried_grams), (1, 20_000));
    assert!(member.to_message(hours(9), hours(9)).shifts.is_empty());

    let counts = spec.state.parcel_counts(&area(), CP);
    let checkpoint = spec.state.checkpoint(&area(), CP).expect("known");
    assert_eq!(checkpoint.to_message(&counts).parcels[0].parcels, 1);
}

#[test]
fn every_kind_of_stream_is_described_in_codes_and_numbers() {
    let (spec, run_id) = on_the_way(&[("a", door("E1", "1"))]);
    assert_eq!(
        describe(&spec, "parcel", "a").expect("known"),
        format!("OUT_FOR_DELIVERY, with member/m-1, 3 bags of 20000 g, attempt 1, run {run_id}")
    );
    assert_eq!(
        describe(&spec, "run", &run_id).expect("known"),
        "STARTED, trip 1 of m-1, 1 stops of 20000 g, 1 open"
    );
    assert_eq!(
        describe(&spec, "member", "m-1").expect("known"),
        "1 shifts, 0 absences; 0 runs completed, 0 doors served, 20000 g carried"
    );
    assert_eq!(describe(&spec, "parcel", "x"), None);
    assert_eq!(describe(&spec, "order", "a"), None);
}
