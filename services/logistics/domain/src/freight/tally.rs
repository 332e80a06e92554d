//! Bags on a load whose orders are parcels: what a carrier or a receiver
//! counts must name the bags that are not there, since a number alone would
//! let one get lost in silence.

use std::collections::BTreeMap;

use proto::{
    LogisticsEvent,
    logistics::v1::{BagCondition, ExceptionCode, LineCount, LineReceipt, LoadLine, Milestone},
};

use super::{
    Rejection, Shipment,
    command::{DeclareHandover, ReportMilestone, TransferCustody},
    consolidation::bags,
    execution, handover,
};
use crate::{Rejection as AnyRejection, state::State};

use decider::Context;

type Decided = Result<Vec<LogisticsEvent>, AnyRejection>;

/// What is in each bag, by its label.
type Units = BTreeMap<String, i64>;

fn units(state: &State, shipment: &Shipment) -> Units {
    let goods = state.freight.goods.on(&shipment.shipment_id);
    let bags = goods.flat_map(|goods| bags(state, &goods.order_id).iter().collect::<Vec<_>>());
    bags.map(|bag| (bag.label, bag.quantity_units)).collect()
}

pub(crate) fn report(state: &State, command: &ReportMilestone, context: &Context) -> Decided {
    let freight = &state.freight;
    let shipment = freight.shipment_of(&context.area, &command.shipment_id, &command.carrier_id)?;
    let known = shipment.reports.contains_key(&command.report_id);
    if shipment.carries_parcels && command.milestone == Milestone::Loaded && !known {
        let units = units(state, &shipment);
        if let Some(pickup) = shipment.load.pickup(&command.stop_id) {
            let planned = |line: &LoadLine| (line.quantity_units, line.labels.clone());
            let lines = pickup.lines.iter();
            let planned = lines.map(|line| (line.line_id.as_str(), planned(line)));
            check_counts(&command.lines, &planned.collect(), &units)?;
        }
    }
    Ok(execution::report(freight, command, context)?)
}

pub(crate) fn declare(state: &State, command: &DeclareHandover, context: &Context) -> Decided {
    let freight = &state.freight;
    let shipment = freight.shipment_of(&context.area, &command.shipment_id, &command.carrier_id)?;
    if shipment.carries_parcels {
        let on_board = shipment.on_board();
        let units = units(state, &shipment);
        let lines = on_board.iter().map(|line| {
            let labels = there(&shipment, &line.line_id, &line.missing_labels);
            (line.line_id.as_str(), (line.units, labels))
        });
        check_counts(&command.lines, &lines.collect(), &units)?;
    }
    Ok(handover::declare(freight, command, context)?)
}

pub(crate) fn transfer(state: &State, command: &TransferCustody, context: &Context) -> Decided {
    let freight = &state.freight;
    let shipment = freight.shipment_in(&context.area, &command.shipment_id)?;
    let open = shipment.handover.as_ref().filter(|h| h.at.is_none());
    if let Some(handover) = open.filter(|_| shipment.carries_parcels) {
        let units = units(state, &shipment);
        let lines = handover.declared.iter().map(|line| {
            let labels = there(&shipment, &line.line_id, &line.missing_labels);
            (line.line_id.as_str(), labels)
        });
        check_receipts(&command.lines, &lines.collect(), &units)?;
    }
    Ok(handover::transfer(freight, command, context)?)
}

/// The line's bags without those.
fn there(shipment: &Shipment, line_id: &str, missing: &[String]) -> Vec<String> {
    let line = shipment.load.lines().find(|line| line.line_id == line_id);
    let labels = line.into_iter().flat_map(|line| &line.labels);
    labels
        .filter(|label| !missing.contains(label))
        .cloned()
        .collect()
}

/// Lines by their id: how many units, in which bags.
type Bound<'a> = BTreeMap<&'a str, (i64, Vec<String>)>;

fn check_counts(counts: &[LineCount], bound: &Bound<'_>, units: &Units) -> Result<(), Rejection> {
    for count in counts {
        let Some((most, labels)) = bound.get(count.line_id.as_str()) else {
            continue;
        };
        let missing = sum(&count.line_id, &count.missing_labels, labels, units)?;
        if count.units.saturating_add(missing) != *most {
            return Err(wrong(
                &count.line_id,
                format!(
                    "of {most} units {} are there: name the bags of the others in missing_labels",
                    count.units
                ),
            ));
        }
    }
    Ok(())
}

fn check_receipts(
    receipts: &[LineReceipt],
    declared: &BTreeMap<&str, Vec<String>>,
    units: &Units,
) -> Result<(), Rejection> {
    for receipt in receipts {
        let line_id = &receipt.line_id;
        let Some(labels) = declared.get(line_id.as_str()) else {
            continue;
        };
        for (what, counted, condition) in [
            ("damaged", receipt.damaged_units, BagCondition::Damaged),
            ("short", receipt.short_units, BagCondition::Missing),
        ] {
            let named: Vec<String> = receipt.bags_in(condition).map(str::to_owned).collect();
            let in_bags = sum(line_id, &named, labels, units)?;
            if in_bags != counted {
                return Err(wrong(
                    line_id,
                    format!(
                        "{counted} units are {what}, and the bags named as such have {in_bags}: \
                         name them in bags; a bag counts as a whole"
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// The units in the bags that are named of a line.
fn sum(
    line_id: &str,
    named: &[String],
    labels: &[String],
    units: &Units,
) -> Result<i64, Rejection> {
    for (n, label) in named.iter().enumerate() {
        if !labels.contains(label) {
            return Err(wrong(line_id, format!("bag {label} is not among its bags")));
        }
        if named[..n].contains(label) {
            return Err(wrong(line_id, format!("bag {label} is named twice")));
        }
    }
    let units = named.iter().filter_map(|label| units.get(label));
    Ok(units.fold(0_i64, |sum, units| sum.saturating_add(*units)))
}

fn wrong(line_id: &str, why: String) -> Rejection {
    Rejection::Count {
        line_id: line_id.to_owned(),
        why,
    }
}

/// What became of the bags that were not taken over, with the reason.
pub(crate) type Fates = BTreeMap<String, (ExceptionCode, String)>;

/// Of a shipment that was handed over; of one that was lost, every bag.
pub(crate) fn fates(shipment: &Shipment) -> Fates {
    let mut fates = Fates::new();
    let mut short = |labels: &mut dyn Iterator<Item = &String>, note: &str| {
        for label in labels {
            let fate = (ExceptionCode::Short, note.to_owned());
            fates.entry(label.clone()).or_insert(fate);
        }
    };
    if shipment.lost.is_some() {
        let mut labels = shipment.load.lines().flat_map(|line| &line.labels);
        short(&mut labels, "lost on the way");
        return fates;
    }
    let handover = shipment.handover.clone().unwrap_or_default();
    for line in shipment.load.lines() {
        let declared = handover.declared.iter().find(|d| d.line_id == line.line_id);
        match declared {
            None => short(&mut line.labels.iter(), "not among what was handed over"),
            Some(declared) => short(
                &mut declared.missing_labels.iter(),
                "not among what was handed over",
            ),
        }
    }
    for receipt in &handover.receipts {
        for (condition, code) in [
            (BagCondition::Damaged, ExceptionCode::Damaged),
            (BagCondition::Missing, ExceptionCode::Short),
        ] {
            for label in receipt.bags_in(condition) {
                fates.insert(label.to_owned(), (code, receipt.note.clone()));
            }
        }
    }
    fates
}

/// Bags of a pickup that stayed behind at its loading.
pub(crate) fn left_behind(shipment: &Shipment, stop_id: &str) -> Vec<String> {
    let counts = shipment.pickups.get(stop_id).map(|pickup| &pickup.lines);
    let lines = shipment.load.pickup(stop_id).map(|pickup| &pickup.lines);
    let lines = lines.into_iter().flatten();
    let missing = lines.flat_map(|line| {
        let mut counts = counts.into_iter().flatten();
        match counts.find(|count| count.line_id == line.line_id) {
            Some(count) => count.missing_labels.clone(),
            None => line.labels.clone(),
        }
    });
    missing.collect()
}
