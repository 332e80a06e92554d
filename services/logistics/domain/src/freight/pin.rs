//! The number that a receiver tells the driver, so that a carrier can show that
//! it stood before the right one. What stands here is a MAC of it: who makes the
//! PIN and holds the key is outside.

use decider::Context;
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb},
};
use serde::{Deserialize, Serialize};

use super::{Freight, Rejection, command::IssuePin, shipment::Shipment};
use crate::state::Moment;

/// Wrong PINs after which the shipment is locked.
pub const PIN_TRIES: i32 = 5;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    pub mac: Vec<u8>,
    /// Wrong ones since it was issued.
    pub tries: i32,
}

/// What a PIN that was told is.
pub(crate) enum Told {
    Right,
    Wrong(pb::PinRefused),
}

/// The one before is void.
pub(crate) fn issue(
    freight: &Freight,
    command: &IssuePin,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_in(&context.area, &command.shipment_id)?;
    let open = shipment.ended.is_none();
    shipment.must(open, "a PIN is for a shipment that is still to come")?;
    Ok(vec![
        pb::PinIssued {
            shipment_id: command.shipment_id.clone(),
            pin_mac: command.pin_mac.to_vec(),
        }
        .into(),
    ])
}

pub(crate) fn issued(freight: &mut Freight, moment: &Moment<'_>, event: &pb::PinIssued) {
    freight.change(&event.shipment_id, moment, |shipment| {
        shipment.keyed = true;
        shipment.pin = Some(Pin {
            mac: event.pin_mac.clone(),
            tries: 0,
        });
    });
}

/// A wrong one is no rejection but an event, since it is counted.
pub(crate) fn check(
    shipment: &Shipment,
    carrier_id: &str,
    mac: &[u8; 32],
) -> Result<Told, Rejection> {
    let shipment_id = shipment.shipment_id.clone();
    let Some(pin) = &shipment.pin else {
        return Err(Rejection::PinNotIssued { shipment_id });
    };
    if pin.tries >= PIN_TRIES {
        return Err(Rejection::PinLocked { shipment_id });
    }
    if pin.mac == mac {
        return Ok(Told::Right);
    }
    Ok(Told::Wrong(pb::PinRefused {
        shipment_id,
        carrier_id: carrier_id.to_owned(),
        tries: pin.tries.saturating_add(1),
    }))
}

pub(crate) fn refused(freight: &mut Freight, moment: &Moment<'_>, event: &pb::PinRefused) {
    freight.change(&event.shipment_id, moment, |shipment| {
        if let Some(pin) = &mut shipment.pin {
            pin.tries = event.tries;
        }
    });
}

impl Rejection {
    /// What a [`pb::PinRefused`] means to who told the PIN.
    #[must_use]
    pub fn of_pin(refused: &pb::PinRefused) -> Self {
        let shipment_id = refused.shipment_id.clone();
        match PIN_TRIES.saturating_sub(refused.tries) {
            ..=0 => Self::PinLocked { shipment_id },
            left => Self::PinWrong { shipment_id, left },
        }
    }
}
