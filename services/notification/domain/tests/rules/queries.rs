//! What the lists show.

use decider::{Revision, Service};
use notification_domain::{CallOutcome, Filter, Kind, Phase};

use crate::fixtures::*;

/// Three deliveries: H1 is telephoned, H2 messaged, H3 visited.
fn three() -> Story {
    use proto::types::v1::Need;
    let mut story = Story::given([contact("H1", &[Need::NoSmartphone]), contact("H2", &[])]);
    for (order, household) in [("O1", "H1"), ("O2", "H2"), ("O3", "H3")] {
        react(&mut story, Service::Logistics, door_left(order, household));
        story.context.now = story.context.now.plus_seconds(1);
    }
    react(&mut story, Service::Order, order_failed("O9"));
    story
}

fn orders(story: &Story, filter: &Filter) -> Vec<String> {
    story
        .state
        .list(filter, None, 100)
        .into_iter()
        .map(|n| n.order_id.clone())
        .collect()
}

#[test]
fn lists_are_filtered_by_every_field() {
    let story = three();
    let all = Filter::default();
    assert_eq!(orders(&story, &all), ["O1", "O2", "O3", "O9"]);
    let cases = [
        (
            Filter {
                phase: Some(Phase::CallTaskOpen),
                ..all.clone()
            },
            vec!["O1", "O9"],
        ),
        (
            Filter {
                phase: Some(Phase::VisitOpen),
                ..all.clone()
            },
            vec!["O3"],
        ),
        (
            Filter {
                phase: Some(Phase::Closed),
                ..all.clone()
            },
            vec![],
        ),
        (
            Filter {
                kind: Some(Kind::GoodsAtDoor),
                ..all.clone()
            },
            vec!["O1", "O2", "O3"],
        ),
        (
            Filter {
                household_id: Some("H1".into()),
                ..all.clone()
            },
            vec!["O1", "O9"],
        ),
        (
            Filter {
                order_id: Some("O2".into()),
                ..all.clone()
            },
            vec!["O2"],
        ),
        (
            Filter {
                order_id: Some("O7".into()),
                ..all.clone()
            },
            vec![],
        ),
        (
            Filter {
                cadre_id: Some("cadre-1".into()),
                phase: Some(Phase::VisitOpen),
                ..all.clone()
            },
            vec!["O3"],
        ),
        (
            Filter {
                cadre_id: Some("cadre-2".into()),
                ..all.clone()
            },
            vec![],
        ),
        (
            Filter {
                area: Some(area()),
                ..all.clone()
            },
            vec!["O1", "O2", "O3", "O9"],
        ),
        (
            Filter {
                area: Some(elsewhere()),
                ..all
            },
            vec![],
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(orders(&story, &filter), expected, "{filter:?}");
    }
    assert_eq!(story.state.count(Phase::CallTaskOpen), 2);
    assert_eq!(story.state.count(Phase::Closed), 0);
}

#[test]
fn pages_follow_each_other_without_gap_while_the_list_changes() {
    let mut story = three();
    let filter = Filter::default();
    let first = story.state.list(&filter, None, 2);
    assert_eq!(first.len(), 2);
    let last = first[1].notification_id.to_string();
    story.accept(acknowledge_order("O2"));
    react(&mut story, Service::Logistics, door_left("O4", "H2"));
    let second = story.state.list(&filter, Some(&last), 10);
    let second: Vec<&str> = second.iter().map(|n| n.order_id.as_str()).collect();
    assert_eq!(second, ["O3", "O9", "O4"]);
    let open = Filter {
        phase: Some(Phase::Pending),
        ..Filter::default()
    };
    assert_eq!(story.state.list(&open, Some(&last), 10).len(), 1);
}

#[test]
fn what_is_to_be_sent_comes_with_the_contact_as_it_stands_now() {
    let mut story = three();
    let sends = story.state.pending_sends(story.context.now, 10);
    assert_eq!(sends.len(), 1);
    assert_eq!(sends[0].order_id, "O2");
    assert_eq!(sends[0].attempt, 1);
    assert_eq!(sends[0].contact, Some(sealed("H2")));
    assert_eq!(sends[0].area, area());
    story.accept(notification_domain::Command::RecordContact(
        notification_domain::RecordContact {
            household_id: "H2".into(),
            contact: Some(sealed("new")),
            ..Default::default()
        },
    ));
    let sends = story.state.pending_sends(story.context.now, 10);
    assert_eq!(sends[0].contact, Some(sealed("new")));
    assert_eq!(story.state.pending_sends(story.context.now, 0), []);
    assert_eq!(
        story.state.pending_count(START),
        0,
        "requested a second later"
    );
}

#[test]
fn a_notification_shows_its_revision_and_when_it_last_changed() {
    let mut story = Story::given([goods_at_door(), call_opened("NO_RECEIPT")]);
    story.context.now = START.plus_minutes(3);
    story.accept(complete_call(CallOutcome::NoAnswer));
    let n = only(&story);
    assert_eq!(n.revision, Revision(4));
    assert_eq!(n.requested, START);
    assert_eq!(n.updated, START.plus_minutes(3));
    assert_eq!(n.call_outcome, Some(CallOutcome::NoAnswer));
}
