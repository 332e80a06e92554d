//! Demand: what an order asks of the stock, and how far it is. Queueing and
//! reservation are in `intake.rs`, what leaves and comes back is in
//! `dispatch.rs` and `replacement.rs`.

use std::{collections::BTreeMap, sync::Arc};

use decider::{Area, Revision, Timestamp};
use proto::{
    inventory::v1::{Allocation, Bag, DemandState},
    types::v1::{Door, Line},
};
use serde::{Deserialize, Serialize};

use crate::{
    queue::Seq,
    rejection::Rejection,
    state::DoorKey,
    units::{Grams, Units},
};

/// An order as the store sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    pub order_id: Arc<str>,
    pub household_id: String,
    pub door: Option<Door>,
    pub cadre_id: String,
    pub area: Area,
    /// Each product once.
    pub lines: Vec<Line>,
    /// What the order does not get.
    pub short: Vec<Line>,
    /// Units that are set aside, or out with the order; those of a bag that
    /// was damaged or lost on the way are not among them any more.
    pub allocations: Vec<Allocation>,
    /// All bags ever packed for the order, replacements too.
    pub bags: Vec<Bag>,
    pub state: DemandState,
    pub load_id: String,
    pub checkpoint_id: String,
    pub custodian_id: String,
    /// Cancelled after it had left; it may still be taken off the way.
    pub recalled: bool,
    pub queued: Timestamp,
    pub updated: Timestamp,
    pub revision: Revision,
    pub(crate) seq: Seq,
    #[serde(skip)]
    pub(crate) door_key: Arc<str>,
    /// Units damaged or lost on the way.
    pub(crate) lost: Vec<Allocation>,
    /// By the label of the bag that was not taken over.
    pub(crate) replacements: BTreeMap<String, Replacement>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Replacement {
    Waiting(Seq),
    Answered,
}

impl Demand {
    pub(crate) fn door_key(&self) -> DoorKey {
        (Arc::clone(&self.door_key), Arc::clone(&self.order_id))
    }

    /// Weight of all bags.
    #[must_use]
    pub fn weight(&self) -> Grams {
        self.bags.iter().map(|bag| Grams(bag.weight_grams)).sum()
    }

    /// Units of a product that are set aside or out with the order.
    #[must_use]
    pub fn allocated(&self, product_id: &str) -> Units {
        allocated(&self.allocations, product_id)
    }

    pub(crate) fn describe(&self) -> String {
        let lines = |lines: &[Line]| {
            let lines = lines
                .iter()
                .map(|line| format!("{} × {}", line.quantity_units, line.product_id));
            lines.collect::<Vec<_>>().join(", ")
        };
        let mut text = format!("demand {}: {}", state_name(self.state), lines(&self.lines));
        if !self.short.is_empty() {
            text += &format!("; short of {}", lines(&self.short));
        }
        if !self.bags.is_empty() {
            text += &format!("; {} bags of {}", self.bags.len(), self.weight());
        }
        if !self.load_id.is_empty() {
            text += &format!("; left with {} for {}", self.load_id, self.checkpoint_id);
        }
        if self.recalled {
            text += ", recalled";
        }
        let waiting = self
            .replacements
            .values()
            .filter(|r| matches!(r, Replacement::Waiting(_)))
            .count();
        if waiting > 0 {
            text += &format!("; {waiting} bags wait for replacement");
        }
        text
    }
}

/// `DEMAND_STATE_QUEUED` → `QUEUED`.
pub(crate) fn state_name(state: DemandState) -> &'static str {
    let name = state.as_str_name();
    name.strip_prefix("DEMAND_STATE_").unwrap_or(name)
}

pub(crate) fn allocated(allocations: &[Allocation], product_id: &str) -> Units {
    let of_product = allocations.iter().filter(|a| a.product_id == product_id);
    of_product.map(|a| Units(a.quantity_units)).sum()
}

pub(crate) fn unknown(order_id: &str, area: &Area) -> Rejection {
    Rejection::DemandUnknown {
        order_id: order_id.to_owned(),
        area: area.to_string(),
    }
}
