//! Rows of the way from the store to the door: the loading of a carrier, the
//! receipt at the checkpoint, disinfection, the run, the doorstep, and the way
//! back.

use proto::{
    LogisticsEvent as L,
    logistics::v1::{
        BagException, ExceptionCode, MilestoneReported, ParcelHeld, ParcelReceived, RunStarted,
    },
};

use super::{
    delivery::{Deliveries, Delivery, Loaded, part},
    event::{Action, Event, Maker},
    rows::About,
};

pub(super) fn events(maker: Maker<'_>, event: &L, deliveries: &Deliveries) -> Vec<(About, Event)> {
    if let L::RunStarted(run) = event {
        let all = run.order_ids.iter();
        return all.flat_map(|id| started(maker, run, id)).collect();
    }
    if let L::MilestoneReported(report) = event {
        let loaded = deliveries.loaded(maker.fact.at).into_iter();
        return loaded
            .flat_map(|loaded| on_board(maker, report, loaded))
            .collect();
    }
    let Some(order_id) = order_of(event) else {
        return Vec::new();
    };
    let none = Delivery::default();
    let way = Way {
        maker,
        order_id,
        delivery: deliveries.get(order_id).unwrap_or(&none),
    };
    let events = match event {
        L::ParcelReceived(e) => way.received(e),
        L::ParcelDisinfected(e) => vec![
            maker
                .object(
                    "disinfected",
                    Action::Observe,
                    &maker.base.word("disinfecting"),
                )
                .epcs(vec![way.parcel()])
                .disposition("in_progress")
                .stays_at(way.checkpoint(&e.checkpoint_id))
                .agent(&e.agent),
        ],
        L::GoodsPlaced(e) => vec![way.off_run("placed", &e.run_id).seen_at(way.entrance())],
        L::DoorLeft(e) => vec![
            way.seen("left", "arriving", "available")
                .stays_at(way.entrance())
                .passes(way.member(&e.member_id), maker.base.household_of(order_id)),
        ],
        L::DeliveryCollected(e) => vec![
            way.seen("collected", "accepting", "dispensed")
                .stays_at(way.entrance())
                .evidence(&e.evidence),
        ],
        L::AttemptFailed(e) => vec![
            way.seen(
                "failed",
                &maker.base.word("delivery_attempting"),
                "in_transit",
            )
            .seen_at(way.entrance())
            .exception(code(e.reason())),
        ],
        L::ParcelHeld(e) => vec![way.held(e)],
        L::ParcelReturned(e) => vec![way.sent_back("returned").exception(code(e.reason()))],
        L::ParcelWithdrawn(_) if way.delivery.never_arrived() => vec![
            way.seen(part::VOIDED, "void_shipping", "in_progress")
                .passes(way.carrier(), way.store()),
        ],
        L::ParcelWithdrawn(_) => {
            let reason = code(ExceptionCode::CustomerCancelled);
            vec![way.sent_back("withdrawn").exception(reason)]
        }
        _ => return Vec::new(),
    };
    let order = maker.base.transaction("order", order_id);
    let events = events.into_iter();
    let of_order = events.map(|event| event.transaction("po", order.clone()));
    of_order
        .map(|event| (About::Order(order_id.to_owned()), event))
        .collect()
}

fn order_of(event: &L) -> Option<&str> {
    Some(match event {
        L::ParcelReceived(e) => &e.order_id,
        L::ParcelDisinfected(e) => &e.order_id,
        L::GoodsPlaced(e) => &e.order_id,
        L::DoorLeft(e) => &e.order_id,
        L::DeliveryCollected(e) => &e.order_id,
        L::AttemptFailed(e) => &e.order_id,
        L::ParcelHeld(e) => &e.order_id,
        L::ParcelReturned(e) => &e.order_id,
        L::ParcelWithdrawn(e) => &e.order_id,
        _ => return None,
    })
}

/// `EXCEPTION_CODE_REFUSED` → `REFUSED`.
fn code(code: ExceptionCode) -> String {
    let name = code.as_str_name();
    name.strip_prefix("EXCEPTION_CODE_")
        .unwrap_or(name)
        .to_owned()
}

/// Each parcel is loaded and departs; one record tells it of all.
fn started(maker: Maker<'_>, run: &RunStarted, order_id: &str) -> [(About, Event); 2] {
    let parcel = maker.base.parcel(order_id);
    let load = maker.base.load_of_run(&run.run_id);
    let place = maker.base.checkpoint(maker.area(), &run.checkpoint_id);
    let from = maker
        .base
        .party("checkpoint", maker.area(), &run.checkpoint_id);
    let to = maker.base.party("member", maker.area(), &run.member_id);
    let part = |what: &str| format!("{what}/{order_id}");
    let children = vec![parcel.clone()];
    let loaded = maker
        .aggregation(&part("loaded"), Action::Add, "loading", load, children)
        .disposition("in_progress")
        .stays_at(place.clone());
    let departed = maker
        .object(&part("departed"), Action::Observe, "departing")
        .epcs(vec![parcel])
        .disposition("in_transit")
        .seen_at(place)
        .passes(from, to);
    [loaded, departed].map(|event| {
        let kind = maker.base.word("run");
        let event = event
            .transaction(&kind, maker.base.transaction("run", &run.run_id))
            .transaction("po", maker.base.transaction("order", order_id));
        (About::Order(order_id.to_owned()), event)
    })
}

/// Parcels that a carrier has loaded on the trunk leg.
fn on_board(maker: Maker<'_>, report: &MilestoneReported, loaded: &Loaded) -> Vec<(About, Event)> {
    let from = maker.base.party("carrier", maker.area(), &loaded.holder_id);
    let to = maker
        .base
        .party("carrier", maker.area(), &report.carrier_id);
    let kind = maker.base.word("shipment");
    let shipment = maker.base.transaction("shipment", &report.shipment_id);
    let event = |order_id: &String| {
        let event = maker
            .object(&format!("on-board/{order_id}"), Action::Observe, "loading")
            .epcs(vec![maker.base.parcel(order_id)])
            .disposition("in_transit")
            .passes(from.clone(), to.clone())
            .transaction(&kind, shipment.clone())
            .transaction("po", maker.base.transaction("order", order_id));
        (About::Order(order_id.clone()), event)
    };
    loaded.order_ids.iter().map(event).collect()
}

/// One order's way.
struct Way<'a> {
    maker: Maker<'a>,
    order_id: &'a str,
    delivery: &'a Delivery,
}

impl Way<'_> {
    fn parcel(&self) -> String {
        self.maker.base.parcel(self.order_id)
    }

    fn checkpoint(&self, id: &str) -> String {
        self.maker.base.checkpoint(self.maker.area(), id)
    }

    fn entrance(&self) -> String {
        let door = self.delivery.door().cloned().unwrap_or_default();
        self.maker.base.entrance(self.maker.area(), &door)
    }

    fn party(&self, kind: &str, id: &str) -> String {
        self.maker.base.party(kind, self.maker.area(), id)
    }

    fn member(&self, id: &str) -> String {
        self.party("member", id)
    }

    fn carrier(&self) -> String {
        self.party("carrier", self.delivery.carrier())
    }

    fn store(&self) -> String {
        self.party("store", "store")
    }

    fn seen(&self, part: &str, step: &str, disposition: &'static str) -> Event {
        self.maker
            .object(part, Action::Observe, step)
            .epcs(vec![self.parcel()])
            .disposition(disposition)
    }

    /// What the checkpoint took over, bag by bag, and what it did not.
    fn received(&self, e: &ParcelReceived) -> Vec<Event> {
        let place = self.checkpoint(&e.checkpoint_id);
        let party = self.party("checkpoint", &e.checkpoint_id);
        // Not always who had it from the store: a firm may have carried it.
        let from = e.from.as_ref().map_or("", |custodian| &custodian.id);
        let from = self.party("carrier", from);
        let base = self.maker.base;
        let (new, known): (Vec<&String>, Vec<&String>) = e
            .accepted_labels
            .iter()
            .partition(|label| self.delivery.replacements.contains(*label));
        let mut events = Vec::new();
        for (part, action, labels) in [
            ("received", Action::Observe, known),
            ("replacement-received", Action::Add, new),
        ] {
            if labels.is_empty() {
                continue;
            }
            let bags = labels.into_iter().map(|label| base.bag(label)).collect();
            let event = self
                .maker
                .aggregation(part, action, "receiving", self.parcel(), bags)
                .disposition("in_progress")
                .stays_at(place.clone())
                .passes(from.clone(), party.clone());
            events.push(event);
        }
        for exception in &e.exceptions {
            events.extend(self.not_accepted(exception, &place));
        }
        events
    }

    /// The bag leaves the parcel, and stays with who brought it.
    fn not_accepted(&self, exception: &BagException, place: &str) -> Vec<Event> {
        let bag = self.maker.base.bag(&exception.label);
        let part = |what: &str| format!("{what}/{}", exception.label);
        let damaged = exception.code() == ExceptionCode::Damaged;
        let (step, disposition) = (
            "inspecting",
            if damaged {
                "damaged"
            } else {
                "mismatch_instance"
            },
        );
        let children = vec![bag.clone()];
        let taken_out = self
            .maker
            .aggregation(
                &part("taken-out"),
                Action::Delete,
                step,
                self.parcel(),
                children,
            )
            .disposition(disposition)
            .seen_at(place.to_owned())
            .exception(code(exception.code()));
        // A bag that is not there cannot be seen.
        if !damaged {
            return vec![taken_out];
        }
        let inspected = self
            .maker
            .object(&part("inspected"), Action::Observe, step)
            .epcs(vec![bag])
            .disposition("needs_replacement")
            .for_good("damaged")
            .seen_at(place.to_owned())
            .exception(code(exception.code()));
        vec![taken_out, inspected]
    }

    /// Off the run it was last on, and in the checkpoint's hands again.
    fn held(&self, e: &ParcelHeld) -> Event {
        let run_id = self.delivery.last_run_before(self.maker.fact.at);
        let party = self.party("checkpoint", &e.checkpoint_id);
        self.off_run("held", run_id)
            .stays_at(self.checkpoint(&e.checkpoint_id))
            .passes(self.member(&e.member_id), party)
    }

    /// From the checkpoint to the store.
    fn sent_back(&self, part: &str) -> Event {
        let checkpoint = self.delivery.checkpoint();
        self.seen(part, "shipping", "returned")
            .seen_at(self.checkpoint(checkpoint))
            .passes(self.party("checkpoint", checkpoint), self.store())
    }

    fn off_run(&self, part: &str, run_id: &str) -> Event {
        let kind = self.maker.base.word("run");
        let load = self.maker.base.load_of_run(run_id);
        let children = vec![self.parcel()];
        self.maker
            .aggregation(part, Action::Delete, "unloading", load, children)
            .disposition("in_progress")
            .transaction(&kind, self.maker.base.transaction("run", run_id))
    }
}
