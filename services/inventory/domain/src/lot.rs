//! Lots: what came in at one time from one supplier, with its own account and
//! expiry. A lot's units are used for orders of its area only.

use decider::{Area, Context, Revision, Timestamp};
use proto::{
    InventoryEvent,
    inventory::v1::{LotReceived, SpoilCause, StockSpoiled},
    time::{from_proto, to_proto},
};
use serde::{Deserialize, Serialize};

use crate::{
    command::{ReceiveLot, SpoilStock},
    ledger::{Ledger, Movement},
    rejection::Rejection,
    state::{Fact, Misfit, State},
    units::Units,
};

/// The largest lot.
pub const LOT_UNITS_MAX: Units = Units(10_000_000);

/// Where a lot without expiry stands in the order of expiry: last.
const NEVER: Timestamp = Timestamp(i64::MAX);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lot {
    pub lot_id: String,
    pub product_id: String,
    pub area: Area,
    pub supplier_id: String,
    /// None: it does not expire. From this moment on it is not given out.
    pub expires: Option<Timestamp>,
    pub location: String,
    pub stock: Ledger,
    pub received: Timestamp,
    /// Of the lot's stream; movements for orders stand in the orders' streams.
    pub revision: Revision,
}

impl Lot {
    pub(crate) fn shelf_key(&self) -> (Timestamp, String) {
        (self.expires.unwrap_or(NEVER), self.lot_id.clone())
    }

    pub(crate) fn describe(&self) -> String {
        format!("lot {} of {}: {}", self.lot_id, self.product_id, self.stock)
    }
}

pub(crate) fn receive(
    state: &State,
    wanted: &ReceiveLot,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    check_quantity(&wanted.lot_id, wanted.quantity)?;
    // Across areas: the lot's stream is named by its id alone.
    if let Some(known) = state.lots.get(&wanted.lot_id) {
        let same = known.area == context.area
            && known.product_id == wanted.product_id
            && known.stock.received == wanted.quantity
            && known.supplier_id == wanted.supplier_id
            && known.expires == wanted.expires
            && known.location == wanted.location;
        return if same {
            Ok(Vec::new())
        } else {
            Err(Rejection::LotExists {
                lot_id: wanted.lot_id.clone(),
            })
        };
    }
    if state.product(&context.area, &wanted.product_id).is_none() {
        return Err(Rejection::ProductUnknown {
            product_id: wanted.product_id.clone(),
            area: context.area.to_string(),
        });
    }
    if let Some(expires) = wanted.expires.filter(|expires| *expires <= context.now) {
        return Err(Rejection::LotExpired {
            lot_id: wanted.lot_id.clone(),
            expires,
        });
    }
    Ok(vec![
        LotReceived {
            lot_id: wanted.lot_id.clone(),
            product_id: wanted.product_id.clone(),
            quantity_units: wanted.quantity.0,
            supplier_id: wanted.supplier_id.clone(),
            expires_time: wanted.expires.map(to_proto),
            location: wanted.location.clone(),
        }
        .into(),
    ])
}

pub(crate) fn spoil(
    state: &State,
    wanted: &SpoilStock,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    check_quantity(&wanted.lot_id, wanted.quantity)?;
    let Some(lot) = state.lot(&context.area, &wanted.lot_id) else {
        return Err(Rejection::LotUnknown {
            lot_id: wanted.lot_id.clone(),
            area: context.area.to_string(),
        });
    };
    if wanted.quantity > lot.stock.on_hand {
        return Err(Rejection::InsufficientOnHand {
            lot_id: wanted.lot_id.clone(),
            asked: wanted.quantity,
            on_hand: lot.stock.on_hand,
            reserved: lot.stock.reserved,
        });
    }
    let (quantity, cause) = (wanted.quantity, wanted.cause);
    Ok(vec![spoiled_units(lot, quantity, cause, &wanted.note)])
}

pub(crate) fn spoiled_units(
    lot: &Lot,
    quantity: Units,
    cause: SpoilCause,
    note: &str,
) -> InventoryEvent {
    StockSpoiled {
        lot_id: lot.lot_id.clone(),
        product_id: lot.product_id.clone(),
        quantity_units: quantity.0,
        cause: cause.into(),
        note: note.to_owned(),
        ..StockSpoiled::default()
    }
    .into()
}

fn check_quantity(lot_id: &str, quantity: Units) -> Result<(), Rejection> {
    if (1..=LOT_UNITS_MAX.0).contains(&quantity.0) {
        return Ok(());
    }
    Err(Rejection::QuantityInvalid {
        of: format!("units of lot {lot_id}"),
        quantity: quantity.0,
        max: LOT_UNITS_MAX.0,
    })
}

pub(crate) fn received(
    state: &mut State,
    fact: &Fact<'_>,
    event: &LotReceived,
) -> Result<(), Misfit> {
    if state.lots.contains_key(&event.lot_id) {
        return Err(fact.misfit("the lot is received twice"));
    }
    if event.quantity_units <= 0 {
        return Err(fact.misfit("the lot has no units"));
    }
    let Some(book) = state.books.get_mut(fact.area) else {
        return Err(fact.misfit("nothing is defined in the lot's area"));
    };
    let Some(product) = book.products.get_mut(&event.product_id) else {
        return Err(fact.misfit("the lot's product is not defined"));
    };
    product.lots.insert(event.lot_id.clone());
    book.lots.insert(event.lot_id.clone());
    state.lots.insert(
        event.lot_id.clone(),
        Lot {
            lot_id: event.lot_id.clone(),
            product_id: event.product_id.clone(),
            area: fact.area.clone(),
            supplier_id: event.supplier_id.clone(),
            expires: event.expires_time.as_ref().map(from_proto),
            location: event.location.clone(),
            stock: Ledger::default(),
            received: fact.at,
            revision: fact.revision,
        },
    );
    state.move_units(
        &event.lot_id,
        Movement::Receive,
        Units(event.quantity_units),
    );
    Ok(())
}

pub(crate) fn spoiled(
    state: &mut State,
    fact: &Fact<'_>,
    event: &StockSpoiled,
) -> Result<(), Misfit> {
    match state.lots.get_mut(&event.lot_id) {
        Some(lot) if lot.area == *fact.area && event.quantity_units > 0 => {
            lot.revision = fact.revision;
        }
        _ => return Err(fact.misfit("no such lot in the area, or no units")),
    }
    state.move_units(&event.lot_id, Movement::Spoil, Units(event.quantity_units));
    Ok(())
}
