//! What happens by itself on the trunk leg: a tender without an answer
//! expires, a pass runs out, a shipment that was handed over is closed, photos
//! and what is personal are erased; loads are made of what waits on routes,
//! given up when nobody took them, and handed over parcel by parcel.

use std::collections::BTreeSet;

use decider::{Area, Due, Timestamp};

use super::{
    Freight, Pass, Shipment,
    command::{
        CloseShipment, ErasePhotos, EraseShipmentPersonalData, ExpirePass, ExpireTender,
        GiveUpLoad, MakeLoad, ReceiveLoad,
    },
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
    /// A photo of the shipment has been kept long enough.
    Photos(String),
    /// What is personal of the shipment has been kept long enough.
    PersonalData(String),
    /// A load is made of what waits: area, checkpoint, end of the window.
    Window(Area, String, Timestamp),
    /// Nobody took a load of parcels until it was due.
    GiveUp(String),
    /// A shipment owes the checkpoint its parcels.
    Parcels(String),
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
                    freight.shipments.get(shipment_id)?.area.clone(),
                    ExpireTender {
                        shipment_id: shipment_id.clone(),
                        round: *round,
                    }
                    .into(),
                ),
                Deadline::Pass(pass_id) => (
                    freight.passes.get(pass_id)?.area.clone(),
                    ExpirePass {
                        pass_id: pass_id.clone(),
                    }
                    .into(),
                ),
                Deadline::Photos(shipment_id) => (
                    freight.shipments.get(shipment_id)?.area.clone(),
                    ErasePhotos {
                        shipment_id: shipment_id.clone(),
                    }
                    .into(),
                ),
                Deadline::PersonalData(shipment_id) => (
                    freight.shipments.get(shipment_id)?.area.clone(),
                    EraseShipmentPersonalData {
                        shipment_id: shipment_id.clone(),
                    }
                    .into(),
                ),
                Deadline::Close(shipment_id) => (
                    freight.shipments.get(shipment_id)?.area.clone(),
                    CloseShipment {
                        shipment_id: shipment_id.clone(),
                    }
                    .into(),
                ),
                Deadline::Window(area, checkpoint_id, window) => (
                    area.clone(),
                    MakeLoad {
                        checkpoint_id: checkpoint_id.clone(),
                        window: *window,
                    }
                    .into(),
                ),
                Deadline::GiveUp(shipment_id) => (
                    freight.shipments.get(shipment_id)?.area.clone(),
                    GiveUpLoad {
                        shipment_id: shipment_id.clone(),
                    }
                    .into(),
                ),
                Deadline::Parcels(shipment_id) => (
                    freight.shipments.get(shipment_id)?.area.clone(),
                    ReceiveLoad {
                        shipment_id: shipment_id.clone(),
                    }
                    .into(),
                ),
            };
            Some(Due {
                area,
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

pub(crate) fn replace<const N: usize>(
    deadlines: &mut BTreeSet<Timed>,
    before: [Option<Timed>; N],
    after: [Option<Timed>; N],
) {
    if before != after {
        for before in before.into_iter().flatten() {
            deadlines.remove(&before);
        }
        deadlines.extend(after.into_iter().flatten());
    }
}

impl Pass {
    pub(crate) fn deadline(&self) -> Option<Timed> {
        let issued = self.state == PassState::Issued;
        issued.then(|| (self.to, Deadline::Pass(self.pass_id.clone())))
    }
}

impl Shipment {
    pub(crate) fn deadlines(&self) -> [Option<Timed>; 3] {
        let photos = self.photos.iter().filter(|photo| photo.erased.is_none());
        let first = photos.map(|photo| photo.delete_at).min();
        let photos = first.map(|at| (at, Deadline::Photos(self.shipment_id.clone())));
        let erasure = self.erasure_due();
        let erasure = erasure.map(|at| (at, Deadline::PersonalData(self.shipment_id.clone())));
        [self.next_step(), photos, erasure]
    }

    fn next_step(&self) -> Option<Timed> {
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
            ShipmentState::Draft => Some((self.gives_up()?, Deadline::GiveUp(id))),
            _ => None,
        }
    }
}

impl Freight {
    /// Deadlines and drafts follow from the entities and are not written with
    /// them.
    pub(crate) fn set_deadlines(&mut self) {
        let passes = self.passes.values().filter_map(Pass::deadline);
        let shipments = self.shipments.iter().flat_map(|s| s.deadlines());
        self.deadlines = passes.chain(shipments.flatten()).collect();
        let drafts = self.shipments.moving_after(None);
        let drafts = drafts.filter(|shipment| shipment.state == ShipmentState::Draft);
        self.drafts = drafts.map(|s| s.shipment_id.clone()).collect();
    }
}
