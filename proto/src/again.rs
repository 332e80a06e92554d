//! Events decoded into the memory of one that is not needed any more: who
//! folds a whole log would else allocate and free some texts for each record.
//!
//! What comes of it is what [`Message::decode`] gives, or nothing: where an
//! event is not written as prost writes it, the general decoder is asked.

use prost::Message;

use crate::{
    InventoryEvent, LogisticsEvent, NotificationEvent, OrderEvent,
    order::v1::{OrderDelivered, OrderPlaced, OrderReleased},
    types::v1::{Door, Line},
    wire::{Fields, Span},
};

/// Sets of which some events have messages inside, which the general decoder
/// always makes anew.
pub(crate) trait Again {
    /// Makes of an event the one that `data` is, of the same type. None, and
    /// an event of no use, where it cannot.
    fn again(&mut self, _data: &[u8]) -> Option<()> {
        None
    }
}

impl Again for InventoryEvent {}
impl Again for LogisticsEvent {}
impl Again for NotificationEvent {}

impl Again for OrderEvent {
    fn again(&mut self, data: &[u8]) -> Option<()> {
        match self {
            Self::OrderPlaced(event) => placed(event, data),
            Self::OrderReleased(event) => released(event, data),
            Self::OrderConfirmed(event) => texts(data, [&mut event.order_id]),
            Self::OrderReady(event) => texts(data, [&mut event.order_id]),
            Self::OrderOutForDelivery(event) => texts(
                data,
                [&mut event.order_id, &mut event.run_id, &mut event.member_id],
            ),
            Self::OrderDelivered(event) => delivered(event, data),
            Self::OrderCollected(event) => texts(data, [&mut event.order_id, &mut event.evidence]),
            _ => None,
        }
    }
}

/// For events whose fields are texts and numbers.
pub(crate) fn flat<M: Message>(message: &mut M, data: &[u8]) -> Result<(), prost::DecodeError> {
    message.clear();
    message.merge(data)
}

fn placed(event: &mut OrderPlaced, data: &[u8]) -> Option<()> {
    let mut reader = Reader::of(data)?;
    reader.text(1, &mut event.order_id)?;
    reader.text(2, &mut event.household_id)?;
    reader.door(3, &mut event.door)?;
    reader.lines(4, &mut event.lines)?;
    event.channel = reader.fields.number(5)?.try_into().ok()?;
    reader.text(6, &mut event.group_buy_id)?;
    reader.text(7, &mut event.placed_by)?;
    reader.fields.end().then_some(())
}

fn released(event: &mut OrderReleased, data: &[u8]) -> Option<()> {
    let mut reader = Reader::of(data)?;
    reader.text(1, &mut event.order_id)?;
    reader.text(2, &mut event.household_id)?;
    reader.door(3, &mut event.door)?;
    reader.lines(4, &mut event.lines)?;
    reader.text(5, &mut event.cadre_id)?;
    reader.fields.end().then_some(())
}

/// An event of texts alone, in the order of their numbers from 1.
fn texts<const N: usize>(data: &[u8], texts: [&mut String; N]) -> Option<()> {
    let mut reader = Reader::of(data)?;
    for (field, text) in (1..).zip(texts) {
        reader.text(field, text)?;
    }
    reader.fields.end().then_some(())
}

fn delivered(event: &mut OrderDelivered, data: &[u8]) -> Option<()> {
    let mut fields = Fields::of(data);
    let id = std::str::from_utf8(fields.bytes(1)?).ok()?;
    id.clone_into(&mut event.order_id);
    event.delivered_time = match fields.next() {
        None => None,
        Some(_) => {
            let mut time = fields.message(2)?;
            let (seconds, nanos) = (time.number(1)?.cast_signed(), time.number(2)?);
            let nanos = nanos.try_into().ok()?;
            time.end()
                .then_some(prost_types::Timestamp { seconds, nanos })?
                .into()
        }
    };
    fields.end().then_some(())
}

/// Reads an event that is one text from end to end, as short texts and small
/// numbers are: it need be looked at once only.
struct Reader<'a> {
    whole: &'a str,
    fields: Fields<'a>,
}

impl<'a> Reader<'a> {
    fn of(data: &'a [u8]) -> Option<Self> {
        Some(Self {
            whole: std::str::from_utf8(data).ok()?,
            fields: Fields::of(data),
        })
    }

    fn put(&self, span: Span, text: &mut String) -> Option<()> {
        self.whole.get(span)?.clone_into(text);
        Some(())
    }

    fn text(&mut self, field: u8, text: &mut String) -> Option<()> {
        let span = self.fields.span(field)?;
        self.put(span, text)
    }

    fn door(&mut self, field: u8, door: &mut Option<Door>) -> Option<()> {
        if self.fields.next() != Some(field) {
            *door = None;
            return Some(());
        }
        let mut fields = self.fields.message(field)?;
        let door = door.get_or_insert_default();
        for (field, text) in (1..).zip([
            &mut door.community,
            &mut door.grid,
            &mut door.building,
            &mut door.entrance,
            &mut door.door,
        ]) {
            self.put(fields.span(field)?, text)?;
        }
        fields.end().then_some(())
    }

    fn lines(&mut self, field: u8, lines: &mut Vec<Line>) -> Option<()> {
        let mut count = 0;
        while self.fields.next() == Some(field) {
            let mut fields = self.fields.message(field)?;
            if count == lines.len() {
                lines.push(Line::default());
            }
            let line = &mut lines[count];
            self.put(fields.span(1)?, &mut line.product_id)?;
            line.quantity_units = fields.number(2)?.cast_signed();
            if !fields.end() {
                return None;
            }
            count += 1;
        }
        lines.truncate(count);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use decider::{DecodeError, EventSet};
    use proptest::prelude::*;
    use prost_types::Timestamp;

    use super::*;
    use crate::order::v1::{OrderCollected, OrderConfirmed, OrderOutForDelivery, OrderReady};

    fn door() -> impl Strategy<Value = Option<Door>> {
        let part = || "[A-Z0-9]{0,3}|\\PC{0,4}";
        let parts = (part(), part(), part(), part(), part());
        proptest::option::of(
            parts.prop_map(|(community, grid, building, entrance, door)| Door {
                community,
                grid,
                building,
                entrance,
                door,
            }),
        )
    }

    fn lines() -> impl Strategy<Value = Vec<Line>> {
        let line = ("[a-z]{0,8}|\\PC{0,4}", prop_oneof![0..200i64, any::<i64>()]);
        proptest::collection::vec(
            line.prop_map(|(product_id, quantity_units)| Line {
                product_id,
                quantity_units,
            }),
            0..4,
        )
    }

    prop_compose! {
        fn event()(
            (door, lines, channel) in (door(), lines(), prop_oneof![0..5i32, any::<i32>()]),
            (id, household, other) in ("[0-9A-Z]{0,26}", "\\PC{0,9}", "\\PC{0,140}"),
            time in proptest::option::of((any::<i64>(), any::<i32>())),
            kind in 0..7u8,
        ) -> OrderEvent {
            let order_id = id;
            match kind {
                0 => OrderPlaced {
                    order_id,
                    household_id: household,
                    door,
                    lines,
                    channel,
                    group_buy_id: String::new(),
                    placed_by: other,
                }.into(),
                1 => {
                    let (household_id, cadre_id) = (household, other);
                    OrderReleased { order_id, household_id, door, lines, cadre_id }.into()
                }
                2 => OrderConfirmed { order_id }.into(),
                3 => OrderReady { order_id }.into(),
                4 => OrderOutForDelivery { order_id, run_id: household, member_id: other }.into(),
                5 => {
                    let time = time.map(|(seconds, nanos)| Timestamp { seconds, nanos });
                    OrderDelivered { order_id, delivered_time: time }.into()
                }
                _ => OrderCollected { order_id, evidence: other }.into(),
            }
        }
    }

    fn again(mut event: OrderEvent, data: &[u8]) -> Result<OrderEvent, DecodeError> {
        let type_name = event.type_name();
        event.decode_again(type_name, data)?;
        Ok(event)
    }

    proptest! {
        // Of seven types, often two of one.
        #![proptest_config(ProptestConfig::with_cases(2048))]

        /// Whatever was in the memory before, and whatever the bytes are.
        #[test]
        fn decoding_again_is_decoding(
            used in event(),
            next in event(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 0..3),
        ) {
            let mut data = next.encode();
            for (at, byte, kind) in changes {
                let at = at.index(data.len() + 1);
                match kind {
                    0 if at < data.len() => data[at] = byte,
                    1 if at < data.len() => { data.remove(at); }
                    _ => data.insert(at, byte),
                }
            }
            let decoded = OrderEvent::decode(used.type_name(), &data);
            prop_assert_eq!(again(used, &data), decoded);
        }

        #[test]
        fn what_is_usual_needs_no_general_decoder(used in event(), quantity_units in 0..128i64) {
            let usual = OrderPlaced {
                order_id: "01GBY5F0G00000000000000000".into(),
                household_id: "H000001".into(),
                door: Some(Door { community: "C01".into(), ..Door::default() }),
                lines: vec![Line { product_id: "flour".into(), quantity_units }],
                channel: 2,
                ..OrderPlaced::default()
            };
            if let OrderEvent::OrderPlaced(mut used) = used {
                prop_assert_eq!(placed(&mut used, &usual.encode_to_vec()), Some(()));
                prop_assert_eq!(used, usual);
            }
        }
    }
}
