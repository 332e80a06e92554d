//! The state as it is written: contacts and notifications in the order of
//! their ids, each once. Indexes and timers are made anew on reading.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{contact::Contact, notification::Notification, state::State, values::Kind};

#[derive(Serialize)]
struct Written<'a> {
    contacts: Vec<&'a Contact>,
    notifications: Vec<&'a Notification>,
    firsts: Vec<(Kind, &'a str, &'a str)>,
    faults: &'a BTreeMap<Arc<str>, String>,
    erased: &'a [String],
}

#[derive(Deserialize)]
struct Read {
    contacts: Vec<Contact>,
    notifications: Vec<Notification>,
    /// Kind, order id and notification id where the one that counts has not
    /// the lowest id of its kind and order: in altered logs only.
    firsts: Vec<(Kind, String, String)>,
    faults: BTreeMap<Arc<str>, String>,
    erased: Vec<String>,
}

/// See [`Read::firsts`].
fn firsts(state: &State) -> Vec<(Kind, &str, &str)> {
    let lower = |kind: Kind, order_id: &str, id: &str| {
        state
            .notifications_of_order(order_id)
            .any(|n| n.kind == kind && &*n.notification_id < id)
    };
    let all = state.once.iter();
    let mut firsts: Vec<_> = all
        .map(|((kind, order_id), id)| (*kind, order_id.as_str(), &**id))
        .filter(|(kind, order_id, id)| lower(*kind, order_id, id))
        .collect();
    firsts.sort_unstable();
    firsts
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut contacts: Vec<&Contact> = self.contacts.values().collect();
        contacts.sort_unstable_by_key(|contact| &contact.household_id);
        Written {
            contacts,
            notifications: self.notifications.values().collect(),
            firsts: firsts(self),
            faults: &self.faults,
            erased: &self.erased,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Read::deserialize(deserializer)?;
        let mut state = Self {
            faults: read.faults,
            erased: read.erased,
            ..Self::default()
        };
        // Before the notifications, whose cadres are what they were.
        for contact in read.contacts {
            state.put_contact(contact);
        }
        // In the order of their ids: the lowest becomes the first.
        for notification in read.notifications {
            state.put_notification(notification);
        }
        for (kind, order_id, id) in read.firsts {
            let id = state.notifications.get_key_value(&*id);
            if let Some(id) = id.map(|(id, _)| id.clone()) {
                state.once.insert((kind, order_id), id);
            }
        }
        Ok(state)
    }
}
