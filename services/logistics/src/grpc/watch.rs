//! What a partner firm is told as it happens.

use decider::{Area, Domain, EventSet, Position};
use logistics_domain::{Logistics, Pass, Shipment};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, ShipmentState, watch_tenders_response::Update},
    record,
    view::View,
};
use service_kit::{
    follow::{Entry, Follower},
    partition::Partition,
};

/// The tenders and passes of one firm in one area.
pub struct TenderWatch {
    pub carrier_id: String,
    pub area: Area,
}

/// Only events of these types are decoded: a watcher reads the whole log.
const TYPES: [&str; 11] = [
    "ShipmentTendered",
    "TenderExpired",
    "TenderWithdrawn",
    "PassIssued",
    "PassRefused",
    "PassRevoked",
    "PassExpired",
    "IncidentOpened",
    "IncidentClosed",
    "CustodyTransferred",
    "ShipmentClosed",
];

/// Whether a record may mean something to some firm.
pub fn may_mean_something(entry: &Entry) -> bool {
    match View::of(&entry.bytes) {
        Some(view) => is_told(view.type_name),
        // `message` finds out.
        None => true,
    }
}

fn is_told(type_name: &str) -> bool {
    type_name
        .rsplit_once('.')
        .is_some_and(|(_, short)| TYPES.contains(&short))
}

impl TenderWatch {
    fn update(&self, partition: &Partition<Logistics>, event: &LogisticsEvent) -> Option<Update> {
        let own = |carrier_id: &str| carrier_id == self.carrier_id;
        let end = |shipment_id: &str, round, reason: pb::WithdrawReason| {
            Update::Ended(pb::TenderEnd {
                shipment_id: shipment_id.to_owned(),
                round,
                reason: reason.into(),
            })
        };
        match event {
            LogisticsEvent::ShipmentTendered(e) if own(&e.carrier_id) => {
                Some(Update::Tendered(self.tendered(partition, e)))
            }
            LogisticsEvent::TenderExpired(e) if own(&e.carrier_id) => Some(end(
                &e.shipment_id,
                e.round,
                pb::WithdrawReason::Unspecified,
            )),
            LogisticsEvent::TenderWithdrawn(e) if own(&e.carrier_id) => {
                Some(end(&e.shipment_id, e.round, e.reason()))
            }
            LogisticsEvent::PassIssued(pb::PassIssued {
                carrier_id,
                pass_id,
                ..
            })
            | LogisticsEvent::PassRefused(pb::PassRefused {
                carrier_id,
                pass_id,
                ..
            })
            | LogisticsEvent::PassRevoked(pb::PassRevoked {
                carrier_id,
                pass_id,
                ..
            })
            | LogisticsEvent::PassExpired(pb::PassExpired {
                carrier_id,
                pass_id,
            }) if own(carrier_id) => self.pass(partition, pass_id),
            LogisticsEvent::IncidentOpened(pb::IncidentOpened { shipment_id, .. })
            | LogisticsEvent::IncidentClosed(pb::IncidentClosed { shipment_id, .. })
            | LogisticsEvent::CustodyTransferred(pb::CustodyTransferred { shipment_id, .. })
            | LogisticsEvent::ShipmentClosed(pb::ShipmentClosed { shipment_id }) => {
                self.shipment(partition, shipment_id)
            }
            _ => None,
        }
    }

    /// The shipment as it is, if this is still its round.
    fn tendered(
        &self,
        partition: &Partition<Logistics>,
        event: &pb::ShipmentTendered,
    ) -> pb::Shipment {
        let now = partition.peek(|machine| {
            let shipment = machine.state().shipment(&self.area, &event.shipment_id)?;
            let round = shipment.tender.as_ref().map(|tender| tender.round);
            let open = round == Some(event.round) && shipment.carrier() == Some(&self.carrier_id);
            open.then(|| Shipment::to_message(&shipment))
        });
        now.unwrap_or_else(|| pb::Shipment {
            shipment_id: event.shipment_id.clone(),
            state: ShipmentState::Tendered.into(),
            load_version: event.load_version,
            carrier_id: event.carrier_id.clone(),
            round: event.round,
            answer_by_time: event.answer_by_time,
            weight_grams: event.weight_grams,
            ..Default::default()
        })
    }

    /// The shipment as it is, if it is the firm's.
    fn shipment(&self, partition: &Partition<Logistics>, shipment_id: &str) -> Option<Update> {
        let shipment = partition.peek(|machine| {
            let shipment = machine.state().shipment(&self.area, shipment_id)?;
            let own = shipment.carrier() == Some(&self.carrier_id);
            own.then(|| Shipment::to_message(&shipment))
        });
        shipment.map(Update::Shipment)
    }

    fn pass(&self, partition: &Partition<Logistics>, pass_id: &str) -> Option<Update> {
        let pass = partition.peek(|machine| {
            let pass = machine.state().pass(&self.area, pass_id)?;
            Some(Pass::to_message(pass))
        });
        pass.map(Update::Pass)
    }
}

impl Follower<Logistics> for TenderWatch {
    type Message = pb::WatchTendersResponse;

    fn message(
        &mut self,
        partition: &Partition<Logistics>,
        entry: &Entry,
    ) -> Option<pb::WatchTendersResponse> {
        let raw;
        let (type_name, area, data) = if let Some(view) = View::of(&entry.bytes) {
            (view.type_name, view.area, view.data)
        } else {
            raw = record::decode(&entry.bytes).ok()?;
            let event = &raw.event;
            (&*event.type_name, raw.area.as_str(), &event.data[..])
        };
        if area != self.area.as_str() || !is_told(type_name) {
            return None;
        }
        let event = <Logistics as Domain>::Event::decode(type_name, data).ok()?;
        let update = self.update(partition, &event)?;
        Some(pb::WatchTendersResponse {
            cursor: entry.position.0,
            update: Some(update),
        })
    }

    fn heartbeat(&mut self, at: Position) -> pb::WatchTendersResponse {
        pb::WatchTendersResponse {
            cursor: at.0,
            update: Some(Update::Heartbeat(pb::Heartbeat {})),
        }
    }
}
