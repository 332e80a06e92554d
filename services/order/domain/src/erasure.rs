//! Personal data is forgotten: first it is recorded, then the key is destroyed
//! outside of this crate, then that is recorded too. Between the two the
//! erasure is pending, and the state says so, so that whoever destroys keys
//! finds what is left to do after a crash.
//!
//! What stays: the door's codes, the needs, the cadre, and the orders, so that
//! the people behind the door go on being supplied. Their cadre tells them.

use std::collections::BTreeMap;

use decider::{Area, Context, Recorded, Timestamp};
use proto::{
    OrderEvent,
    order::v1::{OrderState, PersonalDataErased, PersonalDataKeyDestroyed},
};
use serde::{Deserialize, Serialize};

use crate::{
    State,
    household::{Household, Households},
    ids::HouseholdId,
    order::Order,
    rejection::Rejection,
    text,
};

/// That, when and why a household's personal data was erased.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Erased {
    pub at: Timestamp,
    /// A code.
    pub reason: String,
    pub key_id: String,
    /// None while it is pending.
    pub key_destroyed: Option<Timestamp>,
}

impl Erased {
    pub(crate) fn describe(&self) -> String {
        let key = match self.key_destroyed {
            Some(at) => format!("key destroyed {}", text::time(at)),
            None => "key not yet destroyed".to_owned(),
        };
        format!(", personal data erased {}, {key}", text::time(self.at))
    }
}

/// A key that is to be destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingErasure {
    pub household_id: HouseholdId,
    pub area: Area,
    pub key_id: String,
    pub since: Timestamp,
}

/// Erasures that are pending, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Erasures {
    pending: BTreeMap<(Timestamp, HouseholdId), PendingErasure>,
}

impl State {
    pub fn pending_erasures(&self) -> impl Iterator<Item = &PendingErasure> {
        self.households.erasures.pending.values()
    }

    #[must_use]
    pub fn pending_erasures_count(&self) -> usize {
        self.households.erasures.pending.len()
    }

    /// Keys that must be gone, also those that are known to be.
    #[must_use]
    pub fn erased_keys(&self) -> Vec<String> {
        let erased = self.households.all().filter_map(|one| one.erased.as_ref());
        erased.map(|erased| erased.key_id.clone()).collect()
    }

    /// Keys under which contacts are sealed.
    #[must_use]
    pub fn living_keys(&self) -> Vec<String> {
        let sealed = self.households.all().filter_map(|one| one.contact.as_ref());
        sealed.map(|sealed| sealed.key_id().to_owned()).collect()
    }
}

impl Erasures {
    /// Notes the household's erasure where it is pending.
    pub(crate) fn put(&mut self, household: &Household) {
        let Some(erased) = &household.erased else {
            return;
        };
        if erased.key_destroyed.is_none() {
            let pending = PendingErasure {
                household_id: household.household_id.clone(),
                area: household.area.clone(),
                key_id: erased.key_id.clone(),
                since: erased.at,
            };
            let key = (pending.since, pending.household_id.clone());
            self.pending.insert(key, pending);
        }
    }
}

impl Households {
    pub(crate) fn erased(&mut self, record: &Recorded<OrderEvent>, event: &PersonalDataErased) {
        let Some(household) = self.get_mut(&event.household_id) else {
            return;
        };
        household.revision = record.revision;
        household.updated = record.occurred;
        household.contact = None;
        if household.erased.is_some() {
            return;
        }
        household.erased = Some(Box::new(Erased {
            at: record.occurred,
            reason: event.reason.clone(),
            key_id: event.key_id.clone(),
            key_destroyed: None,
        }));
        let household = household.clone();
        self.erasures.put(&household);
    }

    pub(crate) fn key_destroyed(
        &mut self,
        record: &Recorded<OrderEvent>,
        event: &PersonalDataKeyDestroyed,
    ) {
        let Some(household) = self.get_mut(&event.household_id) else {
            return;
        };
        household.revision = record.revision;
        household.updated = record.occurred;
        let id = household.household_id.clone();
        if let Some(erased) = &mut household.erased
            && erased.key_destroyed.is_none()
        {
            erased.key_destroyed = Some(record.occurred);
            let key = (erased.at, id);
            self.erasures.pending.remove(&key);
        }
    }
}

/// While goods are under way the household must be told of them.
pub(crate) fn erase(
    state: &State,
    household_id: &HouseholdId,
    reason: &str,
    force: bool,
    context: &Context,
) -> Result<Vec<OrderEvent>, Rejection> {
    let household = state.households.known(&context.area, household_id)?;
    if household.erased.is_some() {
        return Ok(vec![]);
    }
    let orders = state.orders.of_household(household_id);
    let mut open = orders.filter(|order| is_open(order));
    let first = open.next();
    let orders = open.count() + usize::from(first.is_some());
    if let Some(order) = first
        && !force
    {
        return Err(Rejection::GoodsUnderWay {
            household_id: household_id.clone(),
            order_id: order.order_id.clone(),
            state: order.state,
            orders,
        });
    }
    // Where no contact was ever recorded, the name is barred all the same.
    let key_id = match &household.contact {
        Some(sealed) => sealed.key_id().to_owned(),
        None => format!("household/{}/{household_id}", household.area),
    };
    Ok(vec![
        PersonalDataErased {
            household_id: household_id.into(),
            key_id,
            reason: reason.to_owned(),
            open_orders: i32::try_from(orders).unwrap_or(i32::MAX),
        }
        .into(),
    ])
}

/// Goods at the door are under way until the household is known to have them.
fn is_open(order: &Order) -> bool {
    !matches!(
        order.state,
        OrderState::Rejected | OrderState::Cancelled | OrderState::Collected | OrderState::Returned
    )
}

pub(crate) fn record_destroyed(
    households: &Households,
    household_id: &HouseholdId,
    context: &Context,
) -> Result<Vec<OrderEvent>, Rejection> {
    let household = households.known(&context.area, household_id)?;
    match &household.erased {
        None => Err(Rejection::NotErased {
            household_id: household_id.clone(),
        }),
        Some(erased) if erased.key_destroyed.is_some() => Ok(vec![]),
        Some(erased) => Ok(vec![
            PersonalDataKeyDestroyed {
                household_id: household_id.into(),
                key_id: erased.key_id.clone(),
            }
            .into(),
        ]),
    }
}
