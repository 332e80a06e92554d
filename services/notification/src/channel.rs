//! The ways out: what takes a message over and carries it to a household.
//!
//! A channel sends once and says how it went; when to send, how often to try
//! again and what to do instead is the domain's. Here, and only here, a
//! contact is in clear: in memory, on its way out. Nothing in this module logs
//! one, and no error that it gives back contains one.

pub mod console;
pub mod route;
pub mod smtp;
pub mod webhook;

use std::fmt;

use notification_domain::Language;
use serde::{Deserialize, Serialize, Serializer};

pub use proto::notification::v1::ChannelKind;

/// A way out.
#[async_trait::async_trait]
pub trait Channel: Send + Sync {
    fn kind(&self) -> ChannelKind;

    /// Hands the message over. May be called again for the same attempt, when
    /// the process ended before the outcome was recorded.
    ///
    /// # Errors
    /// It was not taken over; whether trying again can help, the error says.
    async fn send(&self, message: &Outgoing) -> Result<(), ChannelError>;
}

/// A message, ready to go.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub to: Recipient,
    pub subject: String,
    pub body: String,
    pub language: Language,
    pub notification_id: String,
    /// From 1.
    pub attempt: i32,
}

/// Who it goes to, in clear. Fields that are not known are empty.
#[derive(Clone, Default)]
pub struct Recipient {
    pub name: String,
    pub phone: String,
    pub email: String,
    pub address: String,
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recipient(hidden)")
    }
}

impl From<proto::order::v1::Contact> for Recipient {
    fn from(contact: proto::order::v1::Contact) -> Self {
        Self {
            name: contact.name,
            phone: contact.phone,
            email: contact.email,
            address: contact.address,
        }
    }
}

/// Why a message was not taken over. Never contains personal data: it is
/// recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ChannelError {
    pub message: String,
    /// Trying again is no use.
    pub permanent: bool,
}

impl ChannelError {
    #[must_use]
    pub fn temporary(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            permanent: false,
        }
    }

    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            permanent: true,
        }
    }
}

/// Why a channel cannot be set up as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    #[error("app.channels is empty; name at least one of console, webhook and smtp")]
    NoChannel,
    #[error("the {channel} channel's {option} is not valid: {problem}")]
    Option {
        channel: &'static str,
        option: &'static str,
        problem: String,
    },
    #[error(
        "the {channel} channel cannot verify servers: {problem}; \
         install the system's CA certificates (package ca-certificates) or mount them"
    )]
    Tls {
        channel: &'static str,
        problem: String,
    },
}

/// A part of the configuration that is not to be shown: neither printed with
/// the rest nor logged.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that uses it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// How long a channel waits for the other side, unless told otherwise.
const fn default_timeout_ms() -> u64 {
    10_000
}

/// The first and last digits of a telephone number, enough to recognise it on
/// a screen but not to call it: `138****1234`. Short numbers are hidden whole.
#[must_use]
pub fn mask_phone(phone: &str) -> String {
    let digits: Vec<char> = phone.chars().filter(char::is_ascii_digit).collect();
    if digits.len() < 10 {
        return "****".into();
    }
    let head: String = digits[..3].iter().collect();
    let tail: String = digits[digits.len() - 4..].iter().collect();
    format!("{head}****{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For the channels' tests.
    pub(super) fn message() -> Outgoing {
        Outgoing {
            to: Recipient {
                name: "张三".into(),
                phone: "13800001234".into(),
                email: "zhang@example.org".into(),
                address: "2-501".into(),
            },
            subject: "您的物品已放到门口".into(),
            body: "订单 O1 已放到门口。\n收到后请确认。".into(),
            language: Language::Chinese,
            notification_id: "N1".into(),
            attempt: 2,
        }
    }

    #[test]
    fn a_recipient_is_not_shown_by_debug() {
        let shown = format!("{:?}", message());
        for hidden in ["张三", "13800001234", "zhang@example.org", "2-501"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }

    #[test]
    fn a_phone_is_masked_to_what_one_can_recognise() {
        for (phone, masked) in [
            ("13800001234", "138****1234"),
            ("+8613800001234", "861****1234"),
            ("110", "****"),
            ("12345678", "****"),
            ("", "****"),
        ] {
            assert_eq!(mask_phone(phone), masked);
        }
    }

    #[test]
    fn a_secret_is_read_but_neither_written_nor_shown() {
        let secret: Secret = serde_json::from_str("\"k3y\"").expect("a string");
        assert_eq!(secret.reveal(), "k3y");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(serde_json::to_string(&secret).expect("a string"), "\"***\"");
    }
}
