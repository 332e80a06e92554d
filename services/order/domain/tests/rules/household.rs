//! S02.

use decider::{EventSet, Rejected};
use order_domain::{Command, HAND_OVER_HOUSEHOLDS_MAX, HouseholdId, Rejection, SealedContact};
use proto::{
    OrderEvent,
    order::v1::{HouseholdRegistered, HouseholdUpdated},
    types::v1::Need,
};

use crate::given::*;

fn hand_over(from: &str, to: &str, chosen: &[&str]) -> Command {
    Command::HandOverHouseholds {
        from_cadre_id: from.into(),
        to_cadre_id: to.into(),
        household_ids: chosen.iter().map(|id| HouseholdId::from(*id)).collect(),
        reason: "absent".into(),
    }
}

fn update(id: &str) -> Command {
    Command::UpdateHousehold {
        household_id: id.into(),
        contact: None,
        needs: None,
    }
}

#[test]
fn a_household_is_registered() {
    OrderSpec::given([])
        .when(Command::RegisterHousehold(register("H1")))
        .then([household("H1")]);
}

#[test]
fn needs_are_kept_sorted_and_once() {
    let mut asked = register("H1");
    asked.needs = vec![Need::NoSmartphone, Need::Elderly, Need::NoSmartphone];
    let mut spec = OrderSpec::given([]);
    let events = spec.accept(Command::RegisterHousehold(asked));
    let OrderEvent::HouseholdRegistered(HouseholdRegistered { needs, .. }) = &events[0] else {
        panic!("{events:?}");
    };
    assert_eq!(needs, &[1, 2]);
}

#[test]
fn the_same_household_again_is_already_so() {
    OrderSpec::given([household("H1")])
        .when(Command::RegisterHousehold(register("H1")))
        .then([]);
}

#[test]
fn an_id_is_not_given_to_another_household() {
    let mut other = register("H1");
    other.people = 4;
    let refusal = Rejection::HouseholdExists {
        household_id: "H1".into(),
    };
    let mut spec = OrderSpec::given([household("H1")]);
    spec.when(Command::RegisterHousehold(other))
        .then_rejected(refusal.clone());
    // Nor to the same door in another area: streams go by the id.
    spec.context.area = decider::Area::new("632725101").expect("nine digits");
    spec.when(Command::RegisterHousehold(register("H1")))
        .then_rejected(refusal);
}

#[test]
fn needs_and_contact_are_updated() {
    let mut spec = OrderSpec::given([household("H1")]);
    let events = spec.accept(Command::UpdateHousehold {
        household_id: "H1".into(),
        contact: Some(sealed("new")),
        needs: Some(vec![]),
    });
    let expected: OrderEvent = HouseholdUpdated {
        household_id: "H1".into(),
        contact: Some(sealed("new")),
        needs: vec![],
        needs_changed: true,
    }
    .into();
    assert_eq!(events, [expected]);
    let household = spec.state.household(&area(), "H1").expect("known");
    let contact = household.contact.as_ref().map(SealedContact::to_sealed);
    assert_eq!(contact, Some(sealed("new")));
    assert!(household.needs.is_empty());
    assert_eq!(household.revision.0, 2);
}

#[test]
fn an_update_that_changes_nothing_is_already_so() {
    let spec = OrderSpec::given([household("H1")]);
    spec.when(update("H1")).then([]);
    spec.when(Command::UpdateHousehold {
        household_id: "H1".into(),
        contact: Some(sealed("contact")),
        needs: Some(vec![Need::Elderly]),
    })
    .then([]);
}

#[test]
fn an_unknown_household_is_not_updated() {
    OrderSpec::given([])
        .when(update("H9"))
        .then_rejected(Rejection::HouseholdUnknown {
            household_id: "H9".into(),
            area: area(),
        });
}

#[test]
fn all_households_of_a_cadre_are_handed_over() {
    let mut spec = OrderSpec::given([household("H1"), household("H2")]);
    let events = spec.accept(hand_over("C1", "C2", &[]));
    assert_eq!(
        events,
        [handed_over("H1", "C1", "C2"), handed_over("H2", "C1", "C2")]
    );
    assert_eq!(
        spec.state.households_still_with(&area(), &"C1".into(), &[]),
        0
    );
    assert_eq!(
        spec.state.households_still_with(&area(), &"C2".into(), &[]),
        2
    );
}

#[test]
fn chosen_ones_are_handed_over_and_those_moved_already_are_passed_over() {
    OrderSpec::given([
        household("H1"),
        household("H2"),
        household("H3"),
        handed_over("H2", "C1", "C2"),
    ])
    .when(hand_over("C1", "C2", &["H3", "H2", "H3"]))
    .then([handed_over("H3", "C1", "C2")]);
}

#[test]
fn a_household_of_a_third_cadre_is_not_handed_over() {
    OrderSpec::given([
        household("H1"),
        household("H2"),
        handed_over("H2", "C1", "C3"),
    ])
    .when(hand_over("C1", "C2", &["H1", "H2"]))
    .then_rejected(Rejection::HouseholdOfOtherCadre {
        household_id: "H2".into(),
        from_cadre_id: "C1".into(),
        cadre_id: "C3".into(),
    });
}

#[test]
fn a_hand_over_names_known_households_and_another_cadre() {
    let spec = OrderSpec::given([household("H1")]);
    spec.when(hand_over("C1", "C2", &["H9"]))
        .then_rejected(Rejection::HouseholdUnknown {
            household_id: "H9".into(),
            area: area(),
        });
    spec.when(hand_over("C1", "C1", &[]))
        .then_rejected(Rejection::SameCadre {
            cadre_id: "C1".into(),
        });
}

#[test]
fn a_cadre_without_households_has_nothing_to_hand_over() {
    OrderSpec::given([household("H1")])
        .when(hand_over("C9", "C2", &[]))
        .then([]);
}

#[test]
fn a_large_hand_over_goes_in_portions_and_says_what_remains() {
    let mut spec = OrderSpec::given((0..230).map(|n| household(&format!("H{n:03}"))));
    let remaining = |spec: &OrderSpec| spec.state.households_still_with(&area(), &"C1".into(), &[]);
    let mut moved = Vec::new();
    while remaining(&spec) > 0 {
        moved.push(spec.accept(hand_over("C1", "C2", &[])).len());
    }
    assert!(moved.iter().all(|n| *n <= HAND_OVER_HOUSEHOLDS_MAX));
    assert_eq!(moved.iter().sum::<usize>(), 230);
    assert!(moved.len() <= 4, "{moved:?}");
}

#[test]
fn a_chosen_list_longer_than_a_portion_is_finished_by_asking_again() {
    let ids: Vec<String> = (0..150).map(|n| format!("H{n:03}")).collect();
    let chosen: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut spec = OrderSpec::given(ids.iter().map(|id| household(id)));
    let first = spec.accept(hand_over("C1", "C2", &chosen)).len();
    let second = spec.accept(hand_over("C1", "C2", &chosen)).len();
    assert_eq!(first + second, 150);
    spec.when(hand_over("C1", "C2", &chosen)).then([]);
}

#[test]
fn the_events_of_a_hand_over_stay_small_also_with_long_texts() {
    let long = "保".repeat(200);
    let ids = (0..100).map(|n| format!("{n:064}"));
    let mut spec = OrderSpec::given(ids.map(|id| household(&id)));
    let events = spec.accept(Command::HandOverHouseholds {
        from_cadre_id: "C1".into(),
        to_cadre_id: "C2".into(),
        household_ids: vec![],
        reason: long,
    });
    let bytes: usize = events.iter().map(|event| event.encode().len()).sum();
    assert!(!events.is_empty() && bytes < 48 * 1024, "{bytes}");
}

#[test]
fn a_refusal_says_what_to_do() {
    let refusal = Rejection::HouseholdUnknown {
        household_id: "H9".into(),
        area: area(),
    };
    assert_eq!(
        refusal.to_string(),
        "household H9 is not known in area 632725100: register it, or check the id"
    );
    assert_eq!(refusal.reason(), "HOUSEHOLD_UNKNOWN");
}
