//! Firms that buy in bulk: hotels, plants.

use decider::{Area, Context, Revision};
use proto::{
    InventoryEvent,
    inventory::v1::{BuyerRegistered, Spot},
};
use serde::{Deserialize, Serialize};

use super::{Surplus, SurplusRejection, command::RegisterBuyer, misfit};
use crate::{
    rejection::Rejection,
    state::{Fact, Misfit, State},
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Buyer {
    pub buyer_id: String,
    pub area: Area,
    /// Of the firm.
    pub name: String,
    pub place: Spot,
    pub revision: Revision,
}

pub(crate) fn register(
    state: &State,
    wanted: &RegisterBuyer,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    // Across areas: the buyer's stream is named by its id alone.
    if let Some(known) = state.surplus.buyers.get(&wanted.buyer_id) {
        let same =
            known.area == context.area && known.name == wanted.name && known.place == wanted.place;
        return if same {
            Ok(Vec::new())
        } else {
            Err(SurplusRejection::BuyerExists {
                buyer_id: wanted.buyer_id.clone(),
            }
            .into())
        };
    }
    Ok(vec![
        BuyerRegistered {
            buyer_id: wanted.buyer_id.clone(),
            name: wanted.name.clone(),
            place: Some(wanted.place.clone()),
        }
        .into(),
    ])
}

pub(crate) fn registered(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &BuyerRegistered,
) -> Result<(), Misfit> {
    if surplus.buyers.contains_key(&event.buyer_id) {
        return Err(misfit(fact, "the buyer is registered twice"));
    }
    surplus.buyers.insert(
        event.buyer_id.clone(),
        Buyer {
            buyer_id: event.buyer_id.clone(),
            area: fact.area.clone(),
            name: event.name.clone(),
            place: event.place.clone().unwrap_or_default(),
            revision: fact.revision,
        },
    );
    Ok(())
}
