//! Which messages are events, and to which stream each belongs.
//!
//! The table is the whole of it: `Message => category: field` says that the
//! message is an event of that service and that its stream is
//! `<category>/<field>`. A test compares it with `events.proto`.

use decider::{DecodeError, EventSet, Service, StreamId};
use prost::{Message, Name};

macro_rules! event_set {
    ($(#[$doc:meta])* $set:ident from $package:ident { $($event:ident => $category:literal : $($field:ident).+;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(clippy::large_enum_variant)]
        pub enum $set {
            $($event(crate::$package::v1::$event),)*
        }

        impl $set {
            /// Full names of all event types of this service.
            pub const TYPES: &'static [&'static str] = &[
                $(concat!("baogong.", stringify!($package), ".v1.", stringify!($event)),)*
            ];
        }

        impl EventSet for $set {
            fn type_name(&self) -> &'static str {
                match self {
                    $(Self::$event(_) => concat!("baogong.", stringify!($package), ".v1.", stringify!($event)),)*
                }
            }

            fn encode(&self) -> Vec<u8> {
                match self {
                    $(Self::$event(message) => message.encode_to_vec(),)*
                }
            }

            fn decode(type_name: &str, data: &[u8]) -> Result<Self, DecodeError> {
                let (type_name, data) = crate::upcast::to_today(type_name, data);
                let prefix = concat!("baogong.", stringify!($package), ".v1.");
                match type_name.strip_prefix(prefix) {
                    $(Some(stringify!($event)) => decode_as(type_name, &data).map(Self::$event),)*
                    _ => Err(DecodeError::UnknownType(type_name.to_owned())),
                }
            }

            fn decode_again(&mut self, type_name: &str, data: &[u8]) -> Result<(), DecodeError> {
                let (type_name, data) = crate::upcast::to_today(type_name, data);
                if self.type_name() != type_name {
                    *self = Self::decode(type_name, &data)?;
                    return Ok(());
                }
                if crate::again::Again::again(self, &data).is_some() {
                    return Ok(());
                }
                let decoded = match self {
                    $(Self::$event(message) => crate::again::flat(message, &data),)*
                };
                decoded.map_err(|error| malformed(type_name, &error))
            }

            fn stream(&self) -> StreamId {
                match self {
                    $(Self::$event(message) => StreamId::new($category, event_set!(@id message $($field).+)),)*
                }
            }
        }

        $(
            impl From<crate::$package::v1::$event> for $set {
                fn from(message: crate::$package::v1::$event) -> Self {
                    Self::$event(message)
                }
            }
        )*
    };
    (@id $message:ident $field:ident) => { $message.$field.as_str() };
    // An id inside a message field, which prost makes an `Option`.
    (@id $message:ident $outer:ident . $field:ident) => {
        $message.$outer.as_ref().map_or("", |inner| inner.$field.as_str())
    };
}

fn decode_as<M: Message + Default + Name>(type_name: &str, data: &[u8]) -> Result<M, DecodeError> {
    M::decode(data).map_err(|error| malformed(type_name, &error))
}

fn malformed(type_name: &str, error: &prost::DecodeError) -> DecodeError {
    DecodeError::Malformed {
        type_name: type_name.to_owned(),
        message: error.to_string(),
    }
}

event_set!(
    /// Events of the order service.
    OrderEvent from order {
        ContingencyActivated => "area": area;
        ContingencyEnded => "area": area;
        HouseholdRegistered => "household": household_id;
        HouseholdUpdated => "household": household_id;
        HouseholdHandedOver => "household": household_id;
        PersonalDataErased => "household": household_id;
        PersonalDataKeyDestroyed => "household": household_id;
        GroupBuyOpened => "group-buy": group_buy_id;
        GroupBuySucceeded => "group-buy": group_buy_id;
        GroupBuyFailed => "group-buy": group_buy_id;
        OrderPlaced => "order": order_id;
        OrderReleased => "order": order_id;
        OrderConfirmed => "order": order_id;
        OrderPartiallyConfirmed => "order": order_id;
        OrderRejected => "order": order_id;
        OrderCancelled => "order": order_id;
        OrderReady => "order": order_id;
        OrderOutForDelivery => "order": order_id;
        OrderDelivered => "order": order_id;
        OrderCollected => "order": order_id;
        OrderFailed => "order": order_id;
        OrderReturned => "order": order_id;
    }
);

event_set!(
    /// Events of the inventory service.
    InventoryEvent from inventory {
        ProductDefined => "product": product_id;
        LotReceived => "lot": lot_id;
        StockSpoiled => "lot": lot_id;
        DemandQueued => "demand": order_id;
        StockReserved => "demand": order_id;
        DemandRejected => "demand": order_id;
        ReservationReleased => "demand": order_id;
        OrderPicked => "demand": order_id;
        OrderDispatched => "demand": order_id;
        DispatchRecalled => "demand": order_id;
        ReplacementDispatched => "demand": order_id;
        ReplacementRefused => "demand": order_id;
        ReplacementQueued => "demand": order_id;
        StockReturned => "demand": order_id;
        ProcurementClosed => "procurement": area;
        ProcurementOpened => "procurement": area;
        ReferencePriceSet => "price": product_id;
        PriceCapBreached => "listing": listing_id;
        SurplusListed => "listing": listing_id;
        SurplusChanged => "listing": listing_id;
        SurplusWithdrawn => "listing": listing_id;
        SurplusExpired => "listing": listing_id;
        BuyerRegistered => "buyer": buyer_id;
        BulkDemandPlaced => "bulk-demand": demand_id;
        BulkDemandRenewed => "bulk-demand": demand_id;
        BulkDemandWithdrawn => "bulk-demand": demand_id;
        BulkDemandEnded => "bulk-demand": demand_id;
        MatchingOpened => "matching": area;
        MatchingClosed => "matching": area;
        MatchingRoundHeld => "matching": area;
        MatchProposed => "match": match_id;
        MatchAgreed => "match": match_id;
        MatchConfirmed => "match": match_id;
        MatchRefused => "match": match_id;
        MatchExpired => "match": match_id;
        MatchWithdrawn => "match": match_id;
        MatchShipped => "match": match_id;
        MatchDelivered => "match": match_id;
        MatchFailed => "match": match_id;
    }
);

event_set!(
    /// Events of the logistics service.
    LogisticsEvent from logistics {
        CheckpointRegistered => "checkpoint": checkpoint_id;
        MemberRegistered => "member": member_id;
        ShiftAssigned => "member": shift.member_id;
        AbsenceRecorded => "member": member_id;
        ParcelExpected => "parcel": order_id;
        ParcelReceived => "parcel": order_id;
        ReplacementExpected => "parcel": order_id;
        ReplacementGivenUp => "parcel": order_id;
        ParcelDisinfected => "parcel": order_id;
        RunPlanned => "run": run_id;
        RunCancelled => "run": run_id;
        RunStarted => "run": run_id;
        EntranceDisinfected => "run": run_id;
        RunCompleted => "run": run_id;
        GoodsPlaced => "parcel": order_id;
        DoorLeft => "parcel": order_id;
        HouseholdCalled => "parcel": order_id;
        DeliveryCollected => "parcel": order_id;
        AttemptFailed => "parcel": order_id;
        ParcelHeld => "parcel": order_id;
        DeliveryRescheduled => "parcel": order_id;
        ParcelReturned => "parcel": order_id;
        ParcelWithdrawn => "parcel": order_id;
        CarrierRegistered => "carrier": carrier_id;
        CarrierSuspended => "carrier": carrier_id;
        CarrierResumed => "carrier": carrier_id;
        VehicleRegistered => "carrier": carrier_id;
        VehicleWithdrawn => "carrier": carrier_id;
        DriverRegistered => "carrier": carrier_id;
        DriverWithdrawn => "carrier": carrier_id;
        CapacityOffered => "carrier": carrier_id;
        CapacityWithdrawn => "carrier": carrier_id;
        PassApplied => "pass": pass_id;
        PassIssued => "pass": pass_id;
        PassRefused => "pass": pass_id;
        PassRevoked => "pass": pass_id;
        PassExpired => "pass": pass_id;
        ShipmentDrafted => "shipment": shipment_id;
        LoadChanged => "shipment": shipment_id;
        ShipmentTendered => "shipment": shipment_id;
        TenderAccepted => "shipment": shipment_id;
        TenderDeclined => "shipment": shipment_id;
        TenderExpired => "shipment": shipment_id;
        TenderWithdrawn => "shipment": shipment_id;
        ResourceAssigned => "shipment": shipment_id;
        ResourceReleased => "shipment": shipment_id;
        MilestoneReported => "shipment": shipment_id;
        PositionReported => "shipment": shipment_id;
        HandoverDeclared => "shipment": shipment_id;
        CustodyTransferred => "shipment": shipment_id;
        IncidentOpened => "shipment": shipment_id;
        IncidentClosed => "shipment": shipment_id;
        ProofRecorded => "shipment": shipment_id;
        PhotoStored => "shipment": shipment_id;
        PhotoErased => "shipment": shipment_id;
        HouseholdPhotosErased => "household-photos": household_id;
        ShipmentContactsSet => "shipment": shipment_id;
        ShipmentPersonalDataErased => "shipment": shipment_id;
        ShipmentKeyDestroyed => "shipment": shipment_id;
        PersonalDataAccessed => "access": shipment_id;
        PinIssued => "shipment": shipment_id;
        PinRefused => "shipment": shipment_id;
        ShipmentCancelled => "shipment": shipment_id;
        ShipmentClosed => "shipment": shipment_id;
        RouteOpened => "route": route_id;
        RouteChanged => "route": route_id;
        RouteClosed => "route": route_id;
        ParcelQueued => "parcel": order_id;
        ParcelRecalled => "parcel": order_id;
        MatchQueued => "match-load": load_id;
        MatchLoadReleased => "match-load": load_id;
        WebhookRegistered => "webhook": webhook_id;
        WebhookSecretRotated => "webhook": webhook_id;
        WebhookPaused => "webhook": webhook_id;
        WebhookResumed => "webhook": webhook_id;
        WebhookRemoved => "webhook": webhook_id;
        WebhookDisabled => "webhook": webhook_id;
        WebhookTested => "webhook": webhook_id;
    }
);

event_set!(
    /// Events of the notification service.
    NotificationEvent from notification {
        ContactRecorded => "contact": household_id;
        ContactCadreChanged => "contact": household_id;
        ContactErased => "contact": household_id;
        NotificationRequested => "notification": notification_id;
        MessageSent => "notification": notification_id;
        MessageFailed => "notification": notification_id;
        NotificationAcknowledged => "notification": notification_id;
        CallTaskOpened => "notification": notification_id;
        CallTaskCompleted => "notification": notification_id;
        VisitOpened => "notification": notification_id;
        VisitCompleted => "notification": notification_id;
    }
);

/// An event of any service, as others see it.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum AnyEvent {
    Order(OrderEvent),
    Inventory(InventoryEvent),
    Logistics(LogisticsEvent),
    Notification(NotificationEvent),
    /// Of the runtime itself, or of a newer version of the source: nothing to
    /// react to.
    Other,
}

impl AnyEvent {
    /// # Errors
    /// The bytes are not the message that the type names. A type that this
    /// version does not know is [`AnyEvent::Other`].
    pub fn decode(service: Service, type_name: &str, data: &[u8]) -> Result<Self, DecodeError> {
        let decoded = match service {
            Service::Order => OrderEvent::decode(type_name, data).map(Self::Order),
            Service::Inventory => InventoryEvent::decode(type_name, data).map(Self::Inventory),
            Service::Logistics => LogisticsEvent::decode(type_name, data).map(Self::Logistics),
            Service::Notification => {
                NotificationEvent::decode(type_name, data).map(Self::Notification)
            }
        };
        match decoded {
            Err(DecodeError::UnknownType(_)) => Ok(Self::Other),
            decoded => decoded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::FileDescriptorSet;

    /// Every message of an `events.proto` is in the table unless it is only a
    /// part of another; nobody can add an event and forget it here.
    #[test]
    fn the_table_is_complete() {
        let set = FileDescriptorSet::decode(crate::DESCRIPTORS).expect("descriptors");
        let parts = [
            "baogong.logistics.v1.BagException",
            "baogong.notification.v1.Parameter",
        ];
        let mut defined: Vec<String> = set
            .file
            .iter()
            .filter(|file| file.name().ends_with("/events.proto"))
            .flat_map(|file| {
                file.message_type
                    .iter()
                    .map(|message| format!("{}.{}", file.package(), message.name()))
            })
            .filter(|name| !parts.contains(&name.as_str()))
            .collect();
        let mut listed: Vec<String> = [
            OrderEvent::TYPES,
            InventoryEvent::TYPES,
            LogisticsEvent::TYPES,
            NotificationEvent::TYPES,
        ]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect();
        defined.sort();
        listed.sort();
        assert_eq!(defined, listed);
    }

    #[test]
    fn an_event_comes_back_as_it_was() {
        let event = OrderEvent::from(crate::order::v1::OrderConfirmed {
            order_id: "01J".into(),
        });
        let decoded = OrderEvent::decode(event.type_name(), &event.encode());
        assert_eq!(decoded, Ok(event.clone()));
        assert_eq!(event.stream().as_str(), "order/01J");
    }

    #[test]
    fn a_type_of_another_service_or_version_is_nothing_to_react_to() {
        let other = AnyEvent::decode(Service::Order, "baogong.order.v1.NotYetInvented", &[]);
        assert_eq!(other, Ok(AnyEvent::Other));
        let broken = AnyEvent::decode(Service::Order, "baogong.order.v1.OrderPlaced", &[0xff]);
        assert!(matches!(broken, Err(DecodeError::Malformed { .. })));
    }
}
