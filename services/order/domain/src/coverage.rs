//! S30: who is served, by community and grid, and which doors were missed and
//! why. Computed from a state alone, so that a state replayed up to a past
//! position answers for that moment.
//!
//! In need is every household of the area while its contingency is active, and
//! nobody otherwise. Served is who had an order left at the door since the
//! contingency was activated; collected, who is known to have taken it in.

use std::{borrow::Cow, collections::BTreeMap};

use decider::{Area, Timestamp};
use proto::order::v1::OrderState;

use crate::{
    State,
    compact::DoorCodes,
    household::{Household, HouseholdFilter},
    ids::{CadreId, HouseholdId, OrderId},
    order::Order,
    store::Glance,
};

/// Everybody served, in 1/100 per cent.
pub const FULL_BASIS_POINTS: u32 = 10_000;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    pub total: CoverageRow,
    /// One for each community, then each of its grids, sorted by code.
    pub rows: Vec<CoverageRow>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CoverageRow {
    /// Empty in the total.
    pub community: String,
    /// Empty in the total and in a community's row.
    pub grid: String,
    pub in_need_households: u64,
    pub served_households: u64,
    pub collected_households: u64,
}

impl CoverageRow {
    /// Served ÷ in need in 1/100 per cent, rounded down; full where nobody is
    /// in need.
    #[must_use]
    pub fn rate_basis_points(&self) -> u32 {
        let full = u64::from(FULL_BASIS_POINTS);
        self.served_households
            .saturating_mul(full)
            .checked_div(self.in_need_households)
            .map_or(FULL_BASIS_POINTS, |rate| {
                u32::try_from(rate).unwrap_or(FULL_BASIS_POINTS)
            })
    }

    fn count(&mut self, standing: &Standing) {
        self.in_need_households += 1;
        if let Standing::Served { collected } = standing {
            self.served_households += 1;
            self.collected_households += u64::from(*collected);
        }
    }
}

/// A household in need that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    pub household_id: HouseholdId,
    pub door: DoorCodes,
    pub cadre_id: CadreId,
    pub reason: MissedReason,
    /// For a person: an exception code, or a group buy's title; may be empty.
    pub detail: String,
    /// The order that explains it.
    pub order_id: Option<OrderId>,
}

/// The nearest to being served first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MissedReason {
    OutForDelivery,
    AttemptFailed,
    WaitingForDelivery,
    WaitingForGoods,
    WaitingForStock,
    WaitingForGroupBuy,
    Returned,
    Rejected,
    Cancelled,
    NoOrder,
}

impl MissedReason {
    /// UPPER_SNAKE_CASE, stable.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutForDelivery => "OUT_FOR_DELIVERY",
            Self::AttemptFailed => "ATTEMPT_FAILED",
            Self::WaitingForDelivery => "WAITING_FOR_DELIVERY",
            Self::WaitingForGoods => "WAITING_FOR_GOODS",
            Self::WaitingForStock => "WAITING_FOR_STOCK",
            Self::WaitingForGroupBuy => "WAITING_FOR_GROUP_BUY",
            Self::Returned => "RETURNED",
            Self::Rejected => "REJECTED",
            Self::Cancelled => "CANCELLED",
            Self::NoOrder => "NO_ORDER",
        }
    }

    /// Whether the order may still be delivered.
    const fn is_alive(self) -> bool {
        !matches!(
            self,
            Self::Returned | Self::Rejected | Self::Cancelled | Self::NoOrder
        )
    }

    /// None for an order that was delivered.
    const fn of(state: OrderState) -> Option<Self> {
        Some(match state {
            OrderState::Delivered | OrderState::Collected => return None,
            OrderState::Unspecified | OrderState::Placed => Self::WaitingForGroupBuy,
            OrderState::Released => Self::WaitingForStock,
            OrderState::Confirmed | OrderState::PartiallyConfirmed => Self::WaitingForGoods,
            OrderState::Ready => Self::WaitingForDelivery,
            OrderState::OutForDelivery => Self::OutForDelivery,
            OrderState::Failed => Self::AttemptFailed,
            OrderState::Returned => Self::Returned,
            OrderState::Rejected => Self::Rejected,
            OrderState::Cancelled => Self::Cancelled,
        })
    }
}

enum Standing<'a> {
    Served {
        collected: bool,
    },
    Missed {
        reason: MissedReason,
        order: Option<Cow<'a, Order>>,
    },
}

/// Orders from before the contingency count where they are still alive, not
/// where they were delivered or came to nothing before it.
fn standing<'a>(state: &'a State, household: &Household, since: Timestamp) -> Standing<'a> {
    let mut served = None;
    let mut nearest: Option<(MissedReason, Glance)> = None;
    for order in state.orders.glances(&household.household_id) {
        let Some(reason) = MissedReason::of(order.state) else {
            if order.delivered.is_some_and(|at| at >= since) {
                served = served.max(Some(order.state == OrderState::Collected));
            }
            continue;
        };
        let counts = reason.is_alive() || order.updated >= since;
        // Of two as near as each other the younger explains more; of two that
        // came to nothing, too.
        let nearer = nearest
            .is_none_or(|(best, _)| reason <= best || (!reason.is_alive() && !best.is_alive()));
        if counts && nearer {
            nearest = Some((reason, order));
        }
    }
    match (served, nearest) {
        (Some(collected), _) => Standing::Served { collected },
        (None, Some((reason, order))) => Standing::Missed {
            reason,
            order: Some(state.orders.store.at(order.row)),
        },
        (None, None) => Standing::Missed {
            reason: MissedReason::NoOrder,
            order: None,
        },
    }
}

pub(crate) fn coverage(state: &State, area: &Area) -> Coverage {
    let since = state.contingencies.active(area).map(|c| c.activated);
    let mut total = CoverageRow::default();
    // A community's own row has no grid and sorts before those of its grids.
    let mut rows: BTreeMap<(&str, &str), CoverageRow> = BTreeMap::new();
    for household in state
        .households
        .list(area, HouseholdFilter::default(), None)
    {
        let (community, grid) = (household.door.community(), household.door.grid());
        let standing = since.map(|since| standing(state, household, since));
        // A door without a grid is counted in its community's row alone.
        let own = (!grid.is_empty()).then_some((community, grid));
        for key in [Some((community, "")), own].into_iter().flatten() {
            let row = rows.entry(key).or_default();
            if let Some(standing) = &standing {
                row.count(standing);
            }
        }
        if let Some(standing) = &standing {
            total.count(standing);
        }
    }
    let rows = rows
        .into_iter()
        .map(|((community, grid), row)| CoverageRow {
            community: community.to_owned(),
            grid: grid.to_owned(),
            ..row
        })
        .collect();
    Coverage { total, rows }
}

pub(crate) fn missed<'a>(
    state: &'a State,
    area: &Area,
    after: Option<&str>,
) -> impl Iterator<Item = Missed> + use<'a> {
    let since = state.contingencies.active(area).map(|c| c.activated);
    let households = state
        .households
        .list(area, HouseholdFilter::default(), after);
    households.filter_map(move |household| {
        let Standing::Missed { reason, order } = standing(state, household, since?) else {
            return None;
        };
        Some(Missed {
            household_id: household.household_id.clone(),
            door: household.door.clone(),
            cadre_id: household.cadre_id.clone(),
            reason,
            detail: order
                .as_deref()
                .map(|order| detail(state, order))
                .unwrap_or_default(),
            order_id: order.map(|order| order.order_id.clone()),
        })
    })
}

fn detail(state: &State, order: &Order) -> String {
    match (&order.group_buy_id, order.state) {
        (Some(id), OrderState::Placed) => state
            .group_buys
            .get(id.as_str())
            .map(|group_buy| group_buy.title.clone())
            .unwrap_or_default(),
        _ => String::from(&order.reason),
    }
}
