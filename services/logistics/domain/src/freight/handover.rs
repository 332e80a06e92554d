//! The hand-over at the destination (S16): the carrier declares what it hands
//! over, the receiver what it found; both sides stand in the log, line by
//! line, and bag by bag where bags were looked at.

use decider::{Context, Invariant};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, BagCondition, LineCount, LineReceipt, ShipmentState},
};

use super::{
    Freight, Rejection, Subject,
    command::{DeclareHandover, TransferCustody},
    execution::counted,
    manifest,
    shipment::{Handover, Shipment},
};
use crate::{custody::Faults, state::Moment};

pub(crate) fn declare(
    freight: &Freight,
    command: &DeclareHandover,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_of(&context.area, &command.shipment_id, &command.carrier_id)?;
    let there = shipment.state == ShipmentState::ArrivedDestination;
    shipment.must(
        there,
        "goods are handed over when they have arrived at the destination",
    )?;
    let lines = counted(&command.lines, &shipment.on_board())?;
    let declared = shipment
        .handover
        .as_ref()
        .map(|handover| &handover.declared);
    if declared == Some(&lines) {
        return Ok(vec![]);
    }
    let resources = shipment.resources.as_ref();
    Ok(vec![
        pb::HandoverDeclared {
            shipment_id: command.shipment_id.clone(),
            carrier_id: command.carrier_id.clone(),
            driver_id: resources.map_or_else(String::new, |r| r.driver_id.clone()),
            lines,
        }
        .into(),
    ])
}

pub(crate) fn declared(freight: &mut Freight, moment: &Moment<'_>, event: &pb::HandoverDeclared) {
    freight.change(&event.shipment_id, moment, |shipment| {
        shipment.handover = Some(Handover {
            declared: event.lines.clone(),
            ..Handover::default()
        });
    });
}

pub(crate) fn transfer(
    freight: &Freight,
    command: &TransferCustody,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_in(&context.area, &command.shipment_id)?;
    let handover = shipment.handover.as_ref();
    let declared = handover.filter(|_| shipment.state == ShipmentState::ArrivedDestination);
    let Some(handover) = declared else {
        return repeated(&shipment, command);
    };
    let lines = receipts(&command.lines, &handover.declared)?;
    for line in &lines {
        bags(&shipment, line)?;
    }
    let resources = shipment.resources.as_ref();
    Ok(vec![
        pb::CustodyTransferred {
            shipment_id: command.shipment_id.clone(),
            carrier_id: shipment.carrier().unwrap_or_default().to_owned(),
            driver_id: resources.map_or_else(String::new, |r| r.driver_id.clone()),
            place: Some(shipment.load.destination.clone()),
            receiver_id: command.receiver_id.clone(),
            lines,
        }
        .into(),
    ])
}

/// The same receipt again changes nothing; another one is too late.
fn repeated(
    shipment: &Shipment,
    command: &TransferCustody,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let over = shipment.handover.as_ref().filter(|h| h.at.is_some());
    let same = over.is_some_and(|handover| {
        handover.receiver_id == command.receiver_id
            && receipts(&command.lines, &handover.declared)
                .is_ok_and(|lines| lines == handover.receipts)
    });
    shipment.must(
        same,
        "the carrier declares the hand-over after its arrival, and it is taken over once",
    )?;
    Ok(vec![])
}

/// One for each declared line; those that were not named are accepted in full.
fn receipts(given: &[LineReceipt], declared: &[LineCount]) -> Result<Vec<LineReceipt>, Rejection> {
    for (n, receipt) in given.iter().enumerate() {
        let line_id = &receipt.line_id;
        let wrong = |why: String| {
            Err(Rejection::Count {
                line_id: line_id.clone(),
                why,
            })
        };
        let Some(line) = declared.iter().find(|line| line.line_id == *line_id) else {
            return Err(Rejection::unknown(Subject::Line, line_id));
        };
        if given[..n].iter().any(|other| other.line_id == *line_id) {
            return wrong("it is counted twice".into());
        }
        let parts = [
            receipt.accepted_units,
            receipt.damaged_units,
            receipt.short_units,
        ];
        if parts.iter().any(|units| *units < 0) || sum(receipt) != i128::from(line.units) {
            return wrong(format!(
                "accepted, damaged and short units must sum up to the {} that were declared",
                line.units
            ));
        }
        if receipt.accepted_units != line.units && receipt.note.is_empty() {
            return wrong("say what is damaged or short".into());
        }
    }
    let receipt = |line: &LineCount| {
        let given = given.iter().find(|receipt| receipt.line_id == line.line_id);
        given.cloned().unwrap_or_else(|| LineReceipt {
            line_id: line.line_id.clone(),
            accepted_units: line.units,
            ..LineReceipt::default()
        })
    };
    Ok(declared.iter().map(receipt).collect())
}

/// Bags are the line's, and what was found of them fits the units.
fn bags(shipment: &Shipment, receipt: &LineReceipt) -> Result<(), Rejection> {
    let labels = receipt.bags.iter().map(|bag| &*bag.label);
    manifest::check_labels(shipment.load.of_line(&receipt.line_id), labels)?;
    for bag in &receipt.bags {
        let (word, units) = match bag.condition() {
            BagCondition::Damaged => ("damaged", receipt.damaged_units),
            BagCondition::Missing => ("missing", receipt.short_units),
            BagCondition::Accepted | BagCondition::Unspecified => continue,
        };
        if units == 0 {
            return Err(Rejection::Count {
                line_id: receipt.line_id.clone(),
                why: format!(
                    "bag {} is {word}, and none of its units is counted so",
                    bag.label
                ),
            });
        }
    }
    Ok(())
}

fn sum(receipt: &LineReceipt) -> i128 {
    i128::from(receipt.accepted_units)
        + i128::from(receipt.damaged_units)
        + i128::from(receipt.short_units)
}

pub(crate) fn transferred(
    freight: &mut Freight,
    faults: &mut Faults,
    moment: &Moment<'_>,
    event: &pb::CustodyTransferred,
) {
    let shipment = freight.shipments.get(&event.shipment_id);
    let handover = shipment.as_deref().and_then(|s| s.handover.as_ref());
    let declared = handover.map_or(&[][..], |handover| &handover.declared);
    let agree = declared.len() == event.lines.len()
        && declared.iter().all(|line| {
            let found = event.lines.iter().find(|l| l.line_id == line.line_id);
            found.is_some_and(|receipt| sum(receipt) == i128::from(line.units))
        });
    if !agree {
        let entity = format!("shipment/{}", event.shipment_id);
        let detail = "what was taken over is not what the carrier declared".into();
        faults.add(Invariant::OneCustodian, entity, detail);
    }
    freight.change(&event.shipment_id, moment, |shipment| {
        let handover = shipment.handover.get_or_insert_default();
        handover.receiver_id.clone_from(&event.receiver_id);
        handover.receipts.clone_from(&event.lines);
        handover.at = Some(moment.at);
        shipment.state = shipment.standing();
    });
}
