//! From request messages to commands that cannot be malformed.

pub mod contact;
pub mod freight;
pub mod proof;
pub mod route;
pub mod webhook;

use decider::Service;
use logistics_domain as domain;
use logistics_domain::{BagFault, Command, Grams, ParcelFilter, RunFilter};
use proto::logistics::v1 as pb;
use service_kit::fields::Fields;
use tonic::Status;

const SERVICE: Service = Service::Logistics;
/// Parcels received or disinfected by one request.
const PARCELS_MAX: usize = 50;
/// Bags of one parcel that can be reported: inventory answers all of them in
/// one reaction, which must fit into one unit of its log.
const BAGS_MAX: usize = 60;
const COMMUNITIES_MAX: usize = 100;
const CAPACITY_GRAMS_MIN: i64 = 1_000;
const CAPACITY_GRAMS_MAX: i64 = 2_000_000;
/// Characters of a bag's label: the order's id and a suffix.
const LABEL_MAX: usize = 80;
const NOTE_MAX: usize = 200;
const AGENT_MAX: usize = 100;

type Parsed = Result<Command, Status>;

pub fn register_checkpoint(request: &pb::RegisterCheckpointRequest) -> Parsed {
    let mut fields = Fields::new();
    let list = &request.communities;
    fields.list("communities", list, 0..=COMMUNITIES_MAX);
    let command = domain::RegisterCheckpoint {
        checkpoint_id: fields.code("checkpoint_id", &request.checkpoint_id),
        name: fields.text("name", &request.name, 1..=100),
        communities: codes(&mut fields, "communities", list),
    };
    finish(fields, command)
}

pub fn register_member(request: &pb::RegisterMemberRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::RegisterMember {
        member_id: fields.code("member_id", &request.member_id),
        capacity: Grams(fields.number(
            "capacity_grams",
            request.capacity_grams,
            CAPACITY_GRAMS_MIN..=CAPACITY_GRAMS_MAX,
        )),
        leader: request.leader,
    };
    finish(fields, command)
}

pub fn assign_shift(request: &pb::AssignShiftRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::AssignShift {
        member_id: fields.code("member_id", &request.member_id),
        checkpoint_id: fields.code("checkpoint_id", &request.checkpoint_id),
        post: fields.code("post", &request.post),
        starts: fields.time("starts_time", request.starts_time.as_ref()),
        ends: fields.time("ends_time", request.ends_time.as_ref()),
    };
    finish(fields, command)
}

pub fn record_absence(request: &pb::RecordAbsenceRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::RecordAbsence {
        member_id: fields.code("member_id", &request.member_id),
        from: fields.time("from_time", request.from_time.as_ref()),
        to: fields.time("to_time", request.to_time.as_ref()),
        reason: fields.text("reason", &request.reason, 1..=NOTE_MAX),
    };
    finish(fields, command)
}

pub fn receive_parcels(request: &pb::ReceiveParcelsRequest) -> Parsed {
    let mut fields = Fields::new();
    fields.list("parcels", &request.parcels, 1..=PARCELS_MAX);
    let parcels = request.parcels.iter().enumerate();
    let parcels = parcels.map(|(n, receipt)| parcel_receipt(&mut fields, n, receipt));
    let parcels = parcels.collect();
    let command = domain::ReceiveParcels {
        checkpoint_id: fields.code("checkpoint_id", &request.checkpoint_id),
        from_custodian_id: fields.code("from_custodian_id", &request.from_custodian_id),
        keeper_id: fields.code("keeper_id", &request.keeper_id),
        parcels,
    };
    finish(fields, command)
}

fn parcel_receipt(
    fields: &mut Fields,
    n: usize,
    receipt: &pb::ParcelReceipt,
) -> domain::ParcelReceipt {
    let place = format!("parcels[{n}]");
    let order_id = fields.code(&format!("{place}.order_id"), &receipt.order_id);
    let list = format!("{place}.exceptions");
    fields.list(&list, &receipt.exceptions, 0..=BAGS_MAX);
    let reports = receipt.exceptions.iter().enumerate();
    let exceptions = reports.map(|(m, report)| bag_report(fields, &format!("{list}[{m}]"), report));
    domain::ParcelReceipt {
        order_id,
        exceptions: exceptions.collect(),
    }
}

fn bag_report(fields: &mut Fields, place: &str, report: &pb::BagReport) -> domain::BagReport {
    let field = format!("{place}.code");
    let code = fields.choice(&field, report.code);
    let fault = BagFault::from_code(code);
    // A code that is none or not known was told by `choice` already.
    if code != pb::ExceptionCode::Unspecified {
        fields.check(fault.is_some(), &field, "must be DAMAGED or SHORT");
    }
    domain::BagReport {
        label: fields.text(&format!("{place}.label"), &report.label, 1..=LABEL_MAX),
        fault: fault.unwrap_or(BagFault::Damaged),
        note: fields.text(&format!("{place}.note"), &report.note, 0..=NOTE_MAX),
    }
}

pub fn disinfect_parcels(request: &pb::DisinfectParcelsRequest) -> Parsed {
    let mut fields = Fields::new();
    let list = &request.order_ids;
    fields.list("order_ids", list, 1..=PARCELS_MAX);
    let command = domain::DisinfectParcels {
        checkpoint_id: fields.code("checkpoint_id", &request.checkpoint_id),
        order_ids: codes(&mut fields, "order_ids", list),
        agent: fields.text("agent", &request.agent, 1..=AGENT_MAX),
        done_by: fields.code("done_by", &request.done_by),
    };
    finish(fields, command)
}

pub fn plan_runs(request: &pb::PlanRunsRequest) -> Parsed {
    let mut fields = Fields::new();
    let checkpoint_id = fields.code("checkpoint_id", &request.checkpoint_id);
    finish(fields, domain::PlanRuns { checkpoint_id })
}

pub fn start_run(request: &pb::StartRunRequest) -> Parsed {
    let mut fields = Fields::new();
    let run_id = fields.code("run_id", &request.run_id);
    finish(fields, domain::StartRun { run_id })
}

pub fn place_goods(request: &pb::PlaceGoodsRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::PlaceGoods {
        run_id: fields.code("run_id", &request.run_id),
        order_id: fields.code("order_id", &request.order_id),
    };
    finish(fields, command)
}

pub fn leave_door(request: &pb::LeaveDoorRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::LeaveDoor {
        run_id: fields.code("run_id", &request.run_id),
        order_id: fields.code("order_id", &request.order_id),
    };
    finish(fields, command)
}

pub fn fail_attempt(request: &pb::FailAttemptRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::FailAttempt {
        run_id: fields.code("run_id", &request.run_id),
        order_id: fields.code("order_id", &request.order_id),
        reason: fields.choice("reason", request.reason),
        note: fields.text("note", &request.note, 0..=NOTE_MAX),
    };
    finish(fields, command)
}

pub fn disinfect_entrance(request: &pb::DisinfectEntranceRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::DisinfectEntrance {
        run_id: fields.code("run_id", &request.run_id),
        grid: fields.code("grid", &request.grid),
        building: fields.code("building", &request.building),
        entrance: fields.code("entrance", &request.entrance),
        agent: fields.text("agent", &request.agent, 1..=AGENT_MAX),
        done_by: fields.code("done_by", &request.done_by),
    };
    finish(fields, command)
}

pub fn complete_run(request: &pb::CompleteRunRequest) -> Parsed {
    let mut fields = Fields::new();
    let run_id = fields.code("run_id", &request.run_id);
    finish(fields, domain::CompleteRun { run_id })
}

pub fn reschedule_delivery(request: &pb::RescheduleDeliveryRequest) -> Parsed {
    let mut fields = Fields::new();
    let order_id = fields.code("order_id", &request.order_id);
    finish(fields, domain::RescheduleDelivery { order_id })
}

pub fn return_parcel(request: &pb::ReturnParcelRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::ReturnParcel {
        order_id: fields.code("order_id", &request.order_id),
        reason: fields.choice("reason", request.reason),
    };
    finish(fields, command)
}

pub fn parcel_filter(request: &pb::ListParcelsRequest) -> Result<ParcelFilter, Status> {
    let mut fields = Fields::new();
    let filter = ParcelFilter {
        checkpoint_id: fields.optional_code("checkpoint_id", &request.checkpoint_id),
        state: fields.optional_choice("state", request.state),
    };
    fields.finish(SERVICE)?;
    Ok(filter)
}

pub fn run_filter(request: &pb::ListRunsRequest) -> Result<RunFilter, Status> {
    let mut fields = Fields::new();
    let filter = RunFilter {
        checkpoint_id: fields.optional_code("checkpoint_id", &request.checkpoint_id),
        member_id: fields.optional_code("member_id", &request.member_id),
        state: fields.optional_choice("state", request.state),
    };
    fields.finish(SERVICE)?;
    Ok(filter)
}

fn codes(fields: &mut Fields, field: &str, values: &[String]) -> Vec<String> {
    let values = values.iter().enumerate();
    values
        .map(|(n, value)| fields.code(&format!("{field}[{n}]"), value))
        .collect()
}

fn finish(fields: Fields, command: impl Into<Command>) -> Parsed {
    fields.finish(SERVICE)?;
    Ok(command.into())
}
