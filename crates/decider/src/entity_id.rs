//! Ids of entities in few bytes: a state has millions of them.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::packed::{put_bytes, put_text, take_bytes, take_text};

/// Crockford's base32, by value.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ULID_CHARS: usize = 26;

/// An id of which nearly all are ULIDs: these take 16 bytes, any other text
/// is kept as it is. Order, equality and hash are as those of the text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntityId(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    /// Only what is written again as the same text: upper case, in range.
    Ulid([u8; 16]),
    Text(Arc<str>),
}

impl EntityId {
    /// Calls `read` with the id's text, without allocating.
    pub fn with_text<R>(&self, read: impl FnOnce(&str) -> R) -> R {
        match &self.0 {
            Form::Text(text) => read(text),
            Form::Ulid(bytes) => {
                let chars = encode(u128::from_be_bytes(*bytes));
                read(std::str::from_utf8(&chars).expect("the digits are ASCII"))
            }
        }
    }
}

impl EntityId {
    /// In few bytes, for snapshots: a ULID as the number that it is.
    pub fn put(&self, bytes: &mut Vec<u8>) {
        match &self.0 {
            Form::Ulid(number) => put_bytes(bytes, number),
            Form::Text(text) => {
                // A ULID that is empty: there is none.
                bytes.push(0);
                put_text(bytes, text);
            }
        }
    }

    /// None where the bytes are not an id.
    pub fn take(bytes: &mut &[u8]) -> Option<Self> {
        let number = take_bytes(bytes)?;
        if number.is_empty() {
            return take_text(bytes).map(Self::from);
        }
        <[u8; 16]>::try_from(number)
            .ok()
            .map(|number| Self(Form::Ulid(number)))
    }
}

impl From<&str> for EntityId {
    fn from(text: &str) -> Self {
        Self(match decode(text.as_bytes()) {
            Some(number) => Form::Ulid(number.to_be_bytes()),
            None => Form::Text(text.into()),
        })
    }
}

impl Hash for Form {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            // Quicker than the bytes are.
            Self::Ulid(bytes) => state.write_u128(u128::from_be_bytes(*bytes)),
            Self::Text(text) => text.hash(state),
        }
    }
}

impl Ord for EntityId {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            // The digits are in the order of their characters.
            (Form::Ulid(a), Form::Ulid(b)) => u128::from_be_bytes(*a).cmp(&u128::from_be_bytes(*b)),
            (Form::Text(a), Form::Text(b)) => a.cmp(b),
            _ => self.with_text(|a| other.with_text(|b| a.cmp(b))),
        }
    }
}

impl PartialOrd for EntityId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.pad(text))
    }
}

impl fmt::Debug for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| fmt::Debug::fmt(text, f))
    }
}

impl Serialize for EntityId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for EntityId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = EntityId;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id")
            }
            fn visit_str<E>(self, text: &str) -> Result<EntityId, E> {
                Ok(text.into())
            }
        }
        deserializer.deserialize_str(Text)
    }
}

fn encode(number: u128) -> [u8; ULID_CHARS] {
    let mut chars = [b'0'; ULID_CHARS];
    let mut rest = number;
    for char in chars.iter_mut().rev() {
        *char = DIGITS[(rest & 31) as usize];
        rest >>= 5;
    }
    chars
}

/// None where the text is not exactly what [`encode`] makes of a number.
fn decode(text: &[u8]) -> Option<u128> {
    let text: &[u8; ULID_CHARS] = text.try_into().ok()?;
    let (high, low) = text.split_at(ULID_CHARS / 2);
    let (high, of_high) = digits(high);
    let (low, of_low) = digits(low);
    // 26 digits have 130 bits: the first may only have three.
    let fits = text[0] <= b'7' && (of_high | of_low) < 32;
    fits.then_some(high << (5 * ULID_CHARS / 2) | low)
}

/// The number of up to 13 digits, and all their values put together.
fn digits(text: &[u8]) -> (u128, u8) {
    let (first, rest) = text.split_at(1);
    let first = VALUES[usize::from(first[0])];
    let mut all = first;
    let mut number = 0_u64;
    for char in rest {
        let value = VALUES[usize::from(*char)];
        all |= value;
        number = number << 5 | u64::from(value);
    }
    (
        u128::from(first) << (5 * rest.len()) | u128::from(number),
        all,
    )
}

/// The value of each character; 255 for what is no digit.
const VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut value = 0;
    while value < 32 {
        values[DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 11] = [
        "",
        "o1",
        "01J9ZZZZZZZZZZZZZZZZZZZZZZ",
        "01j9zzzzzzzzzzzzzzzzzzzzzz",
        "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "00000000000000000000000000",
        "0000000000000000000000000I",
        "01J9ZZZZZZZZZZZZZZZZZZZZZZZ",
        "0123456789ABCDEFGHJKMNPQRS",
        "7TVWXYZ0123456789ABCDEFGHJ",
    ];

    #[test]
    fn an_id_is_its_text() {
        for text in TEXTS {
            assert_eq!(EntityId::from(text).to_string(), text);
        }
        assert_eq!(size_of::<EntityId>(), 24);
    }

    #[test]
    fn an_id_is_packed_and_taken_out() {
        for text in TEXTS {
            let mut bytes = Vec::new();
            EntityId::from(text).put(&mut bytes);
            bytes.push(7);
            let mut rest = &*bytes;
            assert_eq!(EntityId::take(&mut rest), Some(EntityId::from(text)));
            assert_eq!(rest, [7]);
            for end in 0..bytes.len() - 1 {
                assert_eq!(EntityId::take(&mut &bytes[..end]), None, "{text} {end}");
            }
        }
        assert_eq!(EntityId::take(&mut &[3, 1, 2, 3][..]), None);
    }

    #[test]
    fn what_is_no_digit_anywhere_makes_it_another_text() {
        let ulid = "01J9ZZZZZZZZZZZZZZZZZZZZZZ";
        for at in 0..ulid.len() {
            for wrong in ["I", "L", "O", "U", "a", "/", "@", " ", "\u{7f}"] {
                let mut text = ulid.to_owned();
                text.replace_range(at..=at, wrong);
                assert_eq!(EntityId::from(&*text).to_string(), text);
            }
        }
    }

    #[test]
    fn ids_are_ordered_as_their_texts() {
        for a in TEXTS {
            for b in TEXTS {
                let ids = (EntityId::from(a), EntityId::from(b));
                assert_eq!(ids.0.cmp(&ids.1), a.cmp(b), "{a} {b}");
                assert_eq!(ids.0 == ids.1, a == b, "{a} {b}");
            }
        }
    }
}
