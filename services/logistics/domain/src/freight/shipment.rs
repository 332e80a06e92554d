//! A shipment: its load, how far it has come, and how it ends.
//!
//! State and outcome are separate. Where it stands follows from what was
//! reported, in whatever order that came: see `execution`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use decider::{Area, Context, EntityId, Revision, Timestamp, store::Rests};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, LineCount, LineReceipt, ShipmentState},
    types::v1::Sealed,
};
use serde::{Deserialize, Serialize};

use super::{
    Freight, Rejection, capacity,
    command::{CancelShipment, ChangeLoad, CloseShipment, DraftShipment},
    consolidation,
    execution::Report,
    incident::Incident,
    load::Load,
    photo::Photo,
    pin::Pin,
    proof::Proof,
    rejection::Subject,
    tender,
};
use crate::{state::Moment, units::Grams};

/// The latest offer of a shipment to a carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tender {
    pub round: i32,
    pub carrier_id: String,
    /// Empty where a dispatcher chose the carrier.
    pub offer_id: String,
    pub answer_by: Timestamp,
    /// What is booked on the offer.
    pub weight: Grams,
    pub accepted: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    pub vehicle_id: String,
    pub driver_id: String,
    pub pass_id: String,
}

/// What is known of one pickup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PickupProgress {
    pub arrived: Option<Timestamp>,
    pub loaded: Option<Timestamp>,
    pub failed: Option<Timestamp>,
    /// What is on the vehicle.
    pub lines: Vec<LineCount>,
    /// Bags that were scanned.
    pub labels: Vec<String>,
}

impl PickupProgress {
    pub(crate) const fn is_done(&self) -> bool {
        self.loaded.is_some() || self.failed.is_some()
    }
}

/// Both sides of the hand-over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Handover {
    pub declared: Vec<LineCount>,
    pub receiver_id: String,
    pub receipts: Vec<LineReceipt>,
    pub at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shipment {
    pub shipment_id: String,
    pub area: Area,
    pub load: Load,
    pub load_version: i32,
    pub returns: String,
    pub continues: String,
    /// Its orders are parcels, of which it has the custody from the loading on.
    pub carries_parcels: bool,
    /// Orders that were cancelled after their goods were loaded.
    pub recalled: BTreeSet<String>,
    pub state: ShipmentState,
    pub tender: Option<Tender>,
    /// Carriers that did not take the present load: it is not offered to them
    /// again by itself.
    pub passed_over: BTreeSet<String>,
    pub resources: Option<Resources>,
    pub departed: Option<Timestamp>,
    pub pickups: BTreeMap<String, PickupProgress>,
    pub in_transit: Option<Timestamp>,
    pub arrived: Option<Timestamp>,
    pub lost: Option<Timestamp>,
    /// Every report of a milestone by its id, so that a repetition is known.
    pub reports: BTreeMap<String, Report>,
    /// Ids of the latest reports of a position.
    pub recent_positions: VecDeque<String>,
    /// Latitude and longitude in degrees × 10^7, and when it was there.
    pub position: Option<(i32, i32, Timestamp)>,
    pub eta: Option<Timestamp>,
    pub handover: Option<Handover>,
    pub proofs: Vec<Proof>,
    pub photos: Vec<Photo>,
    pub pin: Option<Pin>,
    /// Whom the driver asks for, by stop; at the destination under nothing.
    pub contacts: BTreeMap<String, Sealed>,
    /// Something was ever sealed for it: what was taken back stands in the log.
    pub keyed: bool,
    /// When what is personal of it was erased, and when the key was destroyed.
    pub personal_erased: Option<Timestamp>,
    pub key_destroyed: Option<Timestamp>,
    pub incidents: BTreeMap<String, Incident>,
    pub drafted: Timestamp,
    pub ended: Option<Timestamp>,
    pub revision: Revision,
}

/// At its end there is little to tell of it, as a rule, but the record.
impl Rests for Shipment {
    type Glance = ShipmentState;

    fn id(&self) -> EntityId {
        (&*self.shipment_id).into()
    }

    fn at_rest(&self) -> Option<ShipmentState> {
        let rests = matches!(
            self.state,
            ShipmentState::Closed | ShipmentState::Cancelled | ShipmentState::Lost
        );
        rests.then_some(self.state)
    }
}

impl Shipment {
    /// To whom it is tendered, or who has accepted it.
    #[must_use]
    pub fn carrier(&self) -> Option<&str> {
        let held = self.state != ShipmentState::Draft;
        let tender = self.tender.as_ref().filter(|_| held);
        tender.map(|tender| &*tender.carrier_id)
    }

    /// Accepted and not yet handed over, cancelled or lost.
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        matches!(
            self.state,
            ShipmentState::Accepted
                | ShipmentState::ResourceAssigned
                | ShipmentState::EnRoutePickup
                | ShipmentState::ArrivedPickup
                | ShipmentState::Loaded
                | ShipmentState::InTransit
                | ShipmentState::ArrivedDestination
        )
    }

    /// When the carrier that has it accepted it.
    #[must_use]
    pub fn accepted(&self) -> Option<Timestamp> {
        let held = self.tender.as_ref().filter(|_| self.carrier().is_some());
        held.and_then(|tender| tender.accepted)
    }

    /// Whether something is on the vehicle, or was.
    #[must_use]
    pub fn has_loaded(&self) -> bool {
        self.pickups.values().any(|pickup| pickup.loaded.is_some())
    }

    /// What is on the vehicle, by line.
    #[must_use]
    pub fn on_board(&self) -> Vec<LineCount> {
        let stops = self.load.pickups.iter().map(|pickup| &pickup.stop_id);
        let progress = stops.filter_map(|stop_id| self.pickups.get(stop_id));
        progress.flat_map(|pickup| pickup.lines.clone()).collect()
    }

    /// That its state is not what is needed.
    pub(crate) fn is(&self, needed: &'static str) -> Rejection {
        Rejection::ShipmentIs {
            shipment_id: self.shipment_id.clone(),
            state: self.state,
            needed,
        }
    }

    pub(crate) fn must(&self, holds: bool, needed: &'static str) -> Result<(), Rejection> {
        if holds { Ok(()) } else { Err(self.is(needed)) }
    }

    /// Nobody has it any more; the next tender begins from nothing.
    pub(crate) fn let_go(&mut self) {
        self.state = ShipmentState::Draft;
        self.resources = None;
        self.departed = None;
        self.pickups.clear();
        self.reports.clear();
        self.recent_positions.clear();
        self.in_transit = None;
        self.arrived = None;
        self.position = None;
        self.eta = None;
    }

    /// Where it stands by what is known, whatever the order in which that came.
    pub(crate) fn standing(&self) -> ShipmentState {
        let pickups = || {
            self.load
                .pickups
                .iter()
                .map(|p| self.pickups.get(&p.stop_id))
        };
        let done = |p: &PickupProgress| p.is_done();
        let waits = |p: &PickupProgress| p.arrived.is_some() && !p.is_done();
        if self.lost.is_some() {
            ShipmentState::Lost
        } else if self.handover.as_ref().is_some_and(|h| h.at.is_some()) {
            ShipmentState::CustodyTransferred
        } else if self.arrived.is_some() {
            ShipmentState::ArrivedDestination
        } else if self.in_transit.is_some() {
            ShipmentState::InTransit
        } else if self.has_loaded() && pickups().all(|p| p.is_some_and(done)) {
            ShipmentState::Loaded
        } else if pickups().flatten().any(waits) {
            ShipmentState::ArrivedPickup
        } else if self.departed.is_some() || !self.pickups.is_empty() {
            ShipmentState::EnRoutePickup
        } else if self.resources.is_some() {
            ShipmentState::ResourceAssigned
        } else {
            ShipmentState::Accepted
        }
    }
}

/// Drafted, and tendered at once where somebody has the capacity.
pub(crate) fn draft(
    freight: &Freight,
    command: &DraftShipment,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    command.load.check()?;
    if let Some(returned) = &command.returns {
        let shipment = freight.shipment_in(&context.area, returned)?;
        let loaded = shipment.has_loaded() && shipment.state != ShipmentState::Lost;
        shipment.must(loaded, "only goods that were loaded can come back")?;
        let lines = &shipment.load;
        for line in command.load.lines() {
            if !lines.lines().any(|l| l.line_id == line.line_id) {
                return Err(Rejection::unknown(Subject::Line, &line.line_id));
            }
        }
    }
    let links = Links::returning(command.returns.as_deref().unwrap_or_default());
    Ok(draft_events(freight, &command.load, 0, links, context))
}

/// What a new shipment has to do with others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Links<'a> {
    returns: &'a str,
    continues: &'a str,
    carries_parcels: bool,
}

impl<'a> Links<'a> {
    /// The shipment whose goods come back; empty for none.
    pub const fn returning(returns: &'a str) -> Self {
        Self {
            returns,
            continues: "",
            carries_parcels: false,
        }
    }

    /// Of parcels; goes on with what another could not pick up, where one is
    /// named.
    pub const fn parcels(continues: &'a str) -> Self {
        Self {
            returns: "",
            continues,
            carries_parcels: true,
        }
    }

    /// Goes on with what another could not pick up.
    pub const fn continuing(shipment: &'a Shipment) -> Self {
        Self {
            returns: "",
            continues: shipment.shipment_id.as_str(),
            carries_parcels: shipment.carries_parcels,
        }
    }
}

/// A new shipment with id number `n` of the command.
pub(crate) fn draft_events(
    freight: &Freight,
    load: &Load,
    n: u16,
    links: Links<'_>,
    context: &Context,
) -> Vec<LogisticsEvent> {
    let event = pb::ShipmentDrafted {
        shipment_id: context.new_id(n),
        load: Some(load.to_message()),
        returns_shipment_id: links.returns.to_owned(),
        continues_shipment_id: links.continues.to_owned(),
        carries_parcels: links.carries_parcels,
    };
    let shipment = made(&event, &context.area, context.now, Revision::default());
    let tender = tender::next_event(freight, &shipment, context.now);
    std::iter::once(event.into())
        .chain(tender.map(LogisticsEvent::from))
        .collect()
}

fn made(event: &pb::ShipmentDrafted, area: &Area, at: Timestamp, revision: Revision) -> Shipment {
    Shipment {
        shipment_id: event.shipment_id.clone(),
        area: area.clone(),
        load: Load::from_message(event.load.as_ref()),
        load_version: 1,
        returns: event.returns_shipment_id.clone(),
        continues: event.continues_shipment_id.clone(),
        carries_parcels: event.carries_parcels,
        recalled: BTreeSet::new(),
        state: ShipmentState::Draft,
        tender: None,
        passed_over: BTreeSet::new(),
        resources: None,
        departed: None,
        pickups: BTreeMap::new(),
        in_transit: None,
        arrived: None,
        lost: None,
        reports: BTreeMap::new(),
        recent_positions: VecDeque::new(),
        position: None,
        eta: None,
        handover: None,
        proofs: vec![],
        photos: vec![],
        pin: None,
        contacts: BTreeMap::new(),
        keyed: false,
        personal_erased: None,
        key_destroyed: None,
        incidents: BTreeMap::new(),
        drafted: at,
        ended: None,
        revision,
    }
}

pub(crate) fn drafted(freight: &mut Freight, moment: &Moment<'_>, event: &pb::ShipmentDrafted) {
    if freight.shipments.contains(&event.shipment_id) {
        return;
    }
    let shipment = made(event, moment.area, moment.at, moment.revision);
    freight
        .deadlines
        .extend(shipment.deadlines().into_iter().flatten());
    freight.drafts.insert(event.shipment_id.clone());
    freight.shipments.insert(shipment);
    consolidation::drafted(freight, moment, event);
}

/// A load that was tendered or accepted is tendered again, to the same
/// carrier, who may not want the new one.
pub(crate) fn change_load(
    freight: &Freight,
    command: &ChangeLoad,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_in(&context.area, &command.shipment_id)?;
    let early = matches!(
        shipment.state,
        ShipmentState::Draft
            | ShipmentState::Tendered
            | ShipmentState::Accepted
            | ShipmentState::ResourceAssigned
    );
    shipment.must(early, "its load can change until the vehicle has left")?;
    command.load.check()?;
    if shipment.load == command.load {
        return Ok(vec![]);
    }
    if shipment.carries_parcels {
        let why = "it was made from dispatched goods: cancel it, and they wait for another one";
        return Err(Rejection::Load { why: why.into() });
    }
    Ok(new_load_events(freight, &shipment, &command.load, context))
}

/// Before the vehicle has left.
pub(crate) fn new_load_events(
    freight: &Freight,
    shipment: &Shipment,
    load: &Load,
    context: &Context,
) -> Vec<LogisticsEvent> {
    let mut events = Vec::new();
    let mut carrier = None;
    if shipment.state != ShipmentState::Draft {
        carrier = shipment.carrier();
        let withdrawn = tender::withdrawn_event(shipment, pb::WithdrawReason::LoadChanged);
        events.extend(withdrawn.map(LogisticsEvent::from));
    }
    let event = changed_event(shipment, load);
    let mut changed = shipment.clone();
    changed.load = load.clone();
    changed.load_version = event.load_version;
    changed.passed_over.clear();
    events.push(event.into());
    let tender = match carrier {
        Some(carrier_id) => tender::again_event(freight, &changed, carrier_id, context.now),
        None => tender::next_event(freight, &changed, context.now),
    };
    events.extend(tender.map(LogisticsEvent::from));
    events
}

pub(crate) fn changed_event(shipment: &Shipment, load: &Load) -> pb::LoadChanged {
    pb::LoadChanged {
        shipment_id: shipment.shipment_id.clone(),
        load_version: shipment.load_version.saturating_add(1),
        load: Some(load.to_message()),
    }
}

pub(crate) fn load_changed(freight: &mut Freight, moment: &Moment<'_>, event: &pb::LoadChanged) {
    freight.change(&event.shipment_id, moment, |shipment| {
        shipment.load = Load::from_message(event.load.as_ref());
        shipment.load_version = event.load_version;
        shipment.passed_over.clear();
        // On its way with less: that may have been its last pickup.
        if shipment.departed.is_some() && shipment.is_under_way() {
            shipment.state = shipment.standing();
        }
    });
}

pub(crate) fn cancel(
    freight: &Freight,
    command: &CancelShipment,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_in(&context.area, &command.shipment_id)?;
    if shipment.state == ShipmentState::Cancelled {
        return Ok(vec![]);
    }
    let unloaded = matches!(
        shipment.state,
        ShipmentState::Draft | ShipmentState::Tendered
    ) || shipment.is_under_way() && !shipment.has_loaded();
    shipment.must(
        unloaded,
        "it can be cancelled until something is loaded; let the goods come back with a return",
    )?;
    let withdrawn = tender::withdrawn_event(&shipment, pb::WithdrawReason::Cancelled);
    let cancelled = pb::ShipmentCancelled {
        shipment_id: command.shipment_id.clone(),
        reason: command.reason.clone(),
    };
    let withdrawn = withdrawn.map(LogisticsEvent::from).into_iter();
    let freed = capacity::freed(freight, &shipment, context);
    Ok(withdrawn.chain([cancelled.into()]).chain(freed).collect())
}

pub(crate) fn cancelled(freight: &mut Freight, moment: &Moment<'_>, event: &pb::ShipmentCancelled) {
    freight.change(&event.shipment_id, moment, |shipment| {
        shipment.state = ShipmentState::Cancelled;
        shipment.ended = Some(moment.at);
    });
    consolidation::cancelled(freight, moment, event);
}

pub(crate) fn close(
    freight: &Freight,
    command: &CloseShipment,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_in(&context.area, &command.shipment_id)?;
    if shipment.state == ShipmentState::Closed {
        return Ok(vec![]);
    }
    let over = shipment.state == ShipmentState::CustodyTransferred;
    shipment.must(over, "it can be closed when somebody has taken it over")?;
    Ok(vec![
        pb::ShipmentClosed {
            shipment_id: command.shipment_id.clone(),
        }
        .into(),
    ])
}

pub(crate) fn closed(freight: &mut Freight, moment: &Moment<'_>, event: &pb::ShipmentClosed) {
    freight.change(&event.shipment_id, moment, |shipment| {
        shipment.state = ShipmentState::Closed;
        shipment.ended = Some(moment.at);
    });
}
