//! Parsing of request fields: everything wrong with a request is collected and
//! told at once, field by field.

mod contact_like;

use std::{fmt::Display, ops::RangeInclusive};

use decider::{Service, Timestamp, is_code};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// Collects what is wrong. Each method gives a value to go on with, which is
/// of use only when [`Fields::finish`] finds nothing.
#[derive(Debug, Default)]
pub struct Fields {
    violations: Vec<FieldViolation>,
    /// Those beyond the first [`VIOLATIONS_MAX`].
    more: usize,
}

/// Told in one answer; more would not fit into the trailers that clients
/// accept (8 KiB).
const VIOLATIONS_MAX: usize = 10;

impl Fields {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub fn wrong(&mut self, field: impl Into<String>, description: impl Into<String>) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations
                .push(FieldViolation::new(field, description));
        } else {
            self.more += 1;
        }
    }

    pub fn check(&mut self, holds: bool, field: &str, description: &str) {
        if !holds {
            self.wrong(field, description);
        }
    }

    /// An id that the caller chose or names.
    pub fn code(&mut self, field: &str, value: &str) -> String {
        if value.is_empty() {
            self.wrong(field, "is needed");
        } else if !is_code(value) {
            self.wrong(
                field,
                format!(
                    "`{}` is no id: 1 to 64 characters of A-Z a-z 0-9 _ . - are possible, the \
                     first a letter or digit",
                    shown(value)
                ),
            );
        }
        value.to_owned()
    }

    /// A reason as a code: a free text could name somebody.
    pub fn reason_code(&mut self, field: &str, value: &str) -> String {
        let fits = (1..=64).contains(&value.len())
            && value.starts_with(|c: char| c.is_ascii_uppercase())
            && value
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        self.check(
            fits,
            field,
            "must be a code of 1 to 64 characters of A-Z 0-9 _, the first a letter, for example \
             MOVED_AWAY",
        );
        value.to_owned()
    }

    /// An id, or nothing.
    /// An id of the caller's own making: 1 to 64 characters of
    /// `A-Z a-z 0-9 _ . : -`.
    pub fn callers_id(&mut self, field: &str, value: &str) -> String {
        let valid = (1..=64).contains(&value.len())
            && value
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'));
        if !valid {
            self.wrong(
                field,
                format!(
                    "is `{}`; 1 to 64 characters of A-Z a-z 0-9 _ . : - are needed, a UUID is a \
                     good one",
                    shown(value)
                ),
            );
        }
        value.to_owned()
    }

    pub fn optional_code(&mut self, field: &str, value: &str) -> Option<String> {
        (!value.is_empty()).then(|| self.code(field, value))
    }

    /// Free text of a length in characters, without control characters. It is
    /// recorded for ever and in clear, so what looks like a telephone number or
    /// an e-mail address is refused.
    pub fn text(&mut self, field: &str, value: &str, length: RangeInclusive<usize>) -> String {
        if let Some(what) = contact_like::contact_like(value) {
            // What it is must not get into an answer either.
            self.wrong(
                field,
                format!(
                    "seems to contain {what}; this text is kept in clear for ever, so take it out: \
                     contacts belong into the household's contact only"
                ),
            );
        }
        self.sealed_text(field, value, length)
    }

    /// Text that is sealed before it is recorded: as [`Self::text`], but it may
    /// be personal.
    pub fn sealed_text(
        &mut self,
        field: &str,
        value: &str,
        length: RangeInclusive<usize>,
    ) -> String {
        let characters = value.chars().count();
        if !length.contains(&characters) {
            self.wrong(
                field,
                format!(
                    "has {characters} characters; {} to {} are possible",
                    length.start(),
                    length.end()
                ),
            );
        } else if value.chars().any(char::is_control) {
            self.wrong(field, "contains control characters");
        }
        value.trim().to_owned()
    }

    /// A number within a range.
    pub fn number<T: PartialOrd + Copy + Display>(
        &mut self,
        field: &str,
        value: T,
        range: RangeInclusive<T>,
    ) -> T {
        if range.contains(&value) {
            value
        } else {
            self.wrong(
                field,
                format!(
                    "is {value}; {} to {} are possible",
                    range.start(),
                    range.end()
                ),
            );
            *range.start()
        }
    }

    /// A list of a length.
    pub fn list<T>(&mut self, field: &str, values: &[T], length: RangeInclusive<usize>) {
        if !length.contains(&values.len()) {
            self.wrong(
                field,
                format!(
                    "has {} entries; {} to {} are possible",
                    values.len(),
                    length.start(),
                    length.end()
                ),
            );
        }
    }

    /// An enum's number that this version knows and that is not "unspecified".
    pub fn choice<E: TryFrom<i32> + Default + PartialEq>(&mut self, field: &str, value: i32) -> E {
        match E::try_from(value) {
            Ok(choice) if choice != E::default() => choice,
            Ok(unspecified) => {
                self.wrong(field, "is needed");
                unspecified
            }
            Err(_) => {
                self.wrong(field, format!("has the value {value}, which is not known"));
                E::default()
            }
        }
    }

    /// As [`Self::choice`], but "unspecified" means none.
    pub fn optional_choice<E: TryFrom<i32> + Default + PartialEq>(
        &mut self,
        field: &str,
        value: i32,
    ) -> Option<E> {
        match E::try_from(value) {
            Ok(choice) if choice == E::default() => None,
            Ok(choice) => Some(choice),
            Err(_) => {
                self.wrong(field, format!("has the value {value}, which is not known"));
                None
            }
        }
    }

    /// A message that must be set.
    pub fn needed<T: Default + Clone>(&mut self, field: &str, value: Option<&T>) -> T {
        if value.is_none() {
            self.wrong(field, "is needed");
        }
        value.cloned().unwrap_or_default()
    }

    /// A time between 2000 and 2200.
    pub fn time(&mut self, field: &str, value: Option<&prost_types::Timestamp>) -> Timestamp {
        match value {
            None => {
                self.wrong(field, "is needed");
                Timestamp::default()
            }
            Some(time) => self.optional_time(field, Some(time)).unwrap_or_default(),
        }
    }

    pub fn optional_time(
        &mut self,
        field: &str,
        value: Option<&prost_types::Timestamp>,
    ) -> Option<Timestamp> {
        let time = value?;
        if !(946_684_800..7_258_118_400).contains(&time.seconds)
            || !(0..1_000_000_000).contains(&time.nanos)
        {
            self.wrong(field, "is no time between the years 2000 and 2200");
        }
        Some(proto::time::from_proto(time))
    }

    /// # Errors
    /// `INVALID_ARGUMENT` with everything that was found.
    pub fn finish(self, service: Service) -> Result<(), Status> {
        if self.violations.is_empty() {
            return Ok(());
        }
        let message = self
            .violations
            .iter()
            .map(|v| format!("{} {}", v.field, v.description))
            .collect::<Vec<_>>()
            .join("; ");
        let message = match self.more {
            0 => message,
            more => format!("{message}; and {more} more"),
        };
        let mut details = ErrorDetails::with_bad_request(self.violations);
        details.set_error_info(
            "INVALID_FIELDS",
            format!("{service}.baogong"),
            std::collections::HashMap::<String, String>::new(),
        );
        Err(Status::with_error_details(
            Code::InvalidArgument,
            message,
            details,
        ))
    }
}

/// What a caller sent, cut to what fits into a message. Not for what may be
/// personal.
#[must_use]
pub fn shown(value: &str) -> String {
    let mut shown: String = value.chars().take(40).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_wrong_is_told_at_once() {
        let mut fields = Fields::new();
        fields.code("order_id", "");
        fields.number("quantity", -3_i64, 1..=1000);
        fields.text("reason", "", 1..=10);
        let status = fields
            .finish(Service::Order)
            .expect_err("three fields are wrong");
        assert_eq!(status.code(), Code::InvalidArgument);
        let named: Vec<_> = status
            .get_details_bad_request()
            .expect("a BadRequest")
            .field_violations
            .into_iter()
            .map(|v| v.field)
            .collect();
        assert_eq!(named, ["order_id", "quantity", "reason"]);
    }

    #[test]
    fn a_telephone_number_in_a_free_text_is_refused_without_showing_it() {
        let mut fields = Fields::new();
        fields.text("note", "ring 13912345678", 0..=200);
        fields.sealed_text("contact.address", "ring 13912345678", 0..=200);
        let status = fields.finish(Service::Order).expect_err("one is wrong");
        assert!(
            status
                .message()
                .starts_with("note seems to contain a telephone")
        );
        assert!(!status.message().contains("139"), "{}", status.message());
        assert!(!status.message().contains("contact.address"));
    }

    #[test]
    fn a_value_of_a_newer_version_is_refused_and_not_guessed() {
        use proto::order::v1::Channel;
        let mut fields = Fields::new();
        let _: Channel = fields.choice("channel", 99);
        let status = fields.finish(Service::Order).expect_err("unknown");
        assert!(status.message().contains("99"), "{}", status.message());
    }
}
