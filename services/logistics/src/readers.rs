//! Every request of the service with its parser, for tests that feed them
//! nonsense.

use std::time::Duration;

use decider::{Service::Logistics as SERVICE, Timestamp};
use service_kit::{
    readers,
    readers::{Reader, id, page},
};

use crate::{
    config::PhotoLimits,
    parse::{self, contact, freight, proof, route, webhook},
    webhook::address::Policy,
};

const PUBLIC_ONLY: Policy = Policy {
    private: false,
    loopback: false,
};

const PHOTOS: PhotoLimits = PhotoLimits {
    retention_minutes: 90 * 24 * 60,
    quota_bytes: 512 << 20,
    stall: Duration::from_secs(30),
};

pub const ALL: &[Reader] = readers! {
    logistics::RegisterCheckpointRequest => parse::register_checkpoint;
    logistics::GetCheckpointRequest => |r| id(SERVICE, "checkpoint_id", &r.checkpoint_id);
    logistics::RegisterMemberRequest => parse::register_member;
    logistics::AssignShiftRequest => parse::assign_shift;
    logistics::RecordAbsenceRequest => parse::record_absence;
    logistics::GetRosterRequest => |r| id(SERVICE, "area", &r.area);
    logistics::ReceiveParcelsRequest => parse::receive_parcels;
    logistics::DisinfectParcelsRequest => parse::disinfect_parcels;
    logistics::GetParcelRequest => |r| id(SERVICE, "order_id", &r.order_id);
    logistics::ListParcelsRequest => |r| {
        parse::parcel_filter(r)?;
        page(SERVICE, r.page_size, &r.page_token)
    };
    logistics::PlanRunsRequest => parse::plan_runs;
    logistics::StartRunRequest => parse::start_run;
    logistics::PlaceGoodsRequest => parse::place_goods;
    logistics::LeaveDoorRequest => parse::leave_door;
    logistics::FailAttemptRequest => parse::fail_attempt;
    logistics::DisinfectEntranceRequest => parse::disinfect_entrance;
    logistics::CompleteRunRequest => parse::complete_run;
    logistics::RescheduleDeliveryRequest => parse::reschedule_delivery;
    logistics::ReturnParcelRequest => parse::return_parcel;
    logistics::GetRunRequest => |r| id(SERVICE, "run_id", &r.run_id);
    logistics::ListRunsRequest => |r| {
        parse::run_filter(r)?;
        page(SERVICE, r.page_size, &r.page_token)
    };
    logistics::RegisterCarrierRequest => freight::register_carrier;
    logistics::SuspendCarrierRequest => freight::suspend_carrier;
    logistics::ResumeCarrierRequest => freight::resume_carrier;
    logistics::GetCarrierRequest => |r| freight::carrier_id(&r.carrier_id);
    logistics::ListCarriersRequest => |r| page(SERVICE, r.page_size, &r.page_token);
    logistics::IssuePassRequest => freight::issue_pass;
    logistics::RefusePassRequest => freight::refuse_pass;
    logistics::RevokePassRequest => freight::revoke_pass;
    logistics::DraftShipmentRequest => freight::draft_shipment;
    logistics::ChangeLoadRequest => freight::change_load;
    logistics::TenderShipmentRequest => freight::tender_shipment;
    logistics::WithdrawTenderRequest => freight::withdraw_tender;
    logistics::TransferCustodyRequest => freight::transfer_custody;
    logistics::CancelShipmentRequest => freight::cancel_shipment;
    logistics::CloseShipmentRequest => freight::close_shipment;
    logistics::RegisterVehicleRequest => freight::register_vehicle;
    logistics::WithdrawVehicleRequest => freight::withdraw_vehicle;
    logistics::RegisterDriverRequest => freight::register_driver;
    logistics::WithdrawDriverRequest => freight::withdraw_driver;
    logistics::OfferCapacityRequest => freight::offer_capacity;
    logistics::WithdrawCapacityRequest => freight::withdraw_capacity;
    logistics::ApplyForPassRequest => freight::apply_for_pass;
    logistics::AcceptTenderRequest => freight::accept_tender;
    logistics::DeclineTenderRequest => freight::decline_tender;
    logistics::AssignResourcesRequest => freight::assign_resources;
    logistics::DeclareHandoverRequest => freight::declare_handover;
    logistics::OpenIncidentRequest => freight::open_incident;
    logistics::CloseIncidentRequest => freight::close_incident;
    logistics::ReportEventsRequest => |r| {
        let carrier_id = freight::reporter(r)?;
        let reports = r.reports.iter();
        let parsed = reports.map(|report| freight::report(&carrier_id, report));
        parsed.collect::<Result<Vec<_>, _>>()
    };
    logistics::WatchTendersRequest => |r| freight::carrier_id(&r.carrier_id);
    logistics::GetShipmentRequest => |r| freight::carrier_id(&r.carrier_id);
    logistics::ListShipmentsRequest => |r| {
        freight::shipment_state(r)?;
        page(SERVICE, r.page_size, &r.page_token)
    };
    logistics::GetPassRequest => |r| freight::carrier_id(&r.carrier_id);
    logistics::ListPassesRequest => |r| {
        freight::pass_state(r)?;
        page(SERVICE, r.page_size, &r.page_token)
    };
    logistics::RegisterWebhookRequest => |r| webhook::register(r, PUBLIC_ONLY);
    logistics::RotateWebhookSecretRequest => webhook::rotate;
    logistics::PauseWebhookRequest => webhook::pause;
    logistics::ResumeWebhookRequest => webhook::resume;
    logistics::RemoveWebhookRequest => webhook::remove;
    logistics::TestWebhookRequest => webhook::test;
    logistics::ListWebhooksRequest => |r| freight::carrier_id(&r.carrier_id);
    logistics::StreamReportsRequest => |r| {
        let reports = r.reports.iter();
        let parsed = reports.map(|report| freight::report(&r.carrier_id, report));
        parsed.collect::<Result<Vec<_>, _>>()
    };
    logistics::RecordProofRequest => proof::proof;
    logistics::ListProofsRequest => |r| proof::of_shipment(&r.carrier_id, &r.shipment_id);
    logistics::GetManifestRequest => |r| proof::of_shipment(&r.carrier_id, &r.shipment_id);
    logistics::IssuePinRequest => |r| proof::of_shipment("any", &r.shipment_id);
    logistics::UploadPhotoRequest => |r| proof::upload(r, &PHOTOS, Timestamp(0)).transpose();
    logistics::GetUploadRequest => |r| proof::photo(&r.carrier_id, &r.shipment_id, &r.sha256);
    logistics::DownloadPhotoRequest => |r| proof::photo(&r.carrier_id, &r.shipment_id, &r.sha256);
    logistics::SetContactsRequest => |r| {
        contact::shipment_id(&r.shipment_id)?;
        contact::contacts(&r.contacts, None)
    };
    logistics::OpenRouteRequest => route::open;
    logistics::ChangeRouteRequest => route::change;
    logistics::CloseRouteRequest => route::close;
    logistics::GetRouteRequest => |r| id(SERVICE, "route_id", &r.route_id);
    logistics::ListRoutesRequest => |r| page(SERVICE, r.page_size, &r.page_token);
    logistics::ListWaitingGoodsRequest => |r| {
        route::waiting(r)?;
        page(SERVICE, r.page_size, &r.page_token)
    };
};
