//! How to reach a household, taken over from the order service. The contact
//! itself stays sealed: this service's rules never look inside.

use decider::{Area, Recorded, Revision, Timestamp};
use proto::{
    NotificationEvent,
    notification::v1::{ContactCadreChanged, ContactRecorded},
    types::v1::{Need, Sealed},
};
use serde::{Deserialize, Serialize};

use crate::{command::RecordContact, state::State, values::Language};

/// A household, as far as it must be told something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contact {
    pub household_id: String,
    /// None where only the cadre is known.
    pub sealed: Option<Sealed>,
    /// Since when it is to be forgotten; `sealed` is none then, for ever.
    pub erased: Option<Timestamp>,
    /// BCP 47 tag, as registered.
    pub language_tag: String,
    /// Sorted, without repetitions.
    pub needs: Vec<Need>,
    /// Empty where it is not known.
    pub cadre_id: String,
    pub area: Area,
    pub updated: Timestamp,
    pub revision: Revision,
}

impl Contact {
    #[must_use]
    pub fn has(&self, need: Need) -> bool {
        self.needs.contains(&need)
    }

    /// The language in which it is spoken to.
    #[must_use]
    pub fn language(&self) -> Language {
        Language::for_tag(&self.language_tag)
    }
}

pub(crate) fn record(state: &State, change: &RecordContact) -> Vec<NotificationEvent> {
    let known = state.contact(&change.household_id);
    let needs = match &change.needs {
        Some(needs) => tidy(needs.iter().copied()),
        None => known.map(|c| c.needs.clone()).unwrap_or_default(),
    };
    let sealed = change
        .contact
        .clone()
        .or_else(|| known.and_then(|c| c.sealed.clone()))
        .filter(|_| known.is_none_or(|c| c.erased.is_none()));
    let language = change
        .language
        .clone()
        .or_else(|| known.map(|c| c.language_tag.clone()))
        .unwrap_or_else(|| Language::default().tag().to_owned());
    let cadre_id = change
        .cadre_id
        .clone()
        .or_else(|| known.map(|c| c.cadre_id.clone()))
        .unwrap_or_default();
    let unchanged = known.is_some_and(|c| {
        c.sealed == sealed
            && c.language_tag == language
            && c.needs == needs
            && c.cadre_id == cadre_id
    });
    if unchanged {
        return Vec::new();
    }
    vec![
        ContactRecorded {
            household_id: change.household_id.clone(),
            contact: sealed,
            language,
            needs: needs.into_iter().map(i32::from).collect(),
            cadre_id,
        }
        .into(),
    ]
}

pub(crate) fn change_cadre(
    state: &State,
    household_id: &str,
    cadre_id: &str,
) -> Vec<NotificationEvent> {
    if state
        .contact(household_id)
        .is_some_and(|c| c.cadre_id == cadre_id)
    {
        return Vec::new();
    }
    vec![
        ContactCadreChanged {
            household_id: household_id.to_owned(),
            cadre_id: cadre_id.to_owned(),
        }
        .into(),
    ]
}

pub(crate) fn recorded(
    state: &mut State,
    record: &Recorded<NotificationEvent>,
    event: &ContactRecorded,
) {
    let needs = event.needs.iter().filter_map(|n| Need::try_from(*n).ok());
    let erased = state.contact(&event.household_id).and_then(|c| c.erased);
    state.put_contact(Contact {
        household_id: event.household_id.clone(),
        sealed: event.contact.clone().filter(|_| erased.is_none()),
        erased,
        language_tag: event.language.clone(),
        needs: tidy(needs),
        cadre_id: event.cadre_id.clone(),
        area: record.area.clone(),
        updated: record.recorded,
        revision: record.revision,
    });
}

pub(crate) fn cadre_changed(
    state: &mut State,
    record: &Recorded<NotificationEvent>,
    event: &ContactCadreChanged,
) {
    let known = state.contact(&event.household_id).cloned();
    let contact = known.unwrap_or_else(|| unknown(record, &event.household_id));
    state.put_contact(Contact {
        cadre_id: event.cadre_id.clone(),
        updated: record.recorded,
        revision: record.revision,
        ..contact
    });
}

/// A household of which nothing was recorded yet.
pub(crate) fn unknown(record: &Recorded<NotificationEvent>, household_id: &str) -> Contact {
    Contact {
        household_id: household_id.to_owned(),
        sealed: None,
        erased: None,
        language_tag: Language::default().tag().to_owned(),
        needs: Vec::new(),
        cadre_id: String::new(),
        area: record.area.clone(),
        updated: record.recorded,
        revision: record.revision,
    }
}

fn tidy(needs: impl Iterator<Item = Need>) -> Vec<Need> {
    let mut needs: Vec<Need> = needs.filter(|n| *n != Need::Unspecified).collect();
    needs.sort_unstable();
    needs.dedup();
    needs
}
