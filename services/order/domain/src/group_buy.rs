//! S03: group buys. An organizer opens one with a minimum, a cap and a window;
//! households join by placing an order; it closes by cap, by time or by the
//! organizer, and succeeds or fails. Who may join is decided in `joining`; the
//! orders of a closed one are settled some at a time, in `timers`.

use std::collections::{BTreeMap, BTreeSet};

use decider::{
    Area, Context, Recorded, Revision, Timestamp,
    table::{Entity, Table},
};
use proto::{
    OrderEvent,
    order::v1::{
        CloseReason, GroupBuyFailed, GroupBuyOpened, GroupBuyState, GroupBuySucceeded, Offer,
        OrderPlaced,
    },
    time::{or_epoch, to_proto},
};
use serde::{Deserialize, Serialize};

use crate::{
    command::OpenGroupBuy,
    ids::{GroupBuyId, HouseholdId, OrderId},
    index::Index,
    rejection::Rejection,
    text,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupBuy {
    pub group_buy_id: GroupBuyId,
    pub area: Area,
    pub title: String,
    pub organizer_id: String,
    pub offers: Vec<Offer>,
    pub minimum_households: u32,
    pub cap_households: Option<u32>,
    pub opens: Timestamp,
    pub closes: Timestamp,
    /// Empty means the whole area.
    pub community: String,
    /// Empty means the whole community.
    pub grid: String,
    pub tolerance_percent: u8,
    pub state: GroupBuyState,
    /// When it was closed; none while it is open.
    pub closed: Option<Timestamp>,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub revision: Revision,
    /// How many took part when it was closed.
    pub(crate) took_part: u32,
    /// Who takes part, and with which order, while it is open.
    pub(crate) participants: BTreeMap<HouseholdId, OrderId>,
    /// Placed orders that are neither released nor cancelled.
    pub(crate) waiting: BTreeSet<OrderId>,
}

impl GroupBuy {
    /// Households that take part, or took part when it was closed.
    #[must_use]
    pub fn households(&self) -> u32 {
        if self.is_open() {
            u32::try_from(self.participants.len()).unwrap_or(u32::MAX)
        } else {
            self.took_part
        }
    }

    /// Households that are still wanted, the tolerance counted.
    #[must_use]
    pub fn missing_households(&self) -> u32 {
        let tolerated =
            u64::from(self.minimum_households) * u64::from(self.tolerance_percent.min(100)) / 100;
        // At most the minimum itself, so it fits.
        let tolerated = u32::try_from(tolerated).unwrap_or(self.minimum_households);
        (self.minimum_households - tolerated).saturating_sub(self.households())
    }

    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == GroupBuyState::Open
    }

    /// While open the end of the window; while orders wait to be settled the
    /// moment at which it was closed.
    fn next_timer(&self) -> Option<Timestamp> {
        if self.is_open() {
            Some(self.closes)
        } else if self.waiting.is_empty() {
            None
        } else {
            Some(self.closed.unwrap_or(self.closes))
        }
    }

    pub(crate) fn describe(&self) -> String {
        format!(
            "{}, {} households of at least {}, {} missing, {} orders to settle, open from {} to {}",
            text::group_buy_state(self.state),
            self.households(),
            self.minimum_households,
            self.missing_households(),
            self.waiting.len(),
            text::time(self.opens),
            text::time(self.closed.unwrap_or(self.closes)),
        )
    }
}

impl Entity for GroupBuy {
    type Id = GroupBuyId;

    fn id(&self) -> &GroupBuyId {
        &self.group_buy_id
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Scope {
    Area(Area),
    State(Area, GroupBuyState),
}

#[derive(Debug, Default)]
pub(crate) struct GroupBuys {
    table: Table<GroupBuy>,
    index: Index<Scope>,
    /// One entry for each group buy that has a next timer.
    pub(crate) timers: BTreeSet<(Timestamp, GroupBuyId)>,
}

impl GroupBuys {
    pub(crate) const fn table(&self) -> &Table<GroupBuy> {
        &self.table
    }

    /// Only to be written.
    pub(crate) fn frozen(&mut self) -> Self {
        Self {
            table: self.table.frozen(),
            ..Self::default()
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&GroupBuy> {
        self.table.get(id)
    }

    pub(crate) fn known(&self, area: &Area, id: &GroupBuyId) -> Result<&GroupBuy, Rejection> {
        self.get(id.as_str())
            .filter(|group_buy| group_buy.area == *area)
            .ok_or_else(|| Rejection::GroupBuyUnknown {
                group_buy_id: id.clone(),
                area: area.clone(),
            })
    }

    pub(crate) fn list<'a>(
        &'a self,
        area: &Area,
        state: Option<GroupBuyState>,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a GroupBuy> + use<'a> {
        let scope = match state {
            None => Scope::Area(area.clone()),
            Some(state) => Scope::State(area.clone(), state),
        };
        self.index.after(&self.table, &scope, after)
    }

    /// Changes a group buy and keeps its timer and its place in the lists.
    fn change(&mut self, id: &str, change: impl FnOnce(&mut GroupBuy)) {
        let Some(row) = self.table.find(id) else {
            return;
        };
        let group_buy = self.table.at_mut(row);
        let (timer, state) = (group_buy.next_timer(), group_buy.state);
        change(group_buy);
        let id = &group_buy.group_buy_id;
        if group_buy.next_timer() != timer {
            if let Some(at) = timer {
                self.timers.remove(&(at, id.clone()));
            }
            if let Some(at) = group_buy.next_timer() {
                self.timers.insert((at, id.clone()));
            }
        }
        if group_buy.state != state {
            let (was, is) = (state, group_buy.state);
            let area = group_buy.area.clone();
            let was = Scope::State(area.clone(), was);
            self.index.remove(&self.table, &was, row);
            self.index.insert(&self.table, Scope::State(area, is), row);
        }
    }

    pub(crate) fn opened(&mut self, record: &Recorded<OrderEvent>, event: &GroupBuyOpened) {
        let id = GroupBuyId::from(event.group_buy_id.as_str());
        if self.table.find(&id).is_some() {
            return;
        }
        let group_buy = GroupBuy {
            group_buy_id: id,
            area: record.area.clone(),
            title: event.title.clone(),
            organizer_id: event.organizer_id.clone(),
            offers: event.offers.clone(),
            minimum_households: u32::try_from(event.minimum_households).unwrap_or(0),
            cap_households: u32::try_from(event.cap_households)
                .ok()
                .filter(|cap| *cap > 0),
            opens: or_epoch(event.opens_time.as_ref()),
            closes: or_epoch(event.closes_time.as_ref()),
            community: event.community.clone(),
            grid: event.grid.clone(),
            tolerance_percent: u8::try_from(event.tolerance_percent.clamp(0, 100)).unwrap_or(0),
            state: GroupBuyState::Open,
            closed: None,
            created: record.occurred,
            updated: record.occurred,
            revision: record.revision,
            took_part: 0,
            participants: BTreeMap::new(),
            waiting: BTreeSet::new(),
        };
        self.put(group_buy);
    }

    pub(crate) fn put(&mut self, group_buy: GroupBuy) {
        let (area, state) = (group_buy.area.clone(), group_buy.state);
        if let Some(at) = group_buy.next_timer() {
            self.timers.insert((at, group_buy.group_buy_id.clone()));
        }
        let row = self.table.insert(group_buy);
        for scope in [Scope::Area(area.clone()), Scope::State(area, state)] {
            self.index.insert(&self.table, scope, row);
        }
    }

    pub(crate) fn closed(&mut self, record: &Recorded<OrderEvent>, id: &str, state: GroupBuyState) {
        self.change(id, |group_buy| {
            group_buy.revision = record.revision;
            group_buy.updated = record.occurred;
            if group_buy.is_open() {
                group_buy.took_part = group_buy.households();
                group_buy.participants.clear();
                group_buy.state = state;
                group_buy.closed = Some(record.occurred);
            }
        });
    }

    pub(crate) fn joined(&mut self, event: &OrderPlaced) {
        let order_id = OrderId::from(event.order_id.as_str());
        self.change(&event.group_buy_id, |group_buy| {
            if group_buy.is_open() {
                let household_id = HouseholdId::from(event.household_id.as_str());
                group_buy
                    .participants
                    .insert(household_id, order_id.clone());
            }
            group_buy.waiting.insert(order_id);
        });
    }

    /// An order is no longer merely placed. Whoever cancels while the group buy
    /// is open no longer takes part and may join again.
    pub(crate) fn left(&mut self, id: &str, order_id: &OrderId, household_id: &HouseholdId) {
        self.change(id, |group_buy| {
            group_buy.waiting.remove(order_id);
            if group_buy.is_open() && group_buy.participants.get(household_id) == Some(order_id) {
                group_buy.participants.remove(household_id);
            }
        });
    }
}

pub(crate) fn open(asked: &OpenGroupBuy, context: &Context) -> Result<Vec<OrderEvent>, Rejection> {
    let opens = asked.opens.unwrap_or(context.now);
    if asked.closes <= opens || asked.closes <= context.now {
        return Err(Rejection::GroupBuyWindowInvalid {
            opens,
            closes: asked.closes,
            now: context.now,
        });
    }
    let cap = asked.cap_households.filter(|cap| *cap > 0);
    if let Some(cap_households) = cap.filter(|cap| *cap < asked.minimum_households) {
        return Err(Rejection::CapBelowMinimum {
            cap_households,
            minimum_households: asked.minimum_households,
        });
    }
    Ok(vec![
        GroupBuyOpened {
            group_buy_id: context.new_id(0),
            title: asked.title.clone(),
            organizer_id: asked.organizer_id.clone(),
            offers: asked.offers.clone(),
            minimum_households: count(asked.minimum_households),
            cap_households: count(cap.unwrap_or(0)),
            opens_time: Some(to_proto(opens)),
            closes_time: Some(to_proto(asked.closes)),
            community: asked.community.clone(),
            grid: asked.grid.clone(),
            tolerance_percent: i32::from(asked.tolerance_percent.min(100)),
        }
        .into(),
    ])
}

/// Closing what is closed asks for what is already so.
pub(crate) fn close_by_organizer(
    group_buys: &GroupBuys,
    id: &GroupBuyId,
    context: &Context,
) -> Result<Vec<OrderEvent>, Rejection> {
    let group_buy = group_buys.known(&context.area, id)?;
    if !group_buy.is_open() {
        return Ok(vec![]);
    }
    // Between the end of the window and its timer, it is the time that closes.
    let reason = if context.now < group_buy.closes {
        CloseReason::Organizer
    } else {
        CloseReason::Time
    };
    Ok(vec![outcome(group_buy, reason)])
}

/// Succeeded or failed, by who takes part now.
pub(crate) fn outcome(group_buy: &GroupBuy, reason: CloseReason) -> OrderEvent {
    let group_buy_id = String::from(&group_buy.group_buy_id);
    let households = count(group_buy.households());
    match group_buy.missing_households() {
        0 => GroupBuySucceeded {
            group_buy_id,
            households,
            reason: reason.into(),
        }
        .into(),
        missing => GroupBuyFailed {
            group_buy_id,
            households,
            missing_households: count(missing),
            reason: reason.into(),
        }
        .into(),
    }
}

pub(crate) fn count(households: u32) -> i32 {
    i32::try_from(households).unwrap_or(i32::MAX)
}
