//! What may be asked of the service. A command is valid in form; whether it
//! is allowed is decided.

use proto::{
    notification::v1::{ChannelKind, Parameter},
    types::v1::{Need, Sealed},
};

use crate::values::{CallOutcome, Kind, Note};

#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// How to reach a household, or what changed about it.
    RecordContact(RecordContact),
    /// Another cadre answers for the household.
    ChangeCadre {
        household_id: String,
        cadre_id: String,
    },
    /// The household's contact is to be forgotten.
    EraseContact { household_id: String },
    /// The household is to be told something.
    RequestNotification(RequestNotification),
    /// A channel took the message over.
    RecordSent {
        notification_id: String,
        channel: ChannelKind,
        /// As [`crate::PendingSend`] gave it.
        attempt: i32,
    },
    /// A channel did not.
    RecordFailed {
        notification_id: String,
        channel: ChannelKind,
        attempt: i32,
        /// Without personal data; cut at 200 characters.
        error: String,
        /// Trying again is no use.
        permanent: bool,
    },
    /// The household says that it has the goods.
    AcknowledgeNotification { target: Target },
    CompleteCallTask {
        notification_id: String,
        outcome: CallOutcome,
        /// Role id of who telephoned.
        done_by: String,
    },
    CompleteVisit {
        notification_id: String,
        /// Must be the household's cadre.
        cadre_id: String,
        note: Note,
    },
    /// The time for an answer is over. Set by the service's own timers.
    ClimbLadder { notification_id: String },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::RecordContact(_) => "RecordContact",
            Self::ChangeCadre { .. } => "ChangeCadre",
            Self::EraseContact { .. } => "EraseContact",
            Self::RequestNotification(_) => "RequestNotification",
            Self::RecordSent { .. } => "RecordSent",
            Self::RecordFailed { .. } => "RecordFailed",
            Self::AcknowledgeNotification { .. } => "AcknowledgeNotification",
            Self::CompleteCallTask { .. } => "CompleteCallTask",
            Self::CompleteVisit { .. } => "CompleteVisit",
            Self::ClimbLadder { .. } => "ClimbLadder",
        }
    }
}

/// Unset fields stay as they were.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordContact {
    pub household_id: String,
    pub contact: Option<Sealed>,
    /// BCP 47 tag.
    pub language: Option<String>,
    pub needs: Option<Vec<Need>>,
    pub cadre_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RequestNotification {
    pub kind: Kind,
    pub order_id: String,
    pub household_id: String,
    /// Who answers for the household as far as the source knows; counts only
    /// where the contact does not say. May be empty.
    pub cadre_id: String,
    /// Those of [`Kind::parameter_names`].
    pub parameters: Vec<Parameter>,
}

/// What a receipt is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Notification(String),
    /// The notification about goods at the door of this order.
    Order(String),
}
