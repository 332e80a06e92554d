//! What requests have in common, so that one piece of code reads it from all.
//!
//! The table below names every request message once; a test compares it with
//! the descriptors.

use prost::{Message, Name};

/// A request that changes something (AIP-155).
pub trait CommandRequest: Message + Name {
    fn request_id(&self) -> &str;
    /// Area code that it concerns.
    fn area(&self) -> &str;
    /// Revision at which the entity must be (AIP-154).
    fn if_revision(&self) -> Option<u64>;
}

/// A request that reads.
pub trait QueryRequest: Message {
    fn area(&self) -> &str;
    /// The answer must rest on at least this position; 0 means any.
    fn min_position(&self) -> u64;
}

macro_rules! requests {
    ($($package:ident {
        commands: $($command:ident)*;
        revised: $($revised:ident)*;
        queries: $($query:ident)*;
    })*) => {
        $(
            $(impl CommandRequest for crate::$package::v1::$command {
                fn request_id(&self) -> &str { &self.request_id }
                fn area(&self) -> &str { &self.area }
                fn if_revision(&self) -> Option<u64> { None }
            })*
            $(impl CommandRequest for crate::$package::v1::$revised {
                fn request_id(&self) -> &str { &self.request_id }
                fn area(&self) -> &str { &self.area }
                fn if_revision(&self) -> Option<u64> { self.if_revision }
            })*
            $(impl QueryRequest for crate::$package::v1::$query {
                fn area(&self) -> &str { &self.area }
                fn min_position(&self) -> u64 { self.min_position }
            })*
        )*

        #[cfg(test)]
        const LISTED: &[&str] = &[$(
            $(concat!("baogong.", stringify!($package), ".v1.", stringify!($command)),)*
            $(concat!("baogong.", stringify!($package), ".v1.", stringify!($revised)),)*
            $(concat!("baogong.", stringify!($package), ".v1.", stringify!($query)),)*
        )*];
    };
}

requests! {
    order {
        commands:
            ActivateContingencyRequest
            EndContingencyRequest
            RegisterHouseholdRequest
            HandOverHouseholdsRequest
            EraseHouseholdRequest
            OpenGroupBuyRequest
            CloseGroupBuyRequest
            PlaceOrderRequest;
        revised:
            UpdateHouseholdRequest
            CancelOrderRequest;
        queries:
            GetContingencyRequest
            GetHouseholdRequest
            ListHouseholdsRequest
            GetGroupBuyRequest
            ListGroupBuysRequest
            GetOrderRequest
            ListOrdersRequest
            GetCoverageRequest
            ListMissedHouseholdsRequest;
    }
    inventory {
        commands:
            DefineProductRequest
            ReceiveLotRequest
            SpoilStockRequest
            CloseProcurementRequest
            OpenProcurementRequest
            PickOrdersRequest
            DispatchOrdersRequest
            SetReferencePriceRequest
            OfferSurplusRequest
            WithdrawSurplusRequest
            RegisterBuyerRequest
            PlaceBulkDemandRequest
            WithdrawBulkDemandRequest
            OpenMatchingRequest
            CloseMatchingRequest
            ConfirmSaleRequest
            RefuseSaleRequest
            ConfirmPurchaseRequest
            RefusePurchaseRequest;
        revised:
            ChangeSurplusRequest;
        queries:
            ListProductsRequest
            GetLotRequest
            ListLotsRequest
            GetProcurementNeedRequest
            GetDemandRequest
            ListDemandsRequest
            ListReferencePricesRequest
            GetSurplusRequest
            ListSurplusesRequest
            ListBuyersRequest
            ListBulkDemandsRequest
            GetMatchingRequest
            GetMatchRequest
            ListMatchesRequest
            ListSalesRequest
            ListPurchasesRequest
            GetGrowerReportRequest
            ListGrowerReportsRequest;
    }
    logistics {
        commands:
            RegisterCheckpointRequest
            RegisterMemberRequest
            AssignShiftRequest
            RecordAbsenceRequest
            ReceiveParcelsRequest
            DisinfectParcelsRequest
            PlanRunsRequest
            StartRunRequest
            PlaceGoodsRequest
            LeaveDoorRequest
            FailAttemptRequest
            DisinfectEntranceRequest
            CompleteRunRequest
            RescheduleDeliveryRequest
            ReturnParcelRequest
            RegisterVehicleRequest
            WithdrawVehicleRequest
            RegisterDriverRequest
            WithdrawDriverRequest
            OfferCapacityRequest
            WithdrawCapacityRequest
            ApplyForPassRequest
            AcceptTenderRequest
            DeclineTenderRequest
            AssignResourcesRequest
            DeclareHandoverRequest
            OpenIncidentRequest
            CloseIncidentRequest
            ReportEventsRequest
            StreamReportsRequest
            RegisterCarrierRequest
            SuspendCarrierRequest
            ResumeCarrierRequest
            IssuePassRequest
            RefusePassRequest
            RevokePassRequest
            DraftShipmentRequest
            ChangeLoadRequest
            TenderShipmentRequest
            WithdrawTenderRequest
            TransferCustodyRequest
            CancelShipmentRequest
            CloseShipmentRequest
            SetContactsRequest
            IssuePinRequest
            RecordProofRequest
            UploadPhotoRequest
            OpenRouteRequest
            ChangeRouteRequest
            CloseRouteRequest
            RegisterWebhookRequest
            RotateWebhookSecretRequest
            PauseWebhookRequest
            ResumeWebhookRequest
            RemoveWebhookRequest
            TestWebhookRequest;
        revised:;
        queries:
            GetCheckpointRequest
            GetRosterRequest
            GetParcelRequest
            ListParcelsRequest
            GetRunRequest
            ListRunsRequest
            WatchTendersRequest
            GetShipmentRequest
            ListShipmentsRequest
            GetPassRequest
            ListPassesRequest
            ListProofsRequest
            GetUploadRequest
            DownloadPhotoRequest
            GetManifestRequest
            GetCarrierRequest
            ListCarriersRequest
            GetRouteRequest
            ListRoutesRequest
            ListWaitingGoodsRequest
            ListWebhooksRequest;
    }
    notification {
        commands:
            AcknowledgeNotificationRequest
            CompleteCallTaskRequest
            CompleteVisitRequest;
        revised:;
        queries:
            GetNotificationRequest
            ListNotificationsRequest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::FileDescriptorSet;

    #[test]
    fn every_request_of_a_business_service_is_listed() {
        let set = FileDescriptorSet::decode(crate::DESCRIPTORS).expect("descriptors");
        let kit = ["baogong.admin.v1", "baogong.log.v1"];
        let mut defined: Vec<String> = set
            .file
            .iter()
            .filter(|file| !kit.contains(&file.package()))
            .flat_map(|file| &file.service)
            .flat_map(|service| &service.method)
            .map(|method| method.input_type().trim_start_matches('.').to_owned())
            .collect();
        let mut listed: Vec<String> = LISTED.iter().map(|name| (*name).to_owned()).collect();
        defined.sort();
        listed.sort();
        assert_eq!(defined, listed);
    }
}
