//! Products: what can be ordered, and how much one unit weighs. A product
//! belongs to an area; two areas may use the same id for different things.

use std::collections::BTreeSet;

use decider::{Context, Revision, Timestamp};
use proto::{
    InventoryEvent,
    inventory::v1::{Category, ProductDefined},
};
use serde::{Deserialize, Serialize};

use crate::{
    command::DefineProduct,
    ledger::Ledger,
    rejection::Rejection,
    state::{Fact, Misfit, State},
    units::Grams,
};

/// The heaviest sale unit, one tonne.
pub const UNIT_WEIGHT_MAX: Grams = Grams(1_000_000);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Product {
    pub product_id: String,
    pub name: String,
    /// Of one sale unit.
    pub unit_weight: Grams,
    pub category: Category,
    /// Sums over the product's lots.
    pub stock: Ledger,
    pub revision: Revision,
    pub defined: Timestamp,
    /// All lots ever received.
    #[serde(skip)]
    pub(crate) lots: BTreeSet<String>,
    /// Lots with units on hand, in the order in which they are to be used.
    #[serde(skip)]
    pub(crate) shelf: BTreeSet<(Timestamp, String)>,
}

pub(crate) fn define(
    state: &State,
    wanted: &DefineProduct,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    if !(1..=UNIT_WEIGHT_MAX.0).contains(&wanted.unit_weight.0) {
        return Err(Rejection::QuantityInvalid {
            of: format!("grams per unit of product {}", wanted.product_id),
            quantity: wanted.unit_weight.0,
            max: UNIT_WEIGHT_MAX.0,
        });
    }
    match state.product(&context.area, &wanted.product_id) {
        None => Ok(vec![
            ProductDefined {
                product_id: wanted.product_id.clone(),
                name: wanted.name.clone(),
                unit_grams: wanted.unit_weight.0,
                category: wanted.category.into(),
            }
            .into(),
        ]),
        Some(known)
            if known.name == wanted.name
                && known.unit_weight == wanted.unit_weight
                && known.category == wanted.category =>
        {
            Ok(Vec::new())
        }
        Some(known) => Err(Rejection::ProductExists {
            product_id: known.product_id.clone(),
            name: known.name.clone(),
            unit_weight: known.unit_weight,
        }),
    }
}

pub(crate) fn defined(
    state: &mut State,
    fact: &Fact<'_>,
    event: &ProductDefined,
) -> Result<(), Misfit> {
    let book = state.books.entry(fact.area.clone()).or_default();
    if book.products.contains_key(&event.product_id) {
        return Err(fact.misfit("the product is defined twice"));
    }
    book.products.insert(
        event.product_id.clone(),
        Product {
            product_id: event.product_id.clone(),
            name: event.name.clone(),
            unit_weight: Grams(event.unit_grams),
            category: event.category(),
            stock: Ledger::default(),
            revision: fact.revision,
            defined: fact.at,
            lots: BTreeSet::new(),
            shelf: BTreeSet::new(),
        },
    );
    Ok(())
}

impl Product {
    pub(crate) fn describe(&self, area: &str) -> String {
        format!(
            "product {} of area {area}: {} g per unit, {}",
            self.product_id, self.unit_weight.0, self.stock
        )
    }
}
