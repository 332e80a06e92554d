//! Everything that is decided upon, with the indexes that keep each look-up
//! short. Only `put_…` and [`State::update`] change it, so that no index can
//! be forgotten.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use decider::{Invariant, StreamId, Timestamp, Violation};

use crate::{
    contact::Contact,
    notification::Notification,
    values::{Evidence, Kind, Phase},
};

pub(crate) type Ids = BTreeSet<Arc<str>>;

#[derive(Debug, Default)]
pub struct State {
    pub(crate) contacts: HashMap<String, Contact>,
    pub(crate) notifications: BTreeMap<Arc<str>, Notification>,
    /// The one of a kind that an order has at most once.
    pub(crate) once: HashMap<(Kind, String), Arc<str>>,
    pub(crate) by_order: HashMap<String, Ids>,
    pub(crate) by_household: HashMap<String, Ids>,
    pub(crate) by_cadre: HashMap<String, Ids>,
    pub(crate) by_phase: HashMap<Phase, Ids>,
    pub(crate) by_kind: HashMap<Kind, Ids>,
    pub(crate) sends: BTreeSet<(Timestamp, Arc<str>)>,
    pub(crate) climbs: BTreeSet<(Timestamp, Arc<str>)>,
    /// Closed notifications whose end was not as it must be. Stays empty
    /// unless the log was altered.
    pub(crate) faults: BTreeMap<Arc<str>, String>,
    /// Households whose contact was erased, in the order of their records.
    pub(crate) erased: Vec<String>,
}

impl State {
    /// How to reach a household.
    #[must_use]
    pub fn contact(&self, household_id: &str) -> Option<&Contact> {
        self.contacts.get(household_id)
    }

    #[must_use]
    pub fn notification(&self, notification_id: &str) -> Option<&Notification> {
        self.notifications.get(notification_id)
    }

    pub(crate) fn once(&self, kind: Kind, order_id: &str) -> Option<&Notification> {
        let id = self.once.get(&(kind, order_id.to_owned()))?;
        self.notifications.get(id)
    }

    pub(crate) fn climbs(&self) -> impl Iterator<Item = (Timestamp, &str)> {
        self.climbs.iter().map(|(at, id)| (*at, &**id))
    }

    /// The household's open notifications go with it to its cadre.
    pub(crate) fn put_contact(&mut self, contact: Contact) {
        if !contact.cadre_id.is_empty() {
            let open: Vec<Arc<str>> = self
                .by_household
                .get(&contact.household_id)
                .into_iter()
                .flatten()
                .filter(|id| {
                    self.notifications
                        .get(*id)
                        .is_some_and(|n| n.phase != Phase::Closed)
                })
                .cloned()
                .collect();
            for id in open {
                self.update(&id, |n| n.cadre_id.clone_from(&contact.cadre_id));
            }
        }
        self.contacts.insert(contact.household_id.clone(), contact);
    }

    /// The first of an id stays.
    pub(crate) fn put_notification(&mut self, notification: Notification) {
        let id = notification.notification_id.clone();
        if self.notifications.contains_key(&id) {
            return;
        }
        let kind = notification.kind;
        if kind.once_per_order() {
            self.once
                .entry((kind, notification.order_id.clone()))
                .or_insert_with(|| id.clone());
        }
        put(&mut self.by_order, &notification.order_id, &id);
        put(&mut self.by_household, &notification.household_id, &id);
        self.by_kind.entry(kind).or_default().insert(id.clone());
        self.index(&notification);
        self.notifications.insert(id, notification);
    }

    /// Changes what may change (never the id, order, household or kind).
    pub(crate) fn update(&mut self, id: &str, change: impl FnOnce(&mut Notification)) {
        let Some(notification) = self.notifications.get_mut(id) else {
            return;
        };
        let before = Place::of(notification);
        change(notification);
        let after = Place::of(notification);
        let id = notification.notification_id.clone();
        if notification.kind.needs_receipt() && notification.evidence == Some(Evidence::Sent) {
            let detail = "closed as sent although a receipt is needed".to_owned();
            self.faults.insert(id.clone(), detail);
        }
        self.move_place(&id, &before, &after);
    }

    pub(crate) fn put_fault(&mut self, id: &str, detail: String) {
        self.faults.insert(id.into(), detail);
    }

    fn index(&mut self, notification: &Notification) {
        let id = &notification.notification_id;
        let place = Place::of(notification);
        put(&mut self.by_cadre, &place.cadre_id, id);
        self.by_phase
            .entry(place.phase)
            .or_default()
            .insert(id.clone());
        self.sends.extend(place.send_at.map(|at| (at, id.clone())));
        self.climbs
            .extend(place.climb_at.map(|at| (at, id.clone())));
    }

    /// Changes the indexes where the place has changed, and no others.
    fn move_place(&mut self, id: &Arc<str>, before: &Place, after: &Place) {
        if before.cadre_id != after.cadre_id {
            if let Some(ids) = self.by_cadre.get_mut(&before.cadre_id) {
                ids.remove(id);
            }
            put(&mut self.by_cadre, &after.cadre_id, id);
        }
        if before.phase != after.phase {
            if let Some(ids) = self.by_phase.get_mut(&before.phase) {
                ids.remove(id);
            }
            self.by_phase
                .entry(after.phase)
                .or_default()
                .insert(id.clone());
        }
        for (timers, before, after) in [
            (&mut self.sends, before.send_at, after.send_at),
            (&mut self.climbs, before.climb_at, after.climb_at),
        ] {
            if before != after {
                if let Some(at) = before {
                    timers.remove(&(at, id.clone()));
                }
                timers.extend(after.map(|at| (at, id.clone())));
            }
        }
    }

    /// INV-08. Looks at what is open only; what is closed was looked at then.
    pub(crate) fn violations(&self) -> Vec<Violation> {
        let closed = self
            .faults
            .iter()
            .map(|(id, detail)| violation(id, detail.clone()));
        let stuck = Phase::ALL
            .iter()
            .filter(|phase| **phase != Phase::Closed)
            .filter_map(|phase| self.by_phase.get(phase))
            .flatten()
            .filter_map(|id| self.notifications.get(id))
            .filter(|n| n.kind == Kind::GoodsAtDoor && n.next_step().is_none())
            .map(|n| {
                let detail = format!(
                    "{} of order {} is {} without a next step",
                    n.kind, n.order_id, n.phase
                );
                violation(&n.notification_id, detail)
            });
        closed.chain(stuck).collect()
    }

    pub(crate) fn describe(&self, stream: &StreamId) -> Option<String> {
        match stream.category() {
            "contact" => self.contact(stream.id()).map(describe_contact),
            "notification" => self.notification(stream.id()).map(describe_notification),
            _ => None,
        }
    }
}

/// By what a notification is found, as far as it changes.
struct Place {
    cadre_id: String,
    phase: Phase,
    send_at: Option<Timestamp>,
    climb_at: Option<Timestamp>,
}

impl Place {
    fn of(notification: &Notification) -> Self {
        Self {
            cadre_id: notification.cadre_id.clone(),
            phase: notification.phase,
            send_at: notification.send_at,
            climb_at: notification.climb_at,
        }
    }
}

fn put(index: &mut HashMap<String, Ids>, key: &str, id: &Arc<str>) {
    match index.get_mut(key) {
        Some(ids) => {
            ids.insert(id.clone());
        }
        None => {
            index.insert(key.to_owned(), Ids::from([id.clone()]));
        }
    }
}

fn violation(id: &str, detail: String) -> Violation {
    Violation {
        invariant: Invariant::ReceiptOrVisit,
        entity: format!("notification/{id}"),
        detail,
    }
}

fn describe_contact(contact: &Contact) -> String {
    let needs: Vec<&str> = contact.needs.iter().map(|n| n.as_str_name()).collect();
    format!(
        "contact {}, cadre {}, language {}, needs {}, revision {}",
        match (&contact.sealed, contact.erased) {
            (_, Some(_)) => "erased",
            (Some(_), None) => "sealed",
            (None, None) => "missing",
        },
        or_none(&contact.cadre_id),
        contact.language_tag,
        or_none(&needs.join("+")),
        contact.revision
    )
}

fn describe_notification(n: &Notification) -> String {
    let mut line = n.phase.to_string();
    if let Some(evidence) = n.evidence {
        line += &format!(" by {evidence}");
    }
    line + &format!(
        ": {} of order {} for household {}, cadre {}, attempts {}, revision {}",
        n.kind,
        or_none(&n.order_id),
        n.household_id,
        or_none(&n.cadre_id),
        n.attempts,
        n.revision
    )
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}
