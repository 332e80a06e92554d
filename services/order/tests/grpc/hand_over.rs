//! S02: one cadre hands households over to another.

use proto::order::v1::{HandOverHouseholdsResponse, ListHouseholdsRequest};
use tonic::Code;

use crate::{
    ask::{self, AREA, CADRE},
    desk::{Desk, ok, refused},
};

async fn with(desk: &mut Desk, cadre_id: &str) -> Vec<String> {
    let request = ListHouseholdsRequest {
        area: AREA.into(),
        cadre_id: cadre_id.into(),
        ..ListHouseholdsRequest::default()
    };
    let households = ok(desk.client.list_households(request).await).households;
    households.into_iter().map(|h| h.household_id).collect()
}

fn counts(answer: &HandOverHouseholdsResponse) -> (i32, i32) {
    (answer.handed_over_households, answer.remaining_households)
}

#[tokio::test]
async fn some_or_all_of_a_cadres_households_are_handed_over() {
    let mut desk = Desk::with_households(&["H1", "H2", "H3"]).await;
    let mut some = ask::hand_over("r1", "cadre-2");
    some.household_ids = vec!["H2".into()];
    let answer = ok(desk.client.hand_over_households(some).await);
    assert_eq!(counts(&answer), (1, 0));
    assert_eq!(with(&mut desk, CADRE).await, ["H1", "H3"]);
    assert_eq!(with(&mut desk, "cadre-2").await, ["H2"]);

    let all = ok(desk
        .client
        .hand_over_households(ask::hand_over("r2", "cadre-3"))
        .await);
    assert_eq!(counts(&all), (2, 0));
    assert_eq!(with(&mut desk, "cadre-3").await, ["H1", "H3"]);
    let nobody = ok(desk
        .client
        .hand_over_households(ask::hand_over("r3", "cadre-3"))
        .await);
    assert_eq!(counts(&nobody), (0, 0));
}

#[tokio::test]
async fn many_are_handed_over_by_asking_again_and_a_repeat_tells_the_same() {
    let mut desk = Desk::start().await;
    for n in 0..103 {
        desk.register(&format!("H{n:03}")).await;
    }
    let [r1, r2] = ["r1", "r2"].map(|id| ask::hand_over(id, "cadre-2"));
    let first = ok(desk.client.hand_over_households(r1.clone()).await);
    assert_eq!(counts(&first), (100, 3));
    let second = ok(desk.client.hand_over_households(r2.clone()).await);
    assert_eq!(counts(&second), (3, 0));
    for life in ["first", "second"] {
        let again = ok(desk.client.hand_over_households(r1.clone()).await);
        assert_eq!(again, first, "{life} life");
        let again = ok(desk.client.hand_over_households(r2.clone()).await);
        assert_eq!(again, second, "{life} life");
        desk.start_again().await;
    }
}

#[tokio::test]
async fn what_cannot_be_handed_over_is_named() {
    let mut desk = Desk::with_households(&["H1"]).await;
    let same = refused(
        desk.client
            .hand_over_households(ask::hand_over("r1", CADRE))
            .await,
    );
    same.is(Code::InvalidArgument, "SAME_CADRE", &[CADRE]);
    let mut others = ask::hand_over("r2", "cadre-2");
    others.from_cadre_id = "cadre-9".into();
    others.household_ids = vec!["H1".into()];
    let refusal = refused(desk.client.hand_over_households(others).await);
    refusal.is(
        Code::FailedPrecondition,
        "HOUSEHOLD_OF_OTHER_CADRE",
        &["H1", "cadre-9", CADRE],
    );
    let mut wrong = ask::hand_over("r3", "");
    wrong.household_ids = vec!["H1".into(); 101];
    wrong.reason = String::new();
    let refusal = refused(desk.client.hand_over_households(wrong).await);
    refusal.is_for(
        &["household_ids", "to_cadre_id", "reason"],
        &["101 entries"],
    );
    assert_eq!(with(&mut desk, CADRE).await, ["H1"]);
}
