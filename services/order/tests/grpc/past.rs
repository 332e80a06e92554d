//! Answers of now, of a moment that was, and of one that is still to come.

use decider::spec::START;
use proto::{
    admin::v1::AdvanceClockRequest,
    order::v1::{
        GetCoverageRequest, GetCoverageResponse, ListMissedHouseholdsRequest,
        RegisterHouseholdRequest, get_coverage_request::AsOf,
        list_missed_households_request::AsOf as MissedAsOf,
    },
    time::to_proto,
};
use service_kit::config::ClockKind;
use tonic::Code;

use crate::{
    ask::{self, AREA},
    desk::{Desk, ok, refused, to},
    logistics::Logistics,
};

fn coverage(as_of: Option<AsOf>) -> GetCoverageRequest {
    GetCoverageRequest {
        area: AREA.into(),
        min_position: 0,
        as_of,
    }
}

/// Who is in need, and who of them is served: in all, and in each row.
fn figures(answer: &GetCoverageResponse) -> Vec<(String, i64, i64)> {
    let total = answer.total.as_ref().expect("a total");
    [total]
        .into_iter()
        .chain(&answer.rows)
        .map(|row| {
            let place = format!("{}/{}", row.community, row.grid);
            (place, row.in_need_households, row.served_households)
        })
        .collect()
}

fn row(place: &str, in_need: i64, served: i64) -> (String, i64, i64) {
    (place.to_owned(), in_need, served)
}

#[tokio::test]
async fn coverage_is_told_of_now_and_of_any_earlier_position_and_time() {
    let mut desk = Desk::with_households(&["H1", "H2"]).await;
    let logistics = Logistics::start(&desk).await;
    let before = ok(desk.client.activate_contingency(ask::activate()).await).position;
    let order = ok(desk.client.place_order(ask::place("r1", "H1")).await).order_id;

    desk.advance_to_minute(60).await;
    let third = RegisterHouseholdRequest {
        door: Some(ask::door("G02", "101")),
        ..ask::register("H3")
    };
    ok(desk.client.register_household(third).await);
    let delivered = logistics.serve(&mut desk, &order).await;

    let mut ask = async |as_of| ok(desk.client.get_coverage(coverage(as_of)).await);
    let earlier = [
        row("/", 2, 0),
        row("zhichaka/", 2, 0),
        row("zhichaka/G01", 2, 0),
    ];
    let later = [
        row("/", 3, 1),
        row("zhichaka/", 3, 1),
        row("zhichaka/G01", 2, 1),
        row("zhichaka/G02", 1, 0),
    ];
    let now = ask(None).await;
    assert_eq!(figures(&now), later);
    assert_eq!(now.total.as_ref().expect("a total").rate_basis_points, 3333);
    assert!(now.as_of_position >= delivered.position.0);
    assert_eq!(now.as_of_time, Some(to_proto(START.plus_minutes(60))));

    let then = ask(Some(AsOf::Position(before))).await;
    assert_eq!(figures(&then), earlier);
    assert_eq!(then.as_of_position, before);
    let then = ask(Some(AsOf::Time(to_proto(START.plus_minutes(59))))).await;
    assert_eq!(figures(&then), earlier);
    // A moment includes what was recorded at it.
    let then = ask(Some(AsOf::Time(to_proto(START.plus_minutes(60))))).await;
    assert_eq!(figures(&then), later);
    let then = ask(Some(AsOf::Position(delivered.position.0))).await;
    assert_eq!(figures(&then), later);
    let then = ask(Some(AsOf::Position(before - 1))).await;
    assert_eq!(figures(&then)[0], row("/", 0, 0), "no contingency yet");

    let missed = async |desk: &mut Desk, as_of| {
        let request = ListMissedHouseholdsRequest {
            area: AREA.into(),
            as_of,
            ..ListMissedHouseholdsRequest::default()
        };
        let missed = ok(desk.client.list_missed_households(request).await).households;
        let doors = missed.into_iter().map(|m| (m.household_id, m.reason));
        doors.collect::<Vec<_>>()
    };
    let no_order = |id: &str| (id.to_owned(), "NO_ORDER".to_owned());
    assert_eq!(
        missed(&mut desk, None).await,
        [no_order("H2"), no_order("H3")]
    );
    assert_eq!(
        missed(&mut desk, Some(MissedAsOf::Position(before))).await,
        [no_order("H1"), no_order("H2")]
    );
}

#[tokio::test]
async fn a_position_that_is_not_recorded_is_named() {
    let mut desk = Desk::with_households(&["H1"]).await;
    let refusal = refused(
        desk.client
            .get_coverage(coverage(Some(AsOf::Position(1_000_000))))
            .await,
    );
    refusal.is(
        Code::OutOfRange,
        "POSITION_NOT_RECORDED",
        &["position 1000000", "the last is 1"],
    );
    let missed = ListMissedHouseholdsRequest {
        area: AREA.into(),
        as_of: Some(MissedAsOf::Position(u64::MAX)),
        ..ListMissedHouseholdsRequest::default()
    };
    let refusal = refused(desk.client.list_missed_households(missed).await);
    refusal.is(
        Code::OutOfRange,
        "POSITION_NOT_RECORDED",
        &[&u64::MAX.to_string()],
    );
}

#[tokio::test]
async fn a_position_far_ahead_is_waited_for_but_not_for_long() {
    let mut desk = Desk::start_with(|service| service.query_wait_ms = 100).await;
    desk.register("H1").await;
    let mut far = ask::get_order("O1");
    far.min_position = 1_000_000;
    let refusal = refused(desk.client.get_order(far).await);
    refusal.is(Code::Unavailable, "NOT_YET", &["1000000", "at position 1"]);
    let retry_after = refusal.retry_after.expect("RetryInfo");
    assert!(!retry_after.is_zero());
}

#[tokio::test]
async fn a_query_waits_for_the_position_that_the_caller_has_heard_of() {
    let mut desk = Desk::with_households(&["H1"]).await;
    let mut reader = desk.client.clone();
    let early = tokio::spawn(async move {
        let mut ask = coverage(None);
        // The registration, the order and its release.
        ask.min_position = 3;
        ok(reader.get_coverage(ask).await).as_of_position
    });
    let placed = ok(desk.client.place_order(ask::place("r1", "H1")).await);
    assert_eq!(placed.position, 3);
    assert!(early.await.expect("answered") >= placed.position);
}

#[tokio::test]
async fn only_a_test_clock_is_advanced_and_only_forward() {
    let mut desk = Desk::start_with(|service| service.clock = ClockKind::System).await;
    let refusal = refused(desk.admin.advance_clock(to(START)).await);
    refusal.is(
        Code::FailedPrecondition,
        "SYSTEM_CLOCK",
        &["system clock", "`test`"],
    );

    let mut desk = Desk::start().await;
    let nowhere = AdvanceClockRequest { to: None };
    refused(desk.admin.advance_clock(nowhere).await).is_for(&["to"], &["is needed"]);
    desk.advance_to_minute(10).await;
    let back = ok(desk.admin.advance_clock(to(START)).await);
    assert_eq!(back.now, Some(to_proto(START.plus_minutes(10))));
    // The clock stands there in the next life, too.
    desk.start_again().await;
    let still = ok(desk.admin.advance_clock(to(START)).await);
    assert_eq!(still.now, Some(to_proto(START.plus_minutes(10))));
}
