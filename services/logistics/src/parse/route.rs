//! The same for what dispatchers ask about trunk routes.

use logistics_domain::{self as domain, Grams, RoutePlan};
use proto::logistics::v1 as pb;
use service_kit::fields::Fields;
use tonic::Status;

use super::{NOTE_MAX, Parsed, SERVICE, finish, freight::place};

const DAY_MINUTES: i32 = 24 * 60;
const WINDOW_MINUTES_MIN: i32 = 5;
const LOAD_GRAMS: std::ops::RangeInclusive<i64> = 1_000..=40_000_000;
const ORDERS_MAX: i32 = 500;

pub fn open(request: &pb::OpenRouteRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::OpenRoute {
        route_id: fields.code("route_id", &request.route_id),
        plan: plan(&mut fields, request.plan.as_ref()),
    };
    finish(fields, command)
}

pub fn change(request: &pb::ChangeRouteRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::ChangeRoute {
        route_id: fields.code("route_id", &request.route_id),
        plan: plan(&mut fields, request.plan.as_ref()),
    };
    finish(fields, command)
}

pub fn close(request: &pb::CloseRouteRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::CloseRoute {
        route_id: fields.code("route_id", &request.route_id),
        reason: fields.text("reason", &request.reason, 1..=NOTE_MAX),
    };
    finish(fields, command)
}

/// Which of the waiting goods are asked for.
pub struct Waiting {
    pub route_id: Option<String>,
    pub reason: Option<pb::WaitReason>,
}

pub fn waiting(request: &pb::ListWaitingGoodsRequest) -> Result<Waiting, Status> {
    let mut fields = Fields::new();
    let waiting = Waiting {
        route_id: fields.optional_code("route_id", &request.route_id),
        reason: fields.optional_choice("reason", request.reason),
    };
    fields.finish(SERVICE)?;
    Ok(waiting)
}

fn plan(fields: &mut Fields, plan: Option<&pb::RoutePlan>) -> RoutePlan {
    let plan = fields.needed("plan", plan);
    let weight = plan.weight_grams_max;
    let orders = fields.number("plan.orders_max", plan.orders_max, 1..=ORDERS_MAX);
    RoutePlan {
        origin: place(fields, "plan.origin", plan.origin.as_ref()),
        holder_id: fields.code("plan.holder_id", &plan.holder_id),
        destination: place(fields, "plan.destination", plan.destination.as_ref()),
        from: fields.time("plan.from_time", plan.from_time.as_ref()),
        to: fields.time("plan.to_time", plan.to_time.as_ref()),
        every: minutes(
            fields,
            "every_minutes",
            plan.every_minutes,
            WINDOW_MINUTES_MIN,
        ),
        weight_max: Grams(fields.number("plan.weight_grams_max", weight, LOAD_GRAMS)),
        orders_max: usize::try_from(orders).unwrap_or(1),
        lead: minutes(fields, "lead_minutes", plan.lead_minutes, 1),
        transit: minutes(fields, "transit_minutes", plan.transit_minutes, 1),
    }
}

fn minutes(fields: &mut Fields, field: &str, minutes: i32, least: i32) -> i64 {
    let field = format!("plan.{field}");
    fields.number(&field, minutes, least..=DAY_MINUTES).into()
}
