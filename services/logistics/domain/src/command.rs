//! What can be asked of the service. A command is already well formed: the
//! formats of ids, lengths and ranges were checked where it was parsed;
//! whether it may be done is decided by the aggregates.

use decider::Timestamp;
use proto::{
    logistics::v1::{ExceptionCode, ParcelBag},
    types::v1::Door,
};
use serde::{Deserialize, Serialize};

use crate::{
    access::RecordAccess,
    freight::command::{
        AcceptTender, ApplyForPass, AssignResources, CancelShipment, ChangeLoad, ChangeRoute,
        CloseIncident, CloseRoute, CloseShipment, DeclareHandover, DeclineTender, DisableWebhook,
        DraftMatchLoad, DraftShipment, ErasePhotos, ErasePhotosOfHousehold,
        EraseShipmentPersonalData, ExpirePass, ExpireTender, GiveUpLoad, IssuePass, IssuePin,
        MakeLoad, OfferCapacity, OpenIncident, OpenRoute, PauseWebhook, QueueMatch, ReceiveLoad,
        RecordProof, RecordShipmentKeyDestroyed, RefusePass, RegisterCarrier, RegisterDriver,
        RegisterVehicle, RegisterWebhook, ReleaseMatchLoads, RemoveWebhook, ReportMilestone,
        ReportPosition, ResumeCarrier, ResumeWebhook, RevokePass, RotateWebhookSecret, SetContacts,
        StorePhoto, SuspendCarrier, TenderShipment, TestWebhook, TransferCustody, WithdrawCapacity,
        WithdrawDriver, WithdrawTender, WithdrawVehicle,
    },
    units::Grams,
};

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        /// Everything that can be asked of the service.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Command {
            $($(#[$doc])* $name($name),)*
        }

        impl Command {
            /// UpperCamelCase, for records and people.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }
        }

        $(impl From<$name> for Command {
            fn from(command: $name) -> Self {
                Self::$name(command)
            }
        })*
    };
}

commands! {
    RegisterCheckpoint;
    RegisterMember;
    AssignShift;
    RecordAbsence;
    ReceiveParcels;
    DisinfectParcels;
    PlanRuns;
    StartRun;
    PlaceGoods;
    LeaveDoor;
    FailAttempt;
    DisinfectEntrance;
    CompleteRun;
    RescheduleDelivery;
    ReturnParcel;
    /// From inventory: a packed order left the store.
    ExpectParcel;
    /// From inventory: a bag in place of a damaged or missing one left.
    ExpectReplacement;
    /// From inventory: no such bag will come.
    GiveUpReplacement;
    /// From inventory: the order was cancelled after it had left the store.
    WithdrawParcel;
    /// From notification: the household was told.
    RecordCalled;
    /// From notification: the household has the goods.
    RecordCollected;
    /// Timer: a planned run can no longer be started by its member.
    CancelRun;
    // The trunk leg.
    RegisterCarrier;
    SuspendCarrier;
    ResumeCarrier;
    RegisterVehicle;
    WithdrawVehicle;
    RegisterDriver;
    WithdrawDriver;
    OfferCapacity;
    WithdrawCapacity;
    ApplyForPass;
    IssuePass;
    RefusePass;
    RevokePass;
    /// Timer.
    ExpirePass;
    DraftShipment;
    ChangeLoad;
    CancelShipment;
    CloseShipment;
    TenderShipment;
    AcceptTender;
    DeclineTender;
    WithdrawTender;
    /// Timer.
    ExpireTender;
    AssignResources;
    ReportMilestone;
    ReportPosition;
    DeclareHandover;
    TransferCustody;
    RecordProof;
    SetContacts;
    /// Timer.
    EraseShipmentPersonalData;
    RecordShipmentKeyDestroyed;
    RecordAccess;
    IssuePin;
    StorePhoto;
    /// Timer.
    ErasePhotos;
    /// From notification: the household's personal data are erased.
    ErasePhotosOfHousehold;
    OpenIncident;
    CloseIncident;
    OpenRoute;
    ChangeRoute;
    CloseRoute;
    /// Timer: what waits on routes becomes a load.
    MakeLoad;
    /// Timer: nobody took the load until it was due.
    GiveUpLoad;
    /// Timer: the parcels of a load that was handed over or lost.
    ReceiveLoad;
    /// From inventory: surplus was sold, and is to be carried.
    QueueMatch;
    /// From inventory: no more of it is proposed.
    ReleaseMatchLoads;
    /// Timer.
    DraftMatchLoad;
    RegisterWebhook;
    RotateWebhookSecret;
    PauseWebhook;
    ResumeWebhook;
    RemoveWebhook;
    TestWebhook;
    /// By the service itself.
    DisableWebhook;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterCheckpoint {
    pub checkpoint_id: String,
    pub name: String,
    pub communities: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterMember {
    pub member_id: String,
    /// What the member can move in one trip; above zero.
    pub capacity: Grams,
    pub leader: bool,
}

/// The shift's id is the command's `Context::new_id(0)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignShift {
    pub member_id: String,
    pub checkpoint_id: String,
    /// Runs are planned over the shifts of post [`crate::DELIVERY_POST`].
    pub post: String,
    pub starts: Timestamp,
    pub ends: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordAbsence {
    pub member_id: String,
    pub from: Timestamp,
    pub to: Timestamp,
    pub reason: String,
}

/// What can be wrong with a bag when it is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BagFault {
    Damaged,
    Short,
}

impl BagFault {
    #[must_use]
    pub const fn code(self) -> ExceptionCode {
        match self {
            Self::Damaged => ExceptionCode::Damaged,
            Self::Short => ExceptionCode::Short,
        }
    }

    /// None for a code that is not about a bag.
    #[must_use]
    pub const fn from_code(code: ExceptionCode) -> Option<Self> {
        match code {
            ExceptionCode::Damaged => Some(Self::Damaged),
            ExceptionCode::Short => Some(Self::Short),
            _ => None,
        }
    }
}

/// One bag that is not taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BagReport {
    pub label: String,
    pub fault: BagFault,
    pub note: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParcelReceipt {
    pub order_id: String,
    /// All other bags are accepted.
    pub exceptions: Vec<BagReport>,
}

/// All or none; at most 50.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiveParcels {
    pub checkpoint_id: String,
    /// Must be the recorded custodian of each.
    pub from_custodian_id: String,
    /// Who takes over for the checkpoint.
    pub keeper_id: String,
    pub parcels: Vec<ParcelReceipt>,
}

/// All or none; at most 50.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisinfectParcels {
    pub checkpoint_id: String,
    pub order_ids: Vec<String>,
    pub agent: String,
    pub done_by: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRuns {
    pub checkpoint_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartRun {
    pub run_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceGoods {
    pub run_id: String,
    pub order_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveDoor {
    pub run_id: String,
    pub order_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailAttempt {
    pub run_id: String,
    pub order_id: String,
    /// Not `Unspecified`.
    pub reason: ExceptionCode,
    pub note: String,
}

/// The community is the run's: a run never leaves one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisinfectEntrance {
    pub run_id: String,
    pub grid: String,
    pub building: String,
    pub entrance: String,
    pub agent: String,
    pub done_by: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompleteRun {
    pub run_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RescheduleDelivery {
    pub order_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnParcel {
    pub order_id: String,
    /// Not `Unspecified`.
    pub reason: ExceptionCode,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ExpectParcel {
    pub order_id: String,
    pub household_id: String,
    pub door: Door,
    pub cadre_id: String,
    pub bags: Vec<ParcelBag>,
    pub checkpoint_id: String,
    /// The carrier who has it.
    pub custodian_id: String,
    pub load_id: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ExpectReplacement {
    pub order_id: String,
    pub for_label: String,
    pub bag: ParcelBag,
    pub custodian_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiveUpReplacement {
    pub order_id: String,
    pub for_label: String,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawParcel {
    pub order_id: String,
}

/// How a household was told that its goods are at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    Message,
    Call,
    Visit,
}

impl Means {
    /// As events name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Call => "call",
            Self::Visit => "visit",
        }
    }

    /// What the household's answer by this means is called.
    #[must_use]
    pub const fn evidence(self) -> &'static str {
        match self {
            Self::Message => "receipt",
            Self::Call => "call",
            Self::Visit => "visit",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordCalled {
    pub order_id: String,
    pub means: Means,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordCollected {
    pub order_id: String,
    /// How the household was told, and with it what its answer counts as.
    pub means: Means,
}

/// Why a planned run does not take place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunCancelReason {
    MemberAbsent,
    ShiftEnded,
    /// All its parcels were withdrawn.
    NothingLeft,
}

impl RunCancelReason {
    /// As events name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MemberAbsent => "MEMBER_ABSENT",
            Self::ShiftEnded => "SHIFT_ENDED",
            Self::NothingLeft => "NOTHING_LEFT",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelRun {
    pub run_id: String,
    pub reason: RunCancelReason,
}
