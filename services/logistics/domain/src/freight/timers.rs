//! What happens by itself on the trunk leg: a tender without an answer
//! expires, a pass runs out, a shipment that was handed over is closed.

use std::collections::BTreeSet;

use decider::{Due, Timestamp};

use super::{
    Freight, Pass, Shipment,
    command::{CloseShipment, ExpirePass, ExpireTender},
};
use crate::Command;
use proto::logistics::v1::{PassState, ShipmentState};

/// A shipment that was handed over is closed by itself after this time.
const CLOSE_MINUTES: i64 = 12 * 60;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deadline {
    /// Shipment and round.
    Tender(String, i32),
    Pass(String),
    Close(String),
}

/// At most `limit`, the earliest first.
pub(crate) fn due(freight: &Freight, now: Timestamp, limit: usize) -> Vec<Due<Command>> {
    let over = freight.deadlines.iter().take_while(|(at, _)| *at <= now);
    let loads = freight.match_loads.due(now, limit);
    let mut due: Vec<_> = over
        .take(limit)
        .filter_map(|(at, deadline)| {
            let (area, command) = match deadline {
                Deadline::Tender(shipment_id, round) => (
                    &freight.shipments.get(shipment_id)?.area,
                    ExpireTender {
                        shipment_id: shipment_id.clone(),
                        round: *round,
                    }
                    .into(),
                ),
                Deadline::Pass(pass_id) => (
                    &freight.passes.get(pass_id)?.area,
                    ExpirePass {
                        pass_id: pass_id.clone(),
                    }
                    .into(),
                ),
                Deadline::Close(shipment_id) => (
                    &freight.shipments.get(shipment_id)?.area,
                    CloseShipment {
                        shipment_id: shipment_id.clone(),
                    }
                    .into(),
                ),
            };
            Some(Due {
                area: area.clone(),
                at: *at,
                command,
            })
        })
        .chain(loads)
        .collect();
    due.sort_by_key(|due| due.at);
    due.truncate(limit);
    due
}

pub(crate) fn next_due(freight: &Freight) -> Option<Timestamp> {
    let first = freight.deadlines.first().map(|(at, _)| *at);
    first
        .into_iter()
        .chain(freight.match_loads.next_due())
        .min()
}

type Timed = (Timestamp, Deadline);

pub(crate) fn replace(
    deadlines: &mut BTreeSet<Timed>,
    before: Option<Timed>,
    after: Option<Timed>,
) {
    if before != after {
        before.map(|before| deadlines.remove(&before));
        deadlines.extend(after);
    }
}

impl Pass {
    pub(crate) fn deadline(&self) -> Option<Timed> {
        let issued = self.state == PassState::Issued;
        issued.then(|| (self.to, Deadline::Pass(self.pass_id.clone())))
    }
}

impl Shipment {
    pub(crate) fn deadline(&self) -> Option<Timed> {
        let id = self.shipment_id.clone();
        match self.state {
            ShipmentState::Tendered => {
                let tender = self.tender.as_ref()?;
                Some((tender.answer_by, Deadline::Tender(id, tender.round)))
            }
            ShipmentState::CustodyTransferred => {
                let over = self.handover.as_ref()?.at?;
                Some((over.plus_minutes(CLOSE_MINUTES), Deadline::Close(id)))
            }
            _ => None,
        }
    }
}

impl Freight {
    /// Deadlines follow from the entities and are not written with them.
    pub(crate) fn set_deadlines(&mut self) {
        let passes = self.passes.values().filter_map(Pass::deadline);
        let shipments = self.shipments.values().filter_map(Shipment::deadline);
        self.deadlines = passes.chain(shipments).collect();
    }
}
