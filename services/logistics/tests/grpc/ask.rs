//! Requests of an ordinary day, each with a request id of its own.

use std::sync::atomic::{AtomicU32, Ordering};

use decider::spec::START;
use proto::{logistics::v1::*, time::to_proto};

pub const AREA: &str = "632725100";
pub const CHECKPOINT: &str = "gate-3";
pub const CARRIER: &str = "bureau-1";
pub const MEMBER: &str = "m-07";

pub fn fresh() -> String {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    format!("ask-{}", ASKED.fetch_add(1, Ordering::Relaxed))
}

pub fn checkpoint() -> RegisterCheckpointRequest {
    RegisterCheckpointRequest {
        request_id: fresh(),
        area: AREA.into(),
        checkpoint_id: CHECKPOINT.into(),
        name: "Gate 3".into(),
        communities: vec!["zhichaka".into()],
    }
}

pub fn member(member_id: &str) -> RegisterMemberRequest {
    RegisterMemberRequest {
        request_id: fresh(),
        area: AREA.into(),
        member_id: member_id.into(),
        capacity_grams: 120_000,
        leader: false,
    }
}

/// On delivery for eight hours from the start of the test's clock.
pub fn shift(member_id: &str) -> AssignShiftRequest {
    AssignShiftRequest {
        request_id: fresh(),
        area: AREA.into(),
        member_id: member_id.into(),
        checkpoint_id: CHECKPOINT.into(),
        post: "delivery".into(),
        starts_time: Some(to_proto(START)),
        ends_time: Some(to_proto(START.plus_minutes(8 * 60))),
    }
}

pub fn absence(member_id: &str) -> RecordAbsenceRequest {
    RecordAbsenceRequest {
        request_id: fresh(),
        area: AREA.into(),
        member_id: member_id.into(),
        from_time: Some(to_proto(START)),
        to_time: Some(to_proto(START.plus_minutes(60))),
        reason: "fever".into(),
    }
}

/// All bags of the order but the damaged ones.
pub fn receipt(order_id: &str, damaged: &[&str]) -> ParcelReceipt {
    let exceptions = damaged.iter().map(|label| BagReport {
        label: (*label).into(),
        code: ExceptionCode::Damaged.into(),
        note: "torn".into(),
    });
    ParcelReceipt {
        order_id: order_id.into(),
        exceptions: exceptions.collect(),
    }
}

pub fn receive(parcels: Vec<ParcelReceipt>) -> ReceiveParcelsRequest {
    ReceiveParcelsRequest {
        request_id: fresh(),
        area: AREA.into(),
        checkpoint_id: CHECKPOINT.into(),
        from_custodian_id: CARRIER.into(),
        keeper_id: "keeper-1".into(),
        parcels,
    }
}

pub fn disinfect(order_ids: &[&str]) -> DisinfectParcelsRequest {
    DisinfectParcelsRequest {
        request_id: fresh(),
        area: AREA.into(),
        checkpoint_id: CHECKPOINT.into(),
        order_ids: order_ids.iter().map(|id| (*id).into()).collect(),
        agent: "chlorine 500 mg/L".into(),
        done_by: "keeper-1".into(),
    }
}

pub fn plan() -> PlanRunsRequest {
    PlanRunsRequest {
        request_id: fresh(),
        area: AREA.into(),
        checkpoint_id: CHECKPOINT.into(),
    }
}

pub fn start(run_id: &str) -> StartRunRequest {
    StartRunRequest {
        request_id: fresh(),
        area: AREA.into(),
        run_id: run_id.into(),
    }
}

pub fn place(run_id: &str, order_id: &str) -> PlaceGoodsRequest {
    PlaceGoodsRequest {
        request_id: fresh(),
        area: AREA.into(),
        run_id: run_id.into(),
        order_id: order_id.into(),
    }
}

pub fn leave(run_id: &str, order_id: &str) -> LeaveDoorRequest {
    LeaveDoorRequest {
        request_id: fresh(),
        area: AREA.into(),
        run_id: run_id.into(),
        order_id: order_id.into(),
    }
}

pub fn fail(run_id: &str, order_id: &str, reason: ExceptionCode) -> FailAttemptRequest {
    FailAttemptRequest {
        request_id: fresh(),
        area: AREA.into(),
        run_id: run_id.into(),
        order_id: order_id.into(),
        reason: reason.into(),
        note: "nobody opens".into(),
    }
}

/// The entrance at which all test households live.
pub fn disinfect_entrance(run_id: &str) -> DisinfectEntranceRequest {
    DisinfectEntranceRequest {
        request_id: fresh(),
        area: AREA.into(),
        run_id: run_id.into(),
        building: "B12".into(),
        entrance: "E2".into(),
        agent: "chlorine 500 mg/L".into(),
        done_by: MEMBER.into(),
        grid: "G03".into(),
    }
}

pub fn complete(run_id: &str) -> CompleteRunRequest {
    CompleteRunRequest {
        request_id: fresh(),
        area: AREA.into(),
        run_id: run_id.into(),
    }
}

pub fn reschedule(order_id: &str) -> RescheduleDeliveryRequest {
    RescheduleDeliveryRequest {
        request_id: fresh(),
        area: AREA.into(),
        order_id: order_id.into(),
    }
}

pub fn give_back(order_id: &str) -> ReturnParcelRequest {
    ReturnParcelRequest {
        request_id: fresh(),
        area: AREA.into(),
        order_id: order_id.into(),
        reason: ExceptionCode::Unclaimed.into(),
    }
}

pub fn parcels() -> ListParcelsRequest {
    ListParcelsRequest {
        area: AREA.into(),
        ..ListParcelsRequest::default()
    }
}

pub fn runs() -> ListRunsRequest {
    ListRunsRequest {
        area: AREA.into(),
        ..ListRunsRequest::default()
    }
}
