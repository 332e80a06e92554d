//! Identifiers, positions and times as newtypes.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// Before the first.
            pub const ZERO: Self = Self(0);

            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// Number of a record in an event log: 1-based, gapless.
    Position
);
number!(
    /// Number of a record in its stream: 1-based, continuous.
    Revision
);

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    #[must_use]
    pub const fn plus_minutes(self, minutes: i64) -> Self {
        self.plus_seconds(minutes.saturating_mul(60))
    }

    /// `self − earlier` in whole seconds; negative where `earlier` is later.
    #[must_use]
    pub const fn seconds_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0) / 1000
    }
}

/// What is not a valid id, and what one looks like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    #[error("`{0}` is not an area code: 9 digits are wanted, for example 632725100")]
    Area(String),
    #[error("`{0}` is not a stream: <category>/<id> is wanted, for example order/01J9Z")]
    Stream(String),
}

/// Whether `text` may be an id that a caller chooses: 1 to 64 characters of
/// `[A-Za-z0-9_.-]`, the first a letter or digit.
#[must_use]
pub fn is_code(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=64).contains(&bytes.len())
        && bytes[0].is_ascii_alphanumeric()
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// Nine-digit code of a subdistrict or town (GB/T 10114): the unit of
/// partitioning and of authorisation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Area([u8; 9]);

impl Area {
    /// # Errors
    /// `code` is not nine ASCII digits.
    pub fn new(code: impl AsRef<str>) -> Result<Self, InvalidId> {
        let code = code.as_ref();
        match <[u8; 9]>::try_from(code.as_bytes()) {
            Ok(digits) if digits.iter().all(u8::is_ascii_digit) => Ok(Self(digits)),
            _ => Err(InvalidId::Area(code.to_owned())),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }
}

impl PartialEq<str> for Area {
    fn eq(&self, other: &str) -> bool {
        self.0 == *other.as_bytes()
    }
}

impl Default for Area {
    /// The area of nothing in particular, for the runtime's own records.
    fn default() -> Self {
        Self(*b"000000000")
    }
}

impl TryFrom<String> for Area {
    type Error = InvalidId;
    fn try_from(code: String) -> Result<Self, InvalidId> {
        Self::new(code)
    }
}

impl From<Area> for String {
    fn from(area: Area) -> Self {
        area.as_str().to_owned()
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Debug for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Area").field(&self.as_str()).finish()
    }
}

/// `<category>/<entity id>`: the events of one entity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(String);

impl StreamId {
    #[must_use]
    pub fn new(category: &str, id: &str) -> Self {
        Self(format!("{category}/{id}"))
    }

    /// Whether the text has a category and an id.
    #[must_use]
    pub fn is_valid(text: &str) -> bool {
        // Short and near its beginning: a search made for long texts is slower.
        let slash = text.bytes().position(|byte| byte == b'/');
        slash.is_some_and(|at| at > 0 && at + 1 < text.len())
    }

    /// # Errors
    /// There is no category or no id.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let mut stream = Self(String::new());
        stream.become_parsed(text)?;
        Ok(stream)
    }

    /// Becomes another stream, in the memory that it has.
    ///
    /// # Errors
    /// As [`Self::parse`]; it stays what it was then.
    pub fn become_parsed(&mut self, text: &str) -> Result<(), InvalidId> {
        if !Self::is_valid(text) {
            return Err(InvalidId::Stream(text.to_owned()));
        }
        text.clone_into(&mut self.0);
        Ok(())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn category(&self) -> &str {
        self.0.split_once('/').map_or("", |(category, _)| category)
    }

    #[must_use]
    pub fn id(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, id)| id)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Eighty bits derived from a command's cause, from which the ids that the
/// command creates are made: the same cause gives the same ids, also after a
/// crash, and no randomness is needed where decisions are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seed(pub [u8; 10]);

impl Seed {
    /// ULID number `n` of this seed at `now`.
    #[must_use]
    pub fn ulid(self, now: Timestamp, n: u16) -> String {
        let mut random = [0u8; 16];
        random[6..].copy_from_slice(&self.0);
        let random = u128::from_be_bytes(random).wrapping_add(u128::from(n)) & ((1 << 80) - 1);
        let millis = u128::from(now.0.max(0).unsigned_abs() & ((1 << 48) - 1));
        ulid::Ulid((millis << 80) | random).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_distinct_ids_every_time() {
        let seed = Seed([7; 10]);
        let now = Timestamp(1_662_076_800_000);
        assert_eq!(seed.ulid(now, 0), seed.ulid(now, 0));
        assert_ne!(seed.ulid(now, 0), seed.ulid(now, 1));
        assert_eq!(seed.ulid(now, 0).len(), 26);
    }

    #[test]
    fn ids_of_a_later_time_sort_behind() {
        let early = Seed([255; 10]).ulid(Timestamp(1), 9);
        let late = Seed([0; 10]).ulid(Timestamp(2), 0);
        assert!(early < late);
    }

    #[test]
    fn an_area_has_nine_digits() {
        assert!(Area::new("632725100").is_ok());
        for wrong in ["", "63272510", "6327251000", "63272510x"] {
            assert_eq!(Area::new(wrong), Err(InvalidId::Area(wrong.into())));
        }
    }

    #[test]
    fn codes_have_no_spaces_slashes_or_leading_dots() {
        assert!(is_code("G03-B02-E1-501"));
        for wrong in ["", ".", "..", "a/b", "a b", "-a", "名"] {
            assert!(!is_code(wrong), "{wrong}");
        }
        assert!(!is_code(&"a".repeat(65)));
    }
}
