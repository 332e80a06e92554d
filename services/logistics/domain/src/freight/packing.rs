//! What of a window's goods makes the next load. Pure and deterministic: the
//! same goods make the same load, in whatever order they came.
//!
//! Goods are looked at route by route, the heaviest first, and each that still
//! fits is taken; what does not fit is left for the next load. Made again and
//! again this is *first fit*: what lies in a later load did not fit into an
//! earlier one. So where weight is what bounds the loads, and for all of them
//! alike, at most one is filled to less than half, and there are at most 1.7
//! times as many as there must be (Dósa and Sgall, "First Fit bin packing: a
//! tight analysis", STACS 2013). One load costs one look at each of *n* items;
//! a window of *b* loads costs *n* × *b*.

use std::collections::BTreeSet;

use super::{
    goods::Goods,
    load::{LOAD_LINES_MAX, LOAD_PICKUPS_MAX},
    route::RoutePlan,
};
use crate::units::Grams;

/// What a load's labels and order ids may take, since it stands in several
/// events, each of which must fit into one record of the log.
pub(crate) const MANIFEST_BYTES_MAX: usize = 40 * 1024;
/// From so many orders on, labels may be what fills a load.
pub(crate) const ORDERS_OF_MANY_BYTES: usize = 100;
/// A load that left something behind is full from this share of its bound on,
/// in per cent; one that did not only when the bound is reached, since more
/// may come that fits.
const FULL_PERCENT: i64 = 95;

/// An order's goods, and the plan of their route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'a> {
    pub goods: &'a Goods,
    pub plan: &'a RoutePlan,
}

/// What a vehicle on offer can take, and where it may stop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room<'a> {
    pub weight: Grams,
    pub zones: &'a [String],
}

#[derive(Debug, Default)]
pub(crate) struct Filled<'a> {
    pub items: Vec<Item<'a>>,
    /// Little or nothing could be added, whatever came.
    pub is_full: bool,
}

/// The bounds of a load that has some items.
struct Bounds {
    weight: Grams,
    orders: usize,
}

/// The first item is always taken: it fits into a load of its route. With
/// `until_full` no more is looked at than is needed to know that it is full.
pub(crate) fn fill<'a>(
    items: impl Iterator<Item = Item<'a>>,
    room: Option<Room<'_>>,
    until_full: bool,
) -> Filled<'a> {
    let mut filled = Filled::default();
    let mut bounds = Bounds {
        weight: room.map_or(Grams(i64::MAX), |room| room.weight),
        orders: usize::MAX,
    };
    let (mut weight, mut bytes) = (Grams::ZERO, 0_usize);
    let mut routes = BTreeSet::new();
    let mut lines = BTreeSet::new();
    for item in items {
        let Item { goods, plan } = item;
        let bound = Bounds {
            weight: bounds.weight.min(plan.weight_max),
            orders: bounds.orders.min(plan.orders_max),
        };
        let more = goods.products.iter();
        let more = more.filter(|product| !lines.contains(&(&goods.route_id, *product)));
        let stops = |zone| room.is_none_or(|room| room.zones.iter().any(|z| z == zone));
        let fits = weight.plus(goods.weight) <= bound.weight
            && filled.items.len() < bound.orders
            && bytes.saturating_add(goods.bytes) <= MANIFEST_BYTES_MAX
            && lines.len() + more.count() <= LOAD_LINES_MAX
            && (routes.contains(&goods.route_id) || routes.len() < LOAD_PICKUPS_MAX)
            && stops(&plan.origin.zone);
        if !fits && !filled.items.is_empty() {
            filled.is_full |= is_full(weight.0, bounds.weight.0)
                || is_full(signed(bytes), signed(MANIFEST_BYTES_MAX));
            if filled.is_full && until_full {
                break;
            }
            continue;
        }
        bounds = bound;
        weight = weight.plus(goods.weight);
        bytes = bytes.saturating_add(goods.bytes);
        routes.insert(&goods.route_id);
        let products = goods.products.iter();
        lines.extend(products.map(|product| (&goods.route_id, product)));
        filled.items.push(item);
        let no_more = filled.items.len() >= bounds.orders || weight >= bounds.weight;
        filled.is_full |= no_more;
        if no_more {
            break;
        }
    }
    filled
}

fn is_full(used: i64, bound: i64) -> bool {
    i128::from(used) * 100 >= i128::from(bound) * i128::from(FULL_PERCENT)
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
