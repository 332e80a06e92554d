//! S01: an area activates and ends a contingency. While it is active, every
//! household of the area is in need.

use std::collections::BTreeMap;

use decider::{Area, Context, Recorded, Revision, Timestamp};
use proto::{
    OrderEvent,
    order::v1::{ContingencyActivated, ContingencyEnded},
};
use serde::{Deserialize, Serialize};

use crate::{rejection::Rejection, text};

/// The latest contingency of an area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contingency {
    pub contingency_id: String,
    /// What was announced.
    pub reason: String,
    pub activated: Timestamp,
    /// None while it is active.
    pub ended: Option<Timestamp>,
    pub updated: Timestamp,
    pub revision: Revision,
}

impl Contingency {
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.ended.is_none()
    }

    pub(crate) fn describe(&self) -> String {
        let since = text::time(self.activated);
        match self.ended {
            None => format!("contingency {} active since {since}", self.contingency_id),
            Some(ended) => format!(
                "contingency {} active from {since} to {}",
                self.contingency_id,
                text::time(ended)
            ),
        }
    }
}

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Contingencies {
    by_area: BTreeMap<Area, Contingency>,
}

impl Contingencies {
    pub(crate) fn get(&self, area: &Area) -> Option<&Contingency> {
        self.by_area.get(area)
    }

    pub(crate) fn active(&self, area: &Area) -> Option<&Contingency> {
        self.get(area).filter(|contingency| contingency.is_active())
    }

    pub(crate) fn active_areas(&self) -> impl Iterator<Item = &Area> {
        self.by_area
            .iter()
            .filter(|(_, contingency)| contingency.is_active())
            .map(|(area, _)| area)
    }

    pub(crate) fn activated(
        &mut self,
        record: &Recorded<OrderEvent>,
        event: &ContingencyActivated,
    ) {
        let contingency = Contingency {
            contingency_id: event.contingency_id.clone(),
            reason: event.reason.clone(),
            activated: record.occurred,
            ended: None,
            updated: record.occurred,
            revision: record.revision,
        };
        self.by_area
            .insert(area_of(&event.area, record), contingency);
    }

    pub(crate) fn ended(&mut self, record: &Recorded<OrderEvent>, event: &ContingencyEnded) {
        if let Some(contingency) = self.by_area.get_mut(&area_of(&event.area, record)) {
            contingency.revision = record.revision;
            contingency.updated = record.occurred;
            if contingency.contingency_id == event.contingency_id {
                contingency.ended.get_or_insert(record.occurred);
            }
        }
    }
}

fn area_of(code: &str, record: &Recorded<OrderEvent>) -> Area {
    Area::new(code).unwrap_or_else(|_| record.area.clone())
}

pub(crate) fn activate(
    contingencies: &Contingencies,
    reason: &str,
    context: &Context,
) -> Result<Vec<OrderEvent>, Rejection> {
    if let Some(active) = contingencies.active(&context.area) {
        return Err(Rejection::ContingencyAlreadyActive {
            area: context.area.clone(),
            contingency_id: active.contingency_id.clone(),
        });
    }
    Ok(vec![
        ContingencyActivated {
            area: context.area.as_str().to_owned(),
            contingency_id: context.new_id(0),
            reason: reason.to_owned(),
        }
        .into(),
    ])
}

/// Ending what is not active asks for what is already so.
pub(crate) fn end(contingencies: &Contingencies, context: &Context) -> Vec<OrderEvent> {
    contingencies
        .active(&context.area)
        .map(|active| {
            ContingencyEnded {
                area: context.area.as_str().to_owned(),
                contingency_id: active.contingency_id.clone(),
            }
            .into()
        })
        .into_iter()
        .collect()
}
