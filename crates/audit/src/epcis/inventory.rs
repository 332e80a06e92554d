//! Rows of the store's facts: lots, reservation, packing, dispatch, and what
//! comes back.

use proto::{
    InventoryEvent as I,
    inventory::v1::{Allocation, OrderDispatched, OrderPicked, ReplacementDispatched},
    time::from_proto,
};

use super::{
    delivery::{Deliveries, part},
    event::{Action, Event, Maker, Quantity},
    rows::About,
};

pub(super) fn events(maker: Maker<'_>, event: &I, deliveries: &Deliveries) -> Vec<(About, Event)> {
    let (about, events) = match event {
        I::LotReceived(e) => {
            let expires = e.expires_time.as_ref().map(from_proto);
            let lot = Quantity {
                class: maker.base.lot(maker.area(), &e.product_id, &e.lot_id),
                quantity: e.quantity_units,
            };
            let supplier = maker.base.party("supplier", maker.area(), &e.supplier_id);
            let location = if e.location.is_empty() {
                "store"
            } else {
                &e.location
            };
            let received = maker
                .object("received", Action::Add, "receiving")
                .quantities(vec![lot])
                .disposition("in_progress")
                .stays_at(maker.base.store(maker.area(), location))
                .passes(supplier, store_party(maker))
                .expires(expires);
            return vec![(About::Lot(e.lot_id.clone()), received)];
        }
        I::StockReserved(e) if !e.allocations.is_empty() => {
            let reserved = maker
                .object("reserved", Action::Observe, "reserving")
                .quantities(lots(maker, &e.allocations))
                .disposition("reserved");
            (
                &e.order_id,
                vec![at_store(maker, deliveries, &e.allocations, reserved)],
            )
        }
        I::OrderPicked(e) => (&e.order_id, picked(maker, e, deliveries)),
        I::OrderDispatched(e) => (&e.order_id, vec![dispatched(maker, e, deliveries)]),
        I::ReplacementDispatched(e) => (&e.order_id, replaced(maker, e, deliveries)),
        I::ReservationReleased(e) if !e.allocations.is_empty() => {
            let released = maker
                .object(part::RELEASED, Action::Observe, "stocking")
                .quantities(lots(maker, &e.allocations))
                .disposition("sellable_accessible");
            (
                &e.order_id,
                vec![at_store(maker, deliveries, &e.allocations, released)],
            )
        }
        I::StockReturned(e) if !e.allocations.is_empty() => {
            let bags = deliveries
                .get(&e.order_id)
                .map_or_else(Vec::new, |delivery| {
                    delivery
                        .all_bags()
                        .map(|label| maker.base.bag(label))
                        .collect()
                });
            let restocked = maker
                .transformation(part::RESTOCKED, "unpacking")
                .bags_into_lots(bags, lots(maker, &e.allocations))
                .disposition("sellable_accessible")
                .exception(e.reason.clone());
            (
                &e.order_id,
                vec![at_store(maker, deliveries, &e.allocations, restocked)],
            )
        }
        _ => return Vec::new(),
    };
    let order = maker.base.transaction("order", about);
    let events = events.into_iter();
    let of_order = events.map(|event| event.transaction("po", order.clone()));
    of_order
        .map(|event| (About::Order(about.clone()), event))
        .collect()
}

fn lots(maker: Maker<'_>, allocations: &[Allocation]) -> Vec<Quantity> {
    let one = |allocation: &Allocation| Quantity {
        class: maker
            .base
            .lot(maker.area(), &allocation.product_id, &allocation.lot_id),
        quantity: allocation.quantity_units,
    };
    allocations.iter().map(one).collect()
}

fn store_party(maker: Maker<'_>) -> String {
    maker.base.party("store", maker.area(), "store")
}

fn at_store(maker: Maker<'_>, deliveries: &Deliveries, lots: &[Allocation], event: Event) -> Event {
    let location = deliveries.location_of(lots);
    event.stays_at(maker.base.store(maker.area(), location))
}

/// Units of lots become labelled bags, and the bags one parcel.
fn picked(maker: Maker<'_>, e: &OrderPicked, deliveries: &Deliveries) -> Vec<Event> {
    let from = deliveries
        .get(&e.order_id)
        .map_or(&[][..], |d| &d.allocations);
    let bags: Vec<String> = e
        .bags
        .iter()
        .map(|bag| maker.base.bag(&bag.label))
        .collect();
    let packed = maker
        .transformation("bagged", "packing")
        .bags_from_lots(lots(maker, from), bags.clone())
        .disposition("in_progress");
    let parcel = maker.base.parcel(&e.order_id);
    let together = maker
        .aggregation("parcelled", Action::Add, "packing", parcel, bags)
        .disposition("in_progress");
    [packed, together]
        .map(|event| at_store(maker, deliveries, from, event))
        .into()
}

fn dispatched(maker: Maker<'_>, e: &OrderDispatched, deliveries: &Deliveries) -> Event {
    let location = deliveries.location_of(&e.allocations);
    let carrier = maker.base.party("carrier", maker.area(), &e.custodian_id);
    maker
        .object("shipped", Action::Observe, "shipping")
        .epcs(vec![maker.base.parcel(&e.order_id)])
        .disposition("in_transit")
        .seen_at(maker.base.store(maker.area(), location))
        .transaction("desadv", maker.base.transaction("load", &e.load_id))
        .passes(store_party(maker), carrier)
        .bound_for(maker.base.checkpoint(maker.area(), &e.checkpoint_id))
}

/// A bag is made in place of another, and leaves.
fn replaced(maker: Maker<'_>, e: &ReplacementDispatched, deliveries: &Deliveries) -> Vec<Event> {
    let Some(bag) = &e.bag else { return Vec::new() };
    let bag = maker.base.bag(&bag.label);
    let location = deliveries.location_of(&e.allocations);
    let store = maker.base.store(maker.area(), location);
    let carrier = maker.base.party("carrier", maker.area(), &e.custodian_id);
    vec![
        maker
            .transformation("replaced", "replacing")
            .bags_from_lots(lots(maker, &e.allocations), vec![bag.clone()])
            .disposition("in_progress")
            .stays_at(store.clone()),
        maker
            .object("shipped", Action::Observe, "shipping")
            .epcs(vec![bag])
            .disposition("in_transit")
            .seen_at(store)
            .passes(store_party(maker), carrier)
            .bound_for(maker.base.checkpoint(maker.area(), &e.checkpoint_id)),
    ]
}
