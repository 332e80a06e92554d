//! `StockSpoiled`. Form 1 said why in one free text: `EXPIRED` where the timer
//! took a lot off the shelf, and whatever a keeper typed otherwise, so that
//! nobody could count losses by their cause. Form 2 has a cause, and the words
//! beside it.

use prost::Message;

use super::Form;
use crate::inventory::v1::{SpoilCause, StockSpoiled};

pub(super) const TYPE: &str = "baogong.inventory.v1.StockSpoiled";

/// None where the bytes are not in form 1.
#[allow(deprecated)]
fn first_form(data: &[u8]) -> Option<StockSpoiled> {
    let event = StockSpoiled::decode(data).ok()?;
    (!event.reason.is_empty()).then_some(event)
}

pub(super) fn form(data: &[u8]) -> u32 {
    if first_form(data).is_some() { 1 } else { 2 }
}

#[allow(deprecated)]
pub(super) fn from_first(data: &[u8]) -> Option<Form> {
    let mut event = first_form(data)?;
    let (cause, note) = cause_of(&std::mem::take(&mut event.reason));
    event.set_cause(cause);
    event.note = note;
    Some((TYPE, event.encode_to_vec()))
}

/// The cause that a text names, and the words that remain. A text that is not
/// the name of a cause is nobody's to interpret: `OTHER`, in its own words.
#[must_use]
pub fn cause_of(text: &str) -> (SpoilCause, String) {
    let named = SpoilCause::from_str_name(&format!("SPOIL_CAUSE_{}", text.trim()));
    match named {
        Some(cause) if cause != SpoilCause::Unspecified => (cause, String::new()),
        _ => (SpoilCause::Other, text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{InventoryEvent, upcast};
    use decider::EventSet;
    use std::borrow::Cow;

    #[allow(deprecated)]
    fn first(reason: &str) -> Vec<u8> {
        StockSpoiled {
            lot_id: "L".into(),
            quantity_units: 3,
            reason: reason.into(),
            ..Default::default()
        }
        .encode_to_vec()
    }

    fn second(cause: SpoilCause, note: &str) -> StockSpoiled {
        StockSpoiled {
            lot_id: "L".into(),
            quantity_units: 3,
            cause: cause.into(),
            note: note.into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_name_becomes_the_cause_and_other_words_stay_words() {
        for (text, cause, note) in [
            ("EXPIRED", SpoilCause::Expired, ""),
            ("DAMAGED", SpoilCause::Damaged, ""),
            ("sacks torn", SpoilCause::Other, "sacks torn"),
            ("UNSPECIFIED", SpoilCause::Other, "UNSPECIFIED"),
            ("expired", SpoilCause::Other, "expired"),
        ] {
            let data = first(text);
            assert_eq!(upcast::form(TYPE, &data), 1);
            let event = InventoryEvent::decode(TYPE, &data);
            assert_eq!(event, Ok(second(cause, note).into()), "{text}");
        }
    }

    #[test]
    fn what_is_written_today_is_left_alone() {
        let event = second(SpoilCause::Lost, "not on the shelf");
        let data = event.encode_to_vec();
        assert_eq!(upcast::form(TYPE, &data), 2);
        let (_, read) = upcast::to_today(TYPE, &data);
        assert!(matches!(read, Cow::Borrowed(_)));
        assert_eq!(InventoryEvent::decode(TYPE, &data), Ok(event.into()));
    }

    /// So that decoding it names the fault.
    #[test]
    fn what_is_no_such_event_is_passed_on() {
        let (_, read) = upcast::to_today(TYPE, &[0xff]);
        assert!(matches!(read, Cow::Borrowed([0xff])));
    }
}
