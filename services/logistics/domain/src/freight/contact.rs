//! What is personal of a shipment: whom the driver asks for at the stops, who
//! received the goods, and the PIN. All of it is sealed with a key of the
//! shipment's own; who may see it in clear, and when it is forgotten.

use decider::{Area, Context, Role, Timestamp};
use proto::{LogisticsEvent, logistics::v1 as pb};

use super::{
    Freight, Rejection, Subject,
    command::{EraseShipmentPersonalData, RecordShipmentKeyDestroyed, SetContacts},
    shipment::Shipment,
};
use crate::state::{Moment, State};

/// Days after its end for which what is personal of a shipment is kept, for
/// complaints.
pub const PERSONAL_DAYS: i64 = 30;

impl Shipment {
    /// Whether somebody in this role, who asks for this firm, may see it in
    /// clear: the firm that has accepted the load and the area's dispatchers,
    /// until the shipment is over. An auditor needs no telephone numbers.
    #[must_use]
    pub fn shows_personal_data(&self, role: Role, carrier_id: &str) -> bool {
        let going_on = self.ended.is_none();
        match role {
            Role::Carrier => {
                going_on && self.carrier() == Some(carrier_id) && self.accepted().is_some()
            }
            Role::Dispatcher | Role::Operator => going_on,
            _ => false,
        }
    }

    pub(crate) fn erasure_due(&self) -> Option<Timestamp> {
        let owed = self.keyed && self.personal_erased.is_none();
        let ended = self.ended.filter(|_| owed)?;
        Some(ended.plus_minutes(PERSONAL_DAYS * 24 * 60))
    }

    /// Those that a shipment of one of its pickups takes along; they stay under
    /// this one's key.
    pub(crate) fn contacts_for(
        &self,
        shipment_id: String,
        stop_id: &str,
    ) -> Option<LogisticsEvent> {
        let contacts = self.contacts.iter();
        let contacts = contacts.filter(|(stop, _)| stop.is_empty() || *stop == stop_id);
        let contacts: Vec<_> = contacts
            .map(|(stop_id, contact)| pb::SealedContact {
                stop_id: stop_id.clone(),
                contact: Some(contact.clone()),
            })
            .collect();
        let set = pb::ShipmentContactsSet {
            shipment_id,
            contacts,
        };
        (!set.contacts.is_empty()).then(|| set.into())
    }
}

pub(crate) fn set(
    freight: &Freight,
    command: &SetContacts,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_in(&context.area, &command.shipment_id)?;
    let open = shipment.ended.is_none();
    shipment.must(open, "contacts are those of a shipment that is not over")?;
    let mut stops = command.contacts.keys().filter(|stop| !stop.is_empty());
    if let Some(unknown) = stops.find(|stop| shipment.load.pickup(stop).is_none()) {
        return Err(Rejection::unknown(Subject::Stop, unknown));
    }
    if command.contacts == shipment.contacts {
        return Ok(vec![]);
    }
    let contacts = command.contacts.iter();
    let contacts = contacts.map(|(stop_id, contact)| pb::SealedContact {
        stop_id: stop_id.clone(),
        contact: Some(contact.clone()),
    });
    Ok(vec![
        pb::ShipmentContactsSet {
            shipment_id: command.shipment_id.clone(),
            contacts: contacts.collect(),
        }
        .into(),
    ])
}

pub(crate) fn contacts_set(
    freight: &mut Freight,
    moment: &Moment<'_>,
    event: &pb::ShipmentContactsSet,
) {
    freight.change(&event.shipment_id, moment, |shipment| {
        shipment.keyed |= !event.contacts.is_empty();
        let contacts = event.contacts.iter();
        shipment.contacts = contacts
            .filter_map(|one| Some((one.stop_id.clone(), one.contact.clone()?)))
            .collect();
    });
}

/// Timer.
pub(crate) fn erase(
    freight: &Freight,
    command: &EraseShipmentPersonalData,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_in(&context.area, &command.shipment_id)?;
    let due = shipment.erasure_due().is_some_and(|at| at <= context.now);
    let erased = due.then(|| pb::ShipmentPersonalDataErased {
        shipment_id: command.shipment_id.clone(),
    });
    Ok(erased.map(LogisticsEvent::from).into_iter().collect())
}

pub(crate) fn erased(
    freight: &mut Freight,
    moment: &Moment<'_>,
    event: &pb::ShipmentPersonalDataErased,
) {
    freight.change(&event.shipment_id, moment, |shipment| {
        shipment.contacts.clear();
        shipment.pin = None;
        for proof in &mut shipment.proofs {
            proof.recipient = None;
        }
        shipment.personal_erased = Some(moment.at);
    });
    if freight.shipments.contains(&event.shipment_id) {
        freight.keys_owed.insert(event.shipment_id.clone());
    }
}

pub(crate) fn destroy(
    freight: &Freight,
    command: &RecordShipmentKeyDestroyed,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    freight.shipment_in(&context.area, &command.shipment_id)?;
    let owed = freight.keys_owed.contains(&command.shipment_id);
    let destroyed = owed.then(|| pb::ShipmentKeyDestroyed {
        shipment_id: command.shipment_id.clone(),
    });
    Ok(destroyed.map(LogisticsEvent::from).into_iter().collect())
}

pub(crate) fn destroyed(
    freight: &mut Freight,
    moment: &Moment<'_>,
    event: &pb::ShipmentKeyDestroyed,
) {
    freight.keys_owed.remove(&event.shipment_id);
    freight.change(&event.shipment_id, moment, |shipment| {
        shipment.key_destroyed = Some(moment.at);
    });
}

impl Freight {
    /// They follow from the shipments and are not written with them.
    pub(crate) fn set_keys_owed(&mut self) {
        let all = self.shipments.iter();
        let owed = all.filter(|shipment| shipment.personal_erased > shipment.key_destroyed);
        self.keys_owed = owed.map(|s| s.shipment_id.clone()).collect();
    }
}

/// For who destroys the keys.
impl State {
    /// Shipments whose key is to be destroyed, with their areas.
    pub fn shipment_keys_owed(&self) -> impl Iterator<Item = (Area, &str)> {
        let owed = self.freight.keys_owed.iter();
        owed.filter_map(|id| Some((self.freight.shipments.get(id)?.area.clone(), &**id)))
    }

    #[must_use]
    pub fn shipment_keys_owed_count(&self) -> usize {
        self.freight.keys_owed.len()
    }
}
