//! Hand-over at the checkpoint (S16): both sides named, damaged and missing
//! bags left aside, and what becomes of them: a replacement, or none.

use std::collections::BTreeSet;

use decider::{Context, Invariant};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, Custodian, ExceptionCode, ParcelBag, ParcelState},
};

use crate::{
    Rejection,
    bags::Bags,
    command::{ExpectReplacement, GiveUpReplacement, ParcelReceipt, ReceiveParcels},
    custody::{self, Holder},
    freight,
    parcel::{self, Parcel, Replacement},
    state::{Moment, State},
};

pub(crate) fn receive(
    state: &State,
    command: &ReceiveParcels,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    state.checkpoint_in(&context.area, &command.checkpoint_id)?;
    let mut seen = BTreeSet::new();
    let mut events = vec![];
    for receipt in &command.parcels {
        if !seen.insert(&receipt.order_id) {
            return Err(Rejection::ParcelListedTwice {
                order_id: receipt.order_id.clone(),
            });
        }
        let parcel = state.parcel_in(&context.area, &receipt.order_id)?;
        parcel::at_checkpoint(parcel, &command.checkpoint_id)?;
        if let Some((_, shipment)) = state.freight.load_of(&receipt.order_id) {
            return Err(freight::Rejection::OnLoad {
                order_id: receipt.order_id.clone(),
                shipment_id: shipment.shipment_id.clone(),
            }
            .into());
        }
        events.extend(receive_one(parcel, command, receipt)?.map(LogisticsEvent::from));
    }
    Ok(events)
}

/// None where this very hand-over has taken place already.
fn receive_one(
    parcel: &Parcel,
    command: &ReceiveParcels,
    receipt: &ParcelReceipt,
) -> Result<Option<pb::ParcelReceived>, Rejection> {
    let from = &command.from_custodian_id;
    let repeated = parcel.state == ParcelState::Received
        && parcel.received_from == *from
        && receipt.exceptions.is_empty();
    if repeated {
        return Ok(None);
    }
    let offered = offered(parcel, from)?;
    let exceptions = exceptions(parcel, &offered, receipt)?;
    Ok(Some(pb::ParcelReceived {
        order_id: (&parcel.order_id).into(),
        checkpoint_id: command.checkpoint_id.clone(),
        from: Some(custody::carrier(from)),
        to: Some(custody::checkpoint(&command.checkpoint_id)),
        accepted_labels: offered
            .iter()
            .filter(|bag| exceptions.iter().all(|e| e.label != bag.label))
            .map(|bag| bag.label.clone())
            .collect(),
        exceptions,
        household_id: (&parcel.household_id).into(),
        keeper_id: command.keeper_id.clone(),
    }))
}

/// The bags that `from` has for the checkpoint.
fn offered(parcel: &Parcel, from: &str) -> Result<Vec<ParcelBag>, Rejection> {
    let refused = |custodian: &Custodian| Rejection::NotCustodian {
        order_id: (&parcel.order_id).into(),
        from: from.to_owned(),
        custodian: custody::name(custodian),
    };
    let nothing = || Rejection::NothingToReceive {
        order_id: (&parcel.order_id).into(),
        state: parcel.state,
    };
    match parcel.state {
        ParcelState::Expected if parcel.custodian == custody::carrier(from) => {
            Ok(parcel.bags.iter().collect())
        }
        ParcelState::Expected => Err(refused(&parcel.custodian.to_message())),
        ParcelState::AwaitingReplacement => {
            let on_the_way: Vec<&Replacement> = parcel.awaited.values().flatten().collect();
            let other = on_the_way.first().ok_or_else(nothing)?;
            let bags: Vec<ParcelBag> = on_the_way
                .iter()
                .filter(|r| r.custodian == custody::carrier(from))
                .map(|r| r.bag.clone())
                .collect();
            if bags.is_empty() {
                return Err(refused(&other.custodian));
            }
            Ok(bags)
        }
        _ => Err(nothing()),
    }
}

fn exceptions(
    parcel: &Parcel,
    offered: &[ParcelBag],
    receipt: &ParcelReceipt,
) -> Result<Vec<pb::BagException>, Rejection> {
    let mut exceptions: Vec<pb::BagException> = vec![];
    for report in &receipt.exceptions {
        if exceptions.iter().any(|e| e.label == report.label) {
            return Err(Rejection::BagListedTwice {
                order_id: (&parcel.order_id).into(),
                label: report.label.clone(),
            });
        }
        let bag = offered.iter().find(|bag| bag.label == report.label);
        let bag = bag.ok_or_else(|| Rejection::BagUnknown {
            order_id: (&parcel.order_id).into(),
            label: report.label.clone(),
            offered: offered.iter().map(|bag| bag.label.clone()).collect(),
        })?;
        exceptions.push(pb::BagException {
            label: report.label.clone(),
            product_id: bag.product_id.clone(),
            quantity_units: bag.quantity_units,
            code: report.fault.code().into(),
            note: report.note.clone(),
        });
    }
    Ok(exceptions)
}

pub(crate) fn expect_replacement(
    state: &State,
    command: &ExpectReplacement,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let parcel = state.parcel_in(&context.area, &command.order_id)?;
    match parcel.awaited.get(&command.for_label) {
        Some(None) => {}
        Some(Some(known)) if known.bag.label == command.bag.label => return Ok(vec![]),
        Some(Some(known)) => {
            return Err(Rejection::ReplacementExists {
                order_id: command.order_id.clone(),
                for_label: command.for_label.clone(),
                label: known.bag.label.clone(),
            });
        }
        None => {
            return Err(Rejection::ReplacementNotAwaited {
                order_id: command.order_id.clone(),
                for_label: command.for_label.clone(),
            });
        }
    }
    Ok(vec![
        pb::ReplacementExpected {
            order_id: command.order_id.clone(),
            for_label: command.for_label.clone(),
            bag: Some(command.bag.clone()),
            custodian: Some(custody::carrier(&command.custodian_id)),
        }
        .into(),
    ])
}

pub(crate) fn give_up(
    state: &State,
    command: &GiveUpReplacement,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let parcel = state.parcel_in(&context.area, &command.order_id)?;
    if !parcel.awaited.contains_key(&command.for_label) {
        return Err(Rejection::ReplacementNotAwaited {
            order_id: command.order_id.clone(),
            for_label: command.for_label.clone(),
        });
    }
    let mut events = vec![
        pb::ReplacementGivenUp {
            order_id: command.order_id.clone(),
            for_label: command.for_label.clone(),
            reason: command.reason.clone(),
        }
        .into(),
    ];
    if parcel.bags.is_empty() && parcel.awaited.len() == 1 {
        events.push(
            pb::ParcelReturned {
                order_id: command.order_id.clone(),
                reason: ExceptionCode::Short.into(),
            }
            .into(),
        );
    }
    Ok(events)
}

pub(crate) fn received(state: &mut State, moment: &Moment<'_>, event: &pb::ParcelReceived) {
    let from = event.from.clone().unwrap_or_default();
    let to = event.to.clone().unwrap_or_default();
    let accepted: BTreeSet<&String> = event.accepted_labels.iter().collect();
    state.change_parcel(&event.order_id, moment.at, |parcel, faults| {
        parcel.revision = moment.revision;
        if parcel.state == ParcelState::AwaitingReplacement {
            let mut wrong = vec![];
            let mut bags: Vec<ParcelBag> = parcel.bags.iter().collect();
            parcel.awaited.retain(|_, replacement| {
                let Some(coming) = replacement else {
                    return true;
                };
                let named = accepted.contains(&coming.bag.label)
                    || event.exceptions.iter().any(|e| e.label == coming.bag.label);
                if named && coming.custodian != from {
                    wrong.push(custody::name(&coming.custodian));
                }
                if accepted.contains(&coming.bag.label) {
                    bags.push(coming.bag.clone());
                }
                !named
            });
            parcel.bags = Bags::from(&*bags);
            for holder in wrong {
                faults.of_parcel(
                    Invariant::OneCustodian,
                    &event.order_id,
                    format!(
                        "{} handed a replacement over while {holder} had it",
                        custody::name(&from)
                    ),
                );
            }
        } else {
            parcel.received_from = Holder::new(&from, &[&parcel.custodian.id]).id;
            parcel.hand_over(&from, to, faults);
            let bags = parcel
                .bags
                .iter()
                .filter(|bag| accepted.contains(&bag.label));
            parcel.bags = Bags::from(&*bags.collect::<Vec<_>>());
        }
        for exception in &event.exceptions {
            parcel.awaited.insert(exception.label.clone(), None);
        }
        settle(parcel);
    });
}

pub(crate) fn replacement_expected(
    state: &mut State,
    moment: &Moment<'_>,
    event: &pb::ReplacementExpected,
) {
    let Some(bag) = event.bag.clone() else { return };
    state.change_parcel(&event.order_id, moment.at, |parcel, _| {
        parcel.revision = moment.revision;
        if let Some(awaited) = parcel.awaited.get_mut(&event.for_label) {
            *awaited = Some(Replacement {
                bag,
                custodian: event.custodian.clone().unwrap_or_default(),
            });
        }
    });
}

pub(crate) fn given_up(state: &mut State, moment: &Moment<'_>, event: &pb::ReplacementGivenUp) {
    state.change_parcel(&event.order_id, moment.at, |parcel, _| {
        parcel.revision = moment.revision;
        parcel.awaited.remove(&event.for_label);
        if !parcel.bags.is_empty() {
            settle(parcel);
        }
    });
}

/// Complete, or still waiting for a bag.
fn settle(parcel: &mut Parcel) {
    let arriving = matches!(
        parcel.state,
        ParcelState::Expected | ParcelState::AwaitingReplacement
    );
    if arriving {
        parcel.state = if parcel.awaited.is_empty() {
            ParcelState::Received
        } else {
            ParcelState::AwaitingReplacement
        };
    }
}
