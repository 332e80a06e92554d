//! Procurement: whether buying goes on, and what must be bought.

use decider::{Area, Context, Revision, Timestamp};
use proto::{
    InventoryEvent,
    inventory::v1::{ProcurementClosed, ProcurementOpened},
};
use serde::{Deserialize, Serialize};

use crate::{
    rejection::Rejection,
    state::{Fact, Misfit, State},
    units::{Grams, Units},
};

/// Buying for an area. It goes on until it is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Procurement {
    pub closed: bool,
    /// When it was last closed or opened; none: never.
    pub changed: Option<Timestamp>,
    pub revision: Revision,
}

/// What of a product is wanted by queued orders and replacements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    pub product_id: String,
    pub demanded: Units,
    pub on_hand: Units,
    /// max(0, demanded − on hand).
    pub to_buy: Units,
    pub to_buy_weight: Grams,
}

pub(crate) fn close(state: &State, context: &Context) -> Result<Vec<InventoryEvent>, Rejection> {
    if state.procurement(&context.area).closed {
        return Ok(Vec::new());
    }
    let queued = state.queue_length(&context.area).orders;
    Ok(vec![
        ProcurementClosed {
            area: context.area.to_string(),
            queued_orders: i64::try_from(queued).unwrap_or(i64::MAX),
        }
        .into(),
    ])
}

pub(crate) fn open(state: &State, context: &Context) -> Result<Vec<InventoryEvent>, Rejection> {
    if !state.procurement(&context.area).closed {
        return Ok(Vec::new());
    }
    Ok(vec![
        ProcurementOpened {
            area: context.area.to_string(),
        }
        .into(),
    ])
}

pub(crate) fn changed(
    state: &mut State,
    fact: &Fact<'_>,
    area: &str,
    closed: bool,
) -> Result<(), Misfit> {
    if fact.area.as_str() != area {
        return Err(fact.misfit("it is about another area than it was recorded for"));
    }
    let book = state.books.entry(fact.area.clone()).or_default();
    book.procurement = Procurement {
        closed,
        changed: Some(fact.at),
        revision: fact.revision,
    };
    Ok(())
}

impl State {
    /// What must be bought for the open orders, by product id; products that
    /// nobody waits for are not listed.
    #[must_use]
    pub fn procurement_need(&self, area: &Area) -> Vec<Need> {
        let Some(book) = self.books.get(area) else {
            return Vec::new();
        };
        let needs = book.queue.demanded().map(|(product_id, demanded)| {
            let product = book.products.get(product_id);
            let on_hand = product.map_or(Units::ZERO, |p| p.stock.on_hand);
            let weight = product.map_or(Grams::ZERO, |p| p.unit_weight);
            let to_buy = demanded.minus(on_hand).max(Units::ZERO);
            Need {
                product_id: product_id.to_owned(),
                demanded,
                on_hand,
                to_buy,
                to_buy_weight: weight.times(to_buy),
            }
        });
        needs.collect()
    }
}
