//! What a shipment carries, from where to where (S13).

use std::collections::BTreeSet;

use decider::Timestamp;
use proto::{
    logistics::v1::{self as pb, LoadLine, Place},
    time::{or_epoch, to_proto},
};
use serde::{Deserialize, Serialize};

use super::Rejection;
use crate::units::Grams;

/// Pickups of one load.
pub const LOAD_PICKUPS_MAX: usize = 10;
/// Lines of one load: it stands in several events, each of which must fit into
/// one record of the log.
pub const LOAD_LINES_MAX: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pickup {
    pub stop_id: String,
    pub place: Place,
    pub from: Timestamp,
    pub to: Timestamp,
    pub lines: Vec<LoadLine>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// In the order in which they are driven to.
    pub pickups: Vec<Pickup>,
    pub destination: Place,
    /// From when to when it is to be there.
    pub due: (Timestamp, Timestamp),
    pub order_ids: Vec<String>,
}

impl Load {
    /// # Errors
    /// [`Rejection::Load`] with what is wrong.
    pub(crate) fn check(&self) -> Result<(), Rejection> {
        let wrong = |why: String| Err(Rejection::Load { why });
        let lines: usize = self.pickups.iter().map(|p| p.lines.len()).sum();
        if self.pickups.is_empty() || self.pickups.len() > LOAD_PICKUPS_MAX {
            return wrong(format!("1 to {LOAD_PICKUPS_MAX} pickups are needed"));
        }
        if lines == 0 || lines > LOAD_LINES_MAX {
            return wrong(format!("1 to {LOAD_LINES_MAX} lines are needed"));
        }
        if self.due.1 <= self.due.0 {
            return wrong("the time when it is due must end after it begins".into());
        }
        let (mut stops, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for pickup in &self.pickups {
            if !stops.insert(&pickup.stop_id) {
                return wrong(format!("stop {} is named twice", pickup.stop_id));
            }
            if pickup.to <= pickup.from {
                return wrong(format!(
                    "the time of stop {} must end after it begins",
                    pickup.stop_id
                ));
            }
            for line in &pickup.lines {
                if !ids.insert(&line.line_id) {
                    return wrong(format!("line {} is named twice", line.line_id));
                }
                if line.quantity_units <= 0 || line.weight_grams <= 0 {
                    return wrong(format!("line {} carries nothing", line.line_id));
                }
            }
        }
        Ok(())
    }

    #[must_use]
    pub fn weight(&self) -> Grams {
        self.lines().map(|line| Grams(line.weight_grams)).sum()
    }

    pub fn lines(&self) -> impl Iterator<Item = &LoadLine> {
        self.pickups.iter().flat_map(|pickup| &pickup.lines)
    }

    /// The line of this id, of any pickup.
    pub(crate) fn of_line<'a>(&'a self, line_id: &'a str) -> impl Iterator<Item = &'a LoadLine> {
        self.lines().filter(move |line| line.line_id == line_id)
    }

    #[must_use]
    pub fn pickup(&self, stop_id: &str) -> Option<&Pickup> {
        self.pickups.iter().find(|pickup| pickup.stop_id == stop_id)
    }

    /// Every zone that the vehicle stops in.
    #[must_use]
    pub fn zones(&self) -> BTreeSet<&str> {
        let pickups = self.pickups.iter().map(|pickup| pickup.place.zone.as_str());
        pickups.chain([self.destination.zone.as_str()]).collect()
    }

    /// The part that is picked up at one stop.
    pub(crate) fn only(&self, stop_id: &str) -> Option<Self> {
        let pickup = self.pickup(stop_id)?.clone();
        Some(Self {
            pickups: vec![pickup],
            destination: self.destination.clone(),
            due: self.due,
            order_ids: self.order_ids.clone(),
        })
    }

    #[must_use]
    pub fn to_message(&self) -> pb::Load {
        let pickups = self.pickups.iter().map(|pickup| pb::Pickup {
            stop_id: pickup.stop_id.clone(),
            place: Some(pickup.place.clone()),
            from_time: Some(to_proto(pickup.from)),
            to_time: Some(to_proto(pickup.to)),
            lines: pickup.lines.clone(),
        });
        pb::Load {
            pickups: pickups.collect(),
            destination: Some(self.destination.clone()),
            due_from_time: Some(to_proto(self.due.0)),
            due_to_time: Some(to_proto(self.due.1)),
            order_ids: self.order_ids.clone(),
        }
    }

    /// What an event said; what it left out is empty.
    pub(crate) fn from_message(load: Option<&pb::Load>) -> Self {
        let load = load.cloned().unwrap_or_default();
        let pickups = load.pickups.into_iter().map(|pickup| Pickup {
            stop_id: pickup.stop_id,
            place: pickup.place.unwrap_or_default(),
            from: or_epoch(pickup.from_time.as_ref()),
            to: or_epoch(pickup.to_time.as_ref()),
            lines: pickup.lines,
        });
        Self {
            pickups: pickups.collect(),
            destination: load.destination.unwrap_or_default(),
            due: (
                or_epoch(load.due_from_time.as_ref()),
                or_epoch(load.due_to_time.as_ref()),
            ),
            order_ids: load.order_ids,
        }
    }
}
