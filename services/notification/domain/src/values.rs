//! Closed sets of values, each without the "unspecified" that the wire has.

use std::fmt;

use proto::notification::v1 as pb;
use serde::{Deserialize, Serialize};

macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident = $wire:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum $name {
            $($variant,)*
        }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// None for "unspecified".
            #[must_use]
            pub const fn from_proto(value: pb::$wire) -> Option<Self> {
                match value {
                    $(pb::$wire::$variant => Some(Self::$variant),)*
                    pb::$wire::Unspecified => None,
                }
            }

            #[must_use]
            pub const fn to_proto(self) -> pb::$wire {
                match self {
                    $(Self::$variant => pb::$wire::$variant,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $text,)* })
            }
        }
    };
}

wire_enum!(
    /// What the household is told.
    Kind = NotificationKind {
        GoodsAtDoor = "goods at the door",
        OrderRejected = "order rejected",
        GroupBuyFailed = "group buy failed",
        DeliveryFailed = "delivery failed",
        OrderPartiallyConfirmed = "order partially confirmed",
    }
);

impl Kind {
    /// Names of the values that its template may use; every notification of
    /// the kind carries exactly these.
    #[must_use]
    pub const fn parameter_names(self) -> &'static [&'static str] {
        match self {
            Self::GoodsAtDoor | Self::GroupBuyFailed => &["order"],
            Self::OrderRejected | Self::DeliveryFailed => &["order", "reason"],
            Self::OrderPartiallyConfirmed => &["order", "short"],
        }
    }

    /// Whether an answer is awaited; the others only inform.
    #[must_use]
    pub const fn needs_receipt(self) -> bool {
        matches!(self, Self::GoodsAtDoor)
    }

    /// Whether an order has at most one of the kind. Each failed attempt at
    /// delivery is told.
    #[must_use]
    pub const fn once_per_order(self) -> bool {
        !matches!(self, Self::DeliveryFailed)
    }
}

wire_enum!(
    /// How far up the ladder.
    Rung = Rung {
        Message = "message",
        Call = "call",
        Visit = "visit",
    }
);

wire_enum!(
    /// Where a notification stands.
    Phase = NotificationState {
        Pending = "to be sent",
        Sent = "sent",
        CallTaskOpen = "call task open",
        VisitOpen = "visit open",
        Closed = "closed",
    }
);

wire_enum!(
    /// How a telephone call went.
    CallOutcome = CallOutcome {
        Answered = "answered",
        NoAnswer = "no answer",
        WrongNumber = "wrong number",
    }
);

/// By what a notification was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Evidence {
    Receipt,
    Call,
    Visit,
    /// Sent, where no receipt is asked.
    Sent,
}

impl Evidence {
    /// As the API has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Call => "call",
            Self::Visit => "visit",
            Self::Sent => "sent",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A language in which there are templates.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Language {
    #[default]
    Chinese,
    English,
}

impl Language {
    pub const ALL: &'static [Self] = &[Self::Chinese, Self::English];

    /// The language for a BCP 47 tag: English for `en` and `en-…`, Chinese for
    /// everything else, since that is what is spoken where the suite runs.
    #[must_use]
    pub fn for_tag(tag: &str) -> Self {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("en") {
            Self::English
        } else {
            Self::Chinese
        }
    }

    /// Primary subtag: `zh` or `en`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh",
            Self::English => "en",
        }
    }
}

/// Longest note on a visit.
pub const NOTE_MAX_CHARS: usize = 200;

/// What a cadre writes down about a visit: at most [`NOTE_MAX_CHARS`]
/// characters, and never personal data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note(String);

/// A note is longer than [`NOTE_MAX_CHARS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the note has {chars} characters; at most {NOTE_MAX_CHARS} are allowed")]
pub struct NoteTooLong {
    pub chars: usize,
}

impl Note {
    /// # Errors
    /// It is too long.
    pub fn parse(text: impl Into<String>) -> Result<Self, NoteTooLong> {
        let text = text.into();
        let chars = text.chars().count();
        if chars > NOTE_MAX_CHARS {
            return Err(NoteTooLong { chars });
        }
        Ok(Self(text))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_from_the_wire_as_it_was() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_proto(kind.to_proto()), Some(*kind));
        }
        for phase in Phase::ALL {
            assert_eq!(Phase::from_proto(phase.to_proto()), Some(*phase));
        }
        assert_eq!(Kind::from_proto(pb::NotificationKind::Unspecified), None);
    }

    #[test]
    fn every_tag_has_a_language() {
        for tag in ["en", "EN", "en-GB", "en_US"] {
            assert_eq!(Language::for_tag(tag), Language::English, "{tag}");
        }
        for tag in ["zh", "zh-Hans-CN", "bo", "", "eng"] {
            assert_eq!(Language::for_tag(tag), Language::Chinese, "{tag}");
        }
    }

    #[test]
    fn a_note_is_counted_in_characters() {
        assert!(Note::parse("好".repeat(NOTE_MAX_CHARS)).is_ok());
        assert_eq!(
            Note::parse("好".repeat(NOTE_MAX_CHARS + 1)),
            Err(NoteTooLong { chars: 201 })
        );
    }
}
