//! Photos: whose they are, how many, and when they go.

use decider::{Domain, Service};
use logistics_domain::*;
use proto::{
    AnyEvent, LogisticsEvent, NotificationEvent,
    logistics::v1::{PhotoErasure, PhotoFormat},
    notification::v1::ContactErased,
};

use crate::{
    haulage::*,
    world::{Spec, door, expect_parcel, hours},
};

const QUOTA: i64 = 10_000;

fn store(id: &str, content: u8) -> StorePhoto {
    StorePhoto {
        shipment_id: id.into(),
        carrier_id: "acme".into(),
        content_sha256: [content; 32],
        format: PhotoFormat::Jpeg,
        size_bytes: 100,
        delete_at: hours(90),
        household_id: None,
        order_id: None,
        quota_bytes: QUOTA,
    }
}

fn of_household(id: &str, content: u8, household_id: &str) -> StorePhoto {
    StorePhoto {
        household_id: Some(household_id.into()),
        ..store(id, content)
    }
}

fn accepted_load() -> (Spec, String) {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    (spec, id)
}

fn erasure(spec: &Spec, id: &str, content: u8) -> Option<PhotoErasure> {
    let shipment = shipment(spec, id);
    let photo = shipment.photo("acme", &[content; 32]);
    photo.expect("a photo").erased
}

fn erase_household(spec: &mut Spec, household_id: &str) -> Vec<LogisticsEvent> {
    let erased = ContactErased {
        household_id: household_id.into(),
    };
    let erased = AnyEvent::Notification(NotificationEvent::from(erased));
    let answers = spec.react(Service::Notification, erased);
    let events = answers.into_iter().map(|answer| answer.expect("accepted"));
    events.flatten().collect()
}

#[test]
fn a_photo_is_stored_once() {
    let (mut spec, id) = accepted_load();
    assert_eq!(spec.accept(store(&id, 1).into()).len(), 1);
    spec.when(store(&id, 1).into()).then([]);
    assert_eq!(shipment(&spec, &id).photos.len(), 1);
}

#[test]
fn it_goes_with_the_household_of_an_order_which_may_be_known_later() {
    let (mut spec, id) = accepted_load();
    let of_order = |order_id: &str, content| StorePhoto {
        order_id: Some(order_id.into()),
        ..store(&id, content)
    };
    let unknown = of_order("o-9", 1);
    assert_eq!(refused(&mut spec, unknown), "ORDER_UNKNOWN");
    spec.accept(of_order("o-1", 1).into());
    spec.accept(store(&id, 2).into());
    // Nobody knows yet whose order it is.
    assert_eq!(erase_household(&mut spec, "h-o-1"), []);
    expect_parcel(&mut spec, "o-1", &door("E1", "101"));
    assert_eq!(erase_household(&mut spec, "h-o-1").len(), 1);
    assert_eq!(erasure(&spec, &id, 1), Some(PhotoErasure::Household));
    assert_eq!(erasure(&spec, &id, 2), None);
    assert_eq!(erase_household(&mut spec, "h-o-1"), []);
}

#[test]
fn another_firms_shipment_and_one_not_accepted_take_none() {
    let mut spec = haulage();
    let id = drafted(&spec.accept(draft(one_farm())));
    assert_eq!(refused(&mut spec, store(&id, 1)), "SHIPMENT_STATE");
    let other = StorePhoto {
        carrier_id: "bolt".into(),
        ..store(&id, 1)
    };
    assert_eq!(refused(&mut spec, other), "SHIPMENT_UNKNOWN");
}

#[test]
fn a_firm_stores_so_much_in_a_day_and_more_on_the_next() {
    let (mut spec, id) = accepted_load();
    let large = StorePhoto {
        size_bytes: QUOTA - 99,
        ..store(&id, 1)
    };
    spec.accept(large.into());
    assert_eq!(refused(&mut spec, store(&id, 2)), "PHOTO_QUOTA_USED_UP");
    spec.context.now = hours(24);
    spec.accept(store(&id, 2).into());
}

#[test]
fn a_shipment_takes_so_many() {
    let (mut spec, id) = accepted_load();
    for content in (0..).take(PHOTOS_MAX) {
        spec.accept(store(&id, content).into());
    }
    assert_eq!(refused(&mut spec, store(&id, 200)), "SHIPMENT_FULL");
}

#[test]
fn it_goes_when_its_time_is_over_and_may_come_again() {
    let (mut spec, id) = accepted_load();
    spec.accept(store(&id, 1).into());
    let longer = StorePhoto {
        delete_at: hours(100),
        ..store(&id, 2)
    };
    spec.accept(longer.into());
    spec.elapse(hours(90));
    assert_eq!(erasure(&spec, &id, 1), Some(PhotoErasure::Retention));
    assert_eq!(erasure(&spec, &id, 2), None);
    spec.elapse(hours(100));
    assert_eq!(erasure(&spec, &id, 2), Some(PhotoErasure::Retention));
    assert_eq!(Logistics::next_due(&spec.state), None);
    let again = StorePhoto {
        delete_at: hours(200),
        ..store(&id, 1)
    };
    spec.context.now = hours(101);
    spec.accept(again.into());
    assert_eq!(erasure(&spec, &id, 1), None);
}

#[test]
fn it_goes_with_the_household_that_is_to_be_seen_in_it() {
    let (mut spec, id) = accepted_load();
    spec.accept(store(&id, 1).into());
    spec.accept(of_household(&id, 2, "h-1").into());
    spec.accept(of_household(&id, 3, "h-2").into());
    let revision = shipment(&spec, &id).revision;
    assert_eq!(erase_household(&mut spec, "h-1").len(), 1);
    assert_eq!(erasure(&spec, &id, 1), None);
    assert_eq!(erasure(&spec, &id, 2), Some(PhotoErasure::Household));
    assert_eq!(erasure(&spec, &id, 3), None);
    // The fact is not one of the shipment's stream.
    assert_eq!(shipment(&spec, &id).revision, revision);
    assert_eq!(erase_household(&mut spec, "h-1"), []);
    assert_eq!(erase_household(&mut spec, "h-9"), []);
}
