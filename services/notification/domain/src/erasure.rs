//! A household's contact is forgotten. It can be neither messaged nor telephoned
//! any more, so what is open is handed to the visit of its cadre.

use decider::Recorded;
use proto::{NotificationEvent, notification::v1::ContactErased};

use crate::{
    contact::{self, Contact},
    ladder::{self, reason},
    notification::Notification,
    state::State,
    values::Phase,
};

/// Visits that one command opens at most, so that its records fit together.
/// The ladder leads what is left to a visit in its own time.
const VISITS_MAX: usize = 64;

impl State {
    /// Households whose contact was erased, from the `from`th on, counted from
    /// 0 in the order of the records.
    pub fn erased_contacts(&self, from: usize) -> impl Iterator<Item = &Contact> {
        let ids = self.erased.get(from..).unwrap_or_default();
        ids.iter().filter_map(|id| self.contact(id))
    }

    fn open_of_household(&self, household_id: &str) -> impl Iterator<Item = &Notification> {
        let ids = self.by_household.get(household_id);
        ids.into_iter()
            .flatten()
            .filter_map(|id| self.notification(id))
            .filter(|notification| notification.phase != Phase::Closed)
    }
}

pub(crate) fn erase(state: &State, household_id: &str) -> Vec<NotificationEvent> {
    let known = state.contact(household_id);
    if known.is_some_and(|contact| contact.erased.is_some()) {
        return Vec::new();
    }
    let erased = ContactErased {
        household_id: household_id.to_owned(),
    };
    let visits = state
        .open_of_household(household_id)
        .filter(|notification| notification.phase != Phase::VisitOpen)
        .take(VISITS_MAX)
        .map(|notification| ladder::visit_of(notification, reason::CONTACT_ERASED));
    [erased.into()].into_iter().chain(visits).collect()
}

pub(crate) fn erased(
    state: &mut State,
    record: &Recorded<NotificationEvent>,
    event: &ContactErased,
) {
    let known = state.contact(&event.household_id).cloned();
    let contact = known.unwrap_or_else(|| contact::unknown(record, &event.household_id));
    if contact.erased.is_none() {
        state.erased.push(event.household_id.clone());
    }
    state.put_contact(Contact {
        sealed: None,
        erased: contact.erased.or(Some(record.recorded)),
        updated: record.recorded,
        revision: record.revision,
        ..contact
    });
}
