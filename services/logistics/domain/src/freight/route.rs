//! Trunk routes (S08): from where to which checkpoint dispatched goods are
//! carried, when they are gathered, and how large one load may be. What is
//! made of the goods is in `consolidation`.

use decider::{Area, Context, Revision, Timestamp};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, Place, PlaceKind},
    time::{or_epoch, to_proto},
};
use serde::{Deserialize, Serialize};

use super::{
    Freight, Rejection, Subject,
    command::{ChangeRoute, CloseRoute, OpenRoute},
};
use crate::{
    Rejection as AnyRejection,
    state::{Moment, State},
    units::Grams,
};

const MINUTE_MS: i64 = 60_000;

/// When goods are gathered and how they are carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutePlan {
    pub origin: Place,
    /// Who has the goods there, as the dispatch names him.
    pub holder_id: String,
    pub destination: Place,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Minutes of a window.
    pub every: i64,
    /// Largest weight of a load.
    pub weight_max: Grams,
    /// Most orders of a load.
    pub orders_max: usize,
    /// Minutes from a window's end until the vehicle is to be at the origin.
    pub lead: i64,
    /// Minutes from there to the destination.
    pub transit: i64,
}

impl RoutePlan {
    /// When the window ends that takes goods which come at `now`.
    #[must_use]
    pub fn window(&self, now: Timestamp) -> Option<Timestamp> {
        let length = self.every.max(1).saturating_mul(MINUTE_MS);
        let past = now.0.saturating_sub(self.from.0).max(0);
        let end = (past / length).saturating_add(1).saturating_mul(length);
        let end = Timestamp(self.from.0.saturating_add(end).min(self.to.0));
        (end > now).then_some(end)
    }

    /// From when to when goods of a window that ended at `end` are due.
    pub(crate) const fn due(&self, end: Timestamp) -> (Timestamp, Timestamp) {
        let minutes = self.lead.saturating_add(self.transit);
        (end, end.plus_minutes(if minutes < 1 { 1 } else { minutes }))
    }

    fn check(&self, now: Timestamp) -> Result<(), Rejection> {
        let wrong = |why: &str| Err(Rejection::Route { why: why.into() });
        let from = self.origin.kind();
        if !matches!(from, PlaceKind::Field | PlaceKind::Depot | PlaceKind::Store) {
            return wrong("its origin must be a field, a depot or a store");
        }
        if self.destination.kind() != PlaceKind::Checkpoint {
            return wrong("its destination must be a checkpoint");
        }
        if self.to <= self.from || self.to <= now {
            return Err(Rejection::Times { to: self.to });
        }
        Ok(())
    }

    #[must_use]
    pub fn to_message(&self) -> pb::RoutePlan {
        let number = |n: i64| i32::try_from(n).unwrap_or(i32::MAX);
        pb::RoutePlan {
            origin: Some(self.origin.clone()),
            holder_id: self.holder_id.clone(),
            destination: Some(self.destination.clone()),
            from_time: Some(to_proto(self.from)),
            to_time: Some(to_proto(self.to)),
            every_minutes: number(self.every),
            weight_grams_max: self.weight_max.0,
            orders_max: i32::try_from(self.orders_max).unwrap_or(i32::MAX),
            lead_minutes: number(self.lead),
            transit_minutes: number(self.transit),
        }
    }

    /// What an event said; what it left out is empty.
    fn from_message(plan: Option<&pb::RoutePlan>) -> Self {
        let plan = plan.cloned().unwrap_or_default();
        Self {
            from: or_epoch(plan.from_time.as_ref()),
            to: or_epoch(plan.to_time.as_ref()),
            origin: plan.origin.unwrap_or_default(),
            holder_id: plan.holder_id,
            destination: plan.destination.unwrap_or_default(),
            every: plan.every_minutes.into(),
            weight_max: Grams(plan.weight_grams_max),
            orders_max: usize::try_from(plan.orders_max).unwrap_or(0),
            lead: plan.lead_minutes.into(),
            transit: plan.transit_minutes.into(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    pub route_id: String,
    pub area: Area,
    pub plan: RoutePlan,
    /// Why it was closed.
    pub closed: Option<String>,
    pub revision: Revision,
}

impl Freight {
    pub fn route_in(&self, area: &Area, route_id: &str) -> Result<&Route, Rejection> {
        self.routes
            .get(route_id)
            .filter(|route| route.area == *area)
            .ok_or_else(|| Rejection::unknown(Subject::Route, route_id))
    }

    /// The open route that goods take which this holder sends to this
    /// checkpoint. There is at most one.
    pub(crate) fn route_for(
        &self,
        area: &Area,
        holder_id: &str,
        checkpoint_id: &str,
    ) -> Option<&Route> {
        self.routes.values().find(|route| {
            route.closed.is_none()
                && route.area == *area
                && route.plan.holder_id == holder_id
                && route.plan.destination.place_id == checkpoint_id
        })
    }
}

pub(crate) fn open(
    state: &State,
    command: &OpenRoute,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, AnyRejection> {
    let (freight, plan) = (&state.freight, &command.plan);
    if let Some(known) = freight.routes.get(&command.route_id) {
        let same = known.area == context.area && known.plan == *plan && known.closed.is_none();
        return if same {
            Ok(vec![])
        } else {
            let (subject, id) = (Subject::Route, command.route_id.clone());
            Err(Rejection::Exists { subject, id }.into())
        };
    }
    plan.check(context.now)?;
    state.checkpoint_in(&context.area, &plan.destination.place_id)?;
    let checkpoint_id = &plan.destination.place_id;
    if let Some(other) = freight.route_for(&context.area, &plan.holder_id, checkpoint_id) {
        return Err(Rejection::RouteConflict {
            holder_id: plan.holder_id.clone(),
            checkpoint_id: checkpoint_id.clone(),
            other_id: other.route_id.clone(),
        }
        .into());
    }
    Ok(vec![
        pb::RouteOpened {
            route_id: command.route_id.clone(),
            plan: Some(plan.to_message()),
        }
        .into(),
    ])
}

pub(crate) fn opened(freight: &mut Freight, moment: &Moment<'_>, event: &pb::RouteOpened) {
    freight
        .routes
        .entry(event.route_id.clone())
        .or_insert_with(|| Route {
            route_id: event.route_id.clone(),
            area: moment.area.clone(),
            plan: RoutePlan::from_message(event.plan.as_ref()),
            closed: None,
            revision: moment.revision,
        });
}

fn open_route<'a>(
    freight: &'a Freight,
    route_id: &str,
    context: &Context,
) -> Result<&'a Route, Rejection> {
    let route = freight.route_in(&context.area, route_id)?;
    match &route.closed {
        None => Ok(route),
        Some(reason) => Err(Rejection::RouteClosed {
            route_id: route_id.to_owned(),
            reason: reason.clone(),
        }),
    }
}

pub(crate) fn change(
    freight: &Freight,
    command: &ChangeRoute,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let route = open_route(freight, &command.route_id, context)?;
    let (old, new) = (&route.plan, &command.plan);
    if old == new {
        return Ok(vec![]);
    }
    let same_way = old.origin == new.origin
        && old.holder_id == new.holder_id
        && old.destination == new.destination;
    if !same_way {
        let why = "its origin, holder and destination stay: open another one instead".into();
        return Err(Rejection::Route { why });
    }
    new.check(context.now)?;
    Ok(vec![
        pb::RouteChanged {
            route_id: command.route_id.clone(),
            plan: Some(new.to_message()),
        }
        .into(),
    ])
}

pub(crate) fn changed(freight: &mut Freight, moment: &Moment<'_>, event: &pb::RouteChanged) {
    let waiting = freight.take_waiting(&event.route_id);
    let Some(route) = freight.routes.get_mut(&event.route_id) else {
        return;
    };
    route.plan = RoutePlan::from_message(event.plan.as_ref());
    route.revision = moment.revision;
    for goods in waiting {
        freight.wait(goods, moment.at);
    }
}

pub(crate) fn close(
    freight: &Freight,
    command: &CloseRoute,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let route = freight.route_in(&context.area, &command.route_id)?;
    if route.closed.is_some() {
        return Ok(vec![]);
    }
    Ok(vec![
        pb::RouteClosed {
            route_id: command.route_id.clone(),
            reason: command.reason.clone(),
        }
        .into(),
    ])
}

/// What waits stays with its holder, as if there had been no route.
pub(crate) fn closed(freight: &mut Freight, moment: &Moment<'_>, event: &pb::RouteClosed) {
    freight.take_waiting(&event.route_id);
    if let Some(route) = freight.routes.get_mut(&event.route_id) {
        route.closed = Some(event.reason.clone());
        route.revision = moment.revision;
    }
}
