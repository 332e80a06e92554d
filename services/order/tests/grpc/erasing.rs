//! INV-15: an erasure is recorded, completed whatever happens in between, shown
//! by every view, and leaves every record as it was.

use std::path::Path;

use proto::{
    OrderEvent,
    log::v1::ReadRequest,
    order::v1::{
        EraseHouseholdRequest, GetHouseholdRequest, GetOrderRequest, Household,
        ListHouseholdsRequest,
    },
};
use sha2::{Digest, Sha256};
use tonic::Code;

use crate::{
    ask,
    desk::{Desk, ok, refused},
};

fn erase(request_id: &str, household_id: &str) -> EraseHouseholdRequest {
    EraseHouseholdRequest {
        request_id: request_id.into(),
        area: ask::AREA.into(),
        household_id: household_id.into(),
        reason: "MOVED_AWAY".into(),
        force: false,
    }
}

async fn get(desk: &mut Desk, household_id: &str) -> Household {
    let request = GetHouseholdRequest {
        area: ask::AREA.into(),
        household_id: household_id.into(),
        ..GetHouseholdRequest::default()
    };
    let answer = ok(desk.client.get_household(request).await);
    answer.household.expect("a household")
}

/// Waits until the key is known to be gone.
async fn key_destroyed(desk: &mut Desk, household_id: &str) {
    desk.recorded(|record| match &record.event {
        OrderEvent::PersonalDataKeyDestroyed(event) if event.household_id == household_id => {
            Some(())
        }
        _ => None,
    })
    .await;
}

/// The bytes of all records so far.
async fn records(desk: &mut Desk) -> Vec<Vec<u8>> {
    let mut parts = ok(desk.log.read(ReadRequest::default()).await);
    let mut all = Vec::new();
    while let Some(part) = parts.message().await.expect("a part") {
        all.extend(part.records.into_iter().map(|record| record.to_vec()));
    }
    all
}

/// As the bucket holds the household's key.
async fn wrapping(desk: &Desk, key_id: &str) -> Option<Vec<u8>> {
    let bucket = desk.bus().await.key_bucket("BAOGONG_KEYS").await;
    let name: String = Sha256::digest(key_id.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let value = bucket.expect("a bucket").get(&name).await;
    value.expect("reachable").map(|value| value.to_vec())
}

fn on_disk(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            return on_disk(&path, bytes);
        }
        let content = std::fs::read(&path).unwrap_or_default();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[tokio::test]
async fn an_erasure_destroys_the_key_and_every_view_says_so() {
    let mut desk = Desk::with_households(&["H1", "H2"]).await;
    let sealed = get(&mut desk, "H1").await.contact.expect("a contact");
    assert_eq!(sealed.key_id, format!("household/{}/H1", ask::AREA));
    let key = wrapping(&desk, &sealed.key_id).await.expect("a key");
    let nats = desk.directory.path().join("nats");
    assert!(on_disk(&nats, &key), "nothing can be found");
    let before = records(&mut desk).await;

    let answer = ok(desk.client.erase_household(erase("e1", "H1")).await);
    assert!(answer.personal_data_erased_time.is_some());
    assert_eq!(answer.open_orders, 0);
    key_destroyed(&mut desk, "H1").await;

    let household = get(&mut desk, "H1").await;
    assert_eq!(household.contact, None);
    assert_eq!(
        household.personal_data_erased_time,
        answer.personal_data_erased_time
    );
    assert!(household.personal_data_key_destroyed_time.is_some());
    assert!(!household.needs.is_empty(), "what is not personal stays");
    let list = ListHouseholdsRequest {
        area: ask::AREA.into(),
        ..ListHouseholdsRequest::default()
    };
    let listed = ok(desk.client.list_households(list).await).households;
    let erased: Vec<bool> = listed
        .iter()
        .map(|household| household.personal_data_erased_time.is_some())
        .collect();
    assert_eq!(erased, [true, false]);
    assert!(!on_disk(&nats, &key));
    let mark = wrapping(&desk, &sealed.key_id).await;
    assert_eq!(mark.as_deref(), Some(&b"erased"[..]));

    // Proofs rest on the records' bytes.
    let after = records(&mut desk).await;
    assert_eq!(after[..before.len()], before);
    assert_eq!(after.len(), before.len() + 2);

    // An order by telephone is possible, and its view says it as well.
    let placed = ok(desk.client.place_order(ask::place("p1", "H1")).await);
    let order = GetOrderRequest {
        area: ask::AREA.into(),
        order_id: placed.order_id,
        ..GetOrderRequest::default()
    };
    let order = ok(desk.client.get_order(order).await).order.expect("known");
    assert_eq!(
        order.personal_data_erased_time,
        answer.personal_data_erased_time
    );
}

#[tokio::test]
async fn again_it_is_answered_as_before_and_nothing_new_is_recorded() {
    let mut desk = Desk::with_households(&["H1"]).await;
    let first = ok(desk.client.erase_household(erase("e1", "H1")).await);
    key_destroyed(&mut desk, "H1").await;
    let repeated = ok(desk.client.erase_household(erase("e1", "H1")).await);
    assert_eq!(repeated, first);
    let count = records(&mut desk).await.len();
    let anew = ok(desk.client.erase_household(erase("e2", "H1")).await);
    assert_eq!(
        anew.personal_data_erased_time,
        first.personal_data_erased_time
    );
    desk.start_again().await;
    let restarted = ok(desk.client.erase_household(erase("e1", "H1")).await);
    assert_eq!(restarted, first);
    // The no-op is remembered by the runtime; the household's stream is as it was.
    assert!(records(&mut desk).await.len() <= count + 1);
    assert_eq!(get(&mut desk, "H1").await.revision, 3);
}

#[tokio::test]
async fn what_cannot_be_erased_is_refused_with_what_to_do() {
    let mut desk = Desk::with_households(&["H1"]).await;
    refused(desk.client.erase_household(erase("e1", "H9")).await).is(
        Code::NotFound,
        "HOUSEHOLD_UNKNOWN",
        &["H9"],
    );
    let elsewhere = EraseHouseholdRequest {
        area: ask::OTHER_AREA.into(),
        ..erase("e2", "H1")
    };
    refused(desk.client.erase_household(elsewhere).await).is(
        Code::NotFound,
        "HOUSEHOLD_UNKNOWN",
        &["H1", ask::OTHER_AREA],
    );
    for reason in ["", "moved", "MOVED AWAY", "1ST", &"A".repeat(65)] {
        let wordy = EraseHouseholdRequest {
            reason: reason.into(),
            ..erase("e3", "H1")
        };
        refused(desk.client.erase_household(wordy).await).is_for(&["reason"], &["MOVED_AWAY"]);
    }
    let placed = ok(desk.client.place_order(ask::place("p1", "H1")).await);
    refused(desk.client.erase_household(erase("e4", "H1")).await).is(
        Code::FailedPrecondition,
        "GOODS_UNDER_WAY",
        &["H1", &placed.order_id, "force"],
    );
    let forced = EraseHouseholdRequest {
        force: true,
        ..erase("e5", "H1")
    };
    let forced = ok(desk.client.erase_household(forced).await);
    assert_eq!(forced.open_orders, 1);
}

#[tokio::test]
async fn nothing_is_sealed_for_the_household_any_more() {
    let mut desk = Desk::with_households(&["H1"]).await;
    ok(desk.client.erase_household(erase("e1", "H1")).await);
    key_destroyed(&mut desk, "H1").await;
    // What was answered before the erasure is answered so again.
    let repeated = ok(desk.client.register_household(ask::register("H1")).await);
    assert_eq!(repeated.household_id, "H1");

    let mut anew = ask::register("H1");
    anew.request_id = "anew".into();
    let answer = desk.client.register_household(anew).await;
    let erased = (Code::FailedPrecondition, "PERSONAL_DATA_ERASED");
    refused(answer).is(erased.0, erased.1, &["H1", "another id"]);
    let mut update = ask::update("update", "H1", &[]);
    update.contact = Some(ask::contact());
    let answer = desk.client.update_household(update).await;
    refused(answer).is(erased.0, erased.1, &["H1"]);
    // Not under the barred name of a household that the log does not know.
    let keys = desk.key_ring().await;
    keys.destroy(&format!("household/{}/H7", ask::AREA))
        .await
        .expect("barred");
    let answer = desk.client.register_household(ask::register("H7")).await;
    refused(answer).is(erased.0, erased.1, &["H7"]);
}

/// Does not wait long for NATS when it ends.
async fn hasty() -> Desk {
    let mut desk = Desk::start_with(|service| service.shutdown_grace_ms = 200).await;
    desk.register("H1").await;
    desk
}

/// The service is stopped as soon as the erasure is recorded, with NATS away:
/// nothing could be destroyed.
#[tokio::test]
async fn an_erasure_that_was_interrupted_is_completed_after_the_restart() {
    let mut desk = hasty().await;
    let sealed = get(&mut desk, "H1").await.contact.expect("a contact");
    let key = wrapping(&desk, &sealed.key_id).await.expect("a key");
    desk.nats.kill();
    ok(desk.client.erase_household(erase("e1", "H1")).await);
    let household = get(&mut desk, "H1").await;
    assert!(household.personal_data_erased_time.is_some());
    assert_eq!(household.personal_data_key_destroyed_time, None);
    assert_eq!(household.contact, None, "it is not shown while pending");
    assert_eq!(desk.pending_work().await, 1);
    desk.stop().await;

    desk.nats.restart().expect("NATS is back");
    let nats = desk.directory.path().join("nats");
    assert!(on_disk(&nats, &key), "the key was not destroyed yet");
    desk.start_anew().await;
    key_destroyed(&mut desk, "H1").await;
    assert!(!on_disk(&nats, &key));
    assert_eq!(desk.pending_work().await, 0);
}

/// The process ends between the destruction and its record.
#[tokio::test]
async fn a_key_that_is_gone_already_is_recorded_as_gone() {
    let mut desk = hasty().await;
    let sealed = get(&mut desk, "H1").await.contact.expect("a contact");
    desk.nats.kill();
    ok(desk.client.erase_household(erase("e1", "H1")).await);
    desk.stop().await;
    desk.nats.restart().expect("NATS is back");
    let keys = desk.key_ring().await;
    keys.destroy(&sealed.key_id).await.expect("destroyed");
    desk.start_anew().await;
    key_destroyed(&mut desk, "H1").await;
}

#[tokio::test]
async fn a_key_that_a_restored_bucket_brought_back_is_destroyed_again() {
    let mut desk = Desk::with_households(&["H1", "H2"]).await;
    let sealed = get(&mut desk, "H1").await.contact.expect("a contact");
    let key = wrapping(&desk, &sealed.key_id).await.expect("a key");
    ok(desk.client.erase_household(erase("e1", "H1")).await);
    key_destroyed(&mut desk, "H1").await;
    desk.stop().await;
    let bucket = desk.bus().await.key_bucket("BAOGONG_KEYS").await;
    let name: String = Sha256::digest(sealed.key_id.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let bucket = bucket.expect("a bucket");
    bucket
        .overwrite(&name, key.clone().into())
        .await
        .expect("restored");
    let keys = desk.key_ring().await;
    assert!(
        keys.open_sealed(&sealed)
            .await
            .expect("reachable")
            .is_some()
    );

    desk.start_anew().await;
    // The old ones are looked through before a new one is taken up.
    ok(desk.client.erase_household(erase("e2", "H2")).await);
    key_destroyed(&mut desk, "H2").await;
    let mark = bucket.get(&name).await.expect("reachable");
    assert_eq!(mark.as_deref(), Some(&b"erased"[..]));
    keys.forget(&sealed.key_id);
    assert_eq!(keys.open_sealed(&sealed).await.expect("reachable"), None);
}
