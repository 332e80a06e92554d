//! What events were written like formerly, and how they are read today.
//!
//! Records stay as they were written: on disk, in the streams, under hashes
//! and proofs. Whoever decodes an event takes its type name and bytes through
//! [`to_today`] first, which turns a former form into the next one until it is
//! today's. Everything above knows today's forms alone.
//!
//! A *form* is how the events of one type were written from one release to the
//! next. Forms count from 1; what bytes do not tell of themselves cannot be a
//! form. Each has its records in `proto/tests/corpus`. CONTRIBUTING.md says
//! how to add one.
//!
//! It is pure, and cheap where nothing is to do: a comparison of the type name
//! and no allocation. What cannot be read as the former form is passed on as
//! it is, so that decoding it names the fault.

pub mod stock_spoiled;

use std::borrow::Cow;

/// Types with more than one form, and how many: those that `events.rs` has
/// with today's among them; of others, former forms only.
pub const FORMS: &[(&str, u32)] = &[(stock_spoiled::TYPE, 2)];

/// No event needs more steps; a step that leads back to where it began must
/// not hang a service.
const STEPS_MAX: usize = 64;

/// An event as its first step of several finds it.
type Form = (&'static str, Vec<u8>);

/// How many forms a type has.
#[must_use]
pub fn forms(type_name: &str) -> u32 {
    let known = FORMS.iter().find(|(name, _)| *name == type_name);
    known.map_or(1, |(_, forms)| *forms)
}

/// In which form an event is written.
#[must_use]
pub fn form(type_name: &str, data: &[u8]) -> u32 {
    match type_name {
        stock_spoiled::TYPE => stock_spoiled::form(data),
        _ => 1,
    }
}

/// The event as it would be written today.
#[must_use]
pub fn to_today<'a>(type_name: &'a str, data: &'a [u8]) -> (&'a str, Cow<'a, [u8]>) {
    to_last(type_name, data, step)
}

/// From a former form to the next; none where it is today's.
fn step(type_name: &str, data: &[u8]) -> Option<Form> {
    match type_name {
        stock_spoiled::TYPE => stock_spoiled::from_first(data),
        _ => None,
    }
}

fn to_last<'a>(
    type_name: &'a str,
    data: &'a [u8],
    step: impl Fn(&str, &[u8]) -> Option<Form>,
) -> (&'a str, Cow<'a, [u8]>) {
    let Some(mut form) = step(type_name, data) else {
        return (type_name, Cow::Borrowed(data));
    };
    for _ in 1..STEPS_MAX {
        match step(form.0, &form.1) {
            Some(next) => form = next,
            None => break,
        }
    }
    (form.0, Cow::Owned(form.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two renamings and a change of the bytes between them.
    fn steps(type_name: &str, data: &[u8]) -> Option<Form> {
        match (type_name, data) {
            ("Oldest", _) => Some(("Older", data.to_vec())),
            ("Older", [0, rest @ ..]) => Some(("Older", rest.to_vec())),
            ("Older", _) => Some(("Todays", data.to_vec())),
            _ => None,
        }
    }

    #[test]
    fn a_form_is_led_from_step_to_step_until_it_is_todays() {
        for (written, read) in [
            (("Oldest", &[0, 0, 7][..]), ("Todays", &[7][..])),
            (("Older", &[7]), ("Todays", &[7])),
        ] {
            let (type_name, data) = to_last(written.0, written.1, steps);
            assert_eq!((type_name, &*data), read);
            assert!(matches!(data, Cow::Owned(_)));
        }
    }

    #[test]
    fn what_is_todays_is_not_copied() {
        let (type_name, data) = to_last("Todays", &[0, 7], steps);
        assert_eq!((type_name, &*data), ("Todays", &[0, 7][..]));
        assert!(matches!(data, Cow::Borrowed(_)));
        let (type_name, data) = to_today("baogong.order.v1.OrderPlaced", &[0xff]);
        assert_eq!(type_name, "baogong.order.v1.OrderPlaced");
        assert!(matches!(data, Cow::Borrowed([0xff])));
    }

    #[test]
    fn a_step_in_a_circle_ends() {
        let (type_name, _) = to_last("a", &[], |_, _| Some(("a", Vec::new())));
        assert_eq!(type_name, "a");
    }
}
