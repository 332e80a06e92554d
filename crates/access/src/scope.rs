//! What a request names, read from its bytes: the values at field paths, by
//! the rules of protobuf's wire format, without a message type. It must see
//! what the handler will see, so the last value of a field counts, and parts of
//! a message that come apart are one message.

use decider::Role;
use prost::{
    bytes::Buf,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};

use crate::{Caller, Refusal, Rule};

/// Field numbers from the request to a string, with the path's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath {
    pub text: String,
    pub numbers: Vec<u32>,
}

impl FieldPath {
    /// The value in an encoded message; empty where the field is not set.
    fn value(&self, message: &[u8]) -> Result<String, Refusal> {
        let mut found = String::new();
        find(message, &self.numbers, &mut found)?;
        Ok(found)
    }
}

fn find(mut message: &[u8], numbers: &[u32], found: &mut String) -> Result<(), Refusal> {
    let Some((wanted, inner)) = numbers.split_first() else {
        return Ok(());
    };
    while message.has_remaining() {
        let (number, wire_type) = decode_key(&mut message).map_err(|_| Refusal::Unreadable)?;
        if number != *wanted {
            skip_field(wire_type, number, &mut message, DecodeContext::default())
                .map_err(|_| Refusal::Unreadable)?;
            continue;
        }
        if wire_type != WireType::LengthDelimited {
            return Err(Refusal::Unreadable);
        }
        let length = decode_varint(&mut message).map_err(|_| Refusal::Unreadable)?;
        let length = usize::try_from(length).map_err(|_| Refusal::Unreadable)?;
        let value = message.get(..length).ok_or(Refusal::Unreadable)?;
        if inner.is_empty() {
            let text = std::str::from_utf8(value).map_err(|_| Refusal::Unreadable)?;
            text.clone_into(found);
        } else {
            find(value, inner, found)?;
        }
        message.advance(length);
    }
    Ok(())
}

/// What one caller's requests to one method may name.
#[derive(Debug, Clone)]
pub struct Scope {
    caller: Caller,
    rule: std::sync::Arc<Rule>,
}

impl Scope {
    pub(crate) const fn new(caller: Caller, rule: std::sync::Arc<Rule>) -> Self {
        Self { caller, rule }
    }

    /// Whether any request would do, so that none need be read.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let rule = &self.rule;
        let area = rule.area.is_some() && self.caller.areas != crate::Areas::All;
        let narrow = match self.caller.acting {
            Some(Role::Resident) => rule.household.is_some() || rule.subject.is_some(),
            Some(Role::Carrier) => rule.carrier.is_some(),
            _ => false,
        };
        !area && !narrow
    }

    /// Whether the answer is a stream, which may outlive the token.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.rule.streams
    }

    /// Checks one encoded request.
    ///
    /// # Errors
    /// It cannot be read, or names what is not the caller's.
    pub fn check(&self, message: &[u8]) -> Result<(), Refusal> {
        let Self { caller, rule } = self;
        if let Some(path) = &rule.area
            && !caller.areas.holds(&path.value(message)?)
        {
            return Err(Refusal::Area {
                field: path.text.clone(),
                areas: caller.areas.to_string(),
            });
        }
        if let Some(path) = &rule.household
            && !caller.may_name_household(&path.value(message)?)
        {
            return Err(Refusal::Household(path.text.clone()));
        }
        if let Some(path) = &rule.subject
            && !caller.may_name_subject(&path.value(message)?)
        {
            return Err(Refusal::Subject(path.text.clone()));
        }
        if let Some(path) = &rule.carrier
            && !caller.may_name_carrier(&path.value(message)?)
        {
            return Err(Refusal::Carrier(path.text.clone()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;
    use proto::order::v1::RegisterHouseholdRequest;

    use super::*;

    fn path(numbers: &[u32]) -> FieldPath {
        FieldPath {
            text: "area".to_owned(),
            numbers: numbers.to_vec(),
        }
    }

    fn field(number: u8, value: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2, u8::try_from(value.len()).expect("short")];
        bytes.extend_from_slice(value);
        bytes
    }

    #[test]
    fn the_last_value_counts_as_it_does_for_the_handler() {
        let twice = [
            field(2, b"310115132"),
            field(1, b"x"),
            field(2, b"310101002"),
        ]
        .concat();
        assert_eq!(path(&[2]).value(&twice), Ok("310101002".to_owned()));
        assert_eq!(path(&[3]).value(&twice), Ok(String::new()));
    }

    #[test]
    fn parts_of_a_message_are_one_message() {
        let inner = [
            field(5, &field(2, b"310115132")),
            field(5, &field(1, b"other")),
        ]
        .concat();
        assert_eq!(path(&[5, 2]).value(&inner), Ok("310115132".to_owned()));
        let over = [inner, field(5, &field(2, b""))].concat();
        assert_eq!(path(&[5, 2]).value(&over), Ok(String::new()));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for wrong in [
            &[0x12][..],
            &[0x12, 9, b'x'],
            &[0x10, 1],
            &[0x12, 1, 0xff],
            &[0x0b],
            &[0xff; 11],
        ] {
            assert_eq!(
                path(&[2]).value(wrong),
                Err(Refusal::Unreadable),
                "{wrong:?}"
            );
        }
    }

    /// Pieces of wire format, right and wrong, in any order.
    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let small = prop_oneof![
            any::<Vec<u8>>(),
            "[0-9]{0,9}".prop_map(|text| field(2, text.as_bytes())),
            "[a-z]{0,9}".prop_map(|text| field(4, &field(1, text.as_bytes()))),
            "[a-z]{0,9}".prop_map(|text| field(4, &field(2, text.as_bytes()))),
            (0_u8..16, any::<u8>()).prop_map(|(number, value)| vec![number << 3, value]),
            (0_u8..16).prop_map(|number| vec![number << 3 | 3, number << 3 | 4]),
        ];
        proptest::collection::vec(small, 0..6).prop_map(|all| all.concat())
    }

    proptest! {
        /// Else a caller could show the guard one area and the handler another.
        #[test]
        fn the_guard_sees_what_the_handler_sees(bytes in pieces()) {
            if let Ok(request) = RegisterHouseholdRequest::decode(&*bytes) {
                prop_assert_eq!(path(&[2]).value(&bytes), Ok(request.area));
                let community = request.door.map(|door| door.community);
                prop_assert_eq!(path(&[4, 1]).value(&bytes), Ok(community.unwrap_or_default()));
            }
        }
    }
}
