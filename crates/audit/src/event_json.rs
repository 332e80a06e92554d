//! Events by their descriptors: which names they carry, and their JSON form
//! with what is sealed left sealed.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, SerializeOptions, Value};
use proto::{record::Encoded, upcast};
use serde::Serialize;
use serde_json::Value as Json;

const SEALED: &str = "baogong.types.v1.Sealed";

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(proto::DESCRIPTORS).expect("the descriptors are made by our own build")
});

/// How much of a list that concerns several orders is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Part {
    pub shown: usize,
    pub of: usize,
}

/// As it would be written today. None where the type is unknown or the bytes
/// are not such a message.
pub(crate) fn decode(event: &Encoded) -> Option<DynamicMessage> {
    let (type_name, data) = upcast::to_today(&event.type_name, &event.data);
    let descriptor = POOL.get_message_by_name(type_name)?;
    DynamicMessage::decode(descriptor, &*data).ok()
}

/// Whether any string of the event names `id`: the id itself, or a text with
/// the id in it as a word, as labels and messages have it.
pub(crate) fn mentions(event: &Encoded, id: &str) -> bool {
    // Strings stand in the encoding as they are: most events end here.
    let may = !id.is_empty()
        && event
            .data
            .windows(id.len())
            .any(|part| part == id.as_bytes());
    may && decode(event).is_some_and(|message| message_mentions(&message, id))
}

fn message_mentions(message: &DynamicMessage, id: &str) -> bool {
    message.fields().any(|(_, value)| value_mentions(value, id))
}

fn value_mentions(value: &Value, id: &str) -> bool {
    match value {
        Value::String(text) => is_named_in(text, id),
        Value::Message(message) => message_mentions(message, id),
        Value::List(list) => list.iter().any(|value| value_mentions(value, id)),
        Value::Map(map) => map.values().any(|value| value_mentions(value, id)),
        _ => false,
    }
}

fn is_named_in(text: &str, id: &str) -> bool {
    text.match_indices(id).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + id.len()..].chars().next();
        [before, after]
            .into_iter()
            .flatten()
            .all(|c| !c.is_alphanumeric())
    })
}

/// The event as JSON, by the field names of the protos. Of a list that names
/// `id` in some of its items, only those are kept, also within the messages of
/// the event, as a load's labels are; an empty one keeps all.
pub(crate) fn to_json(event: &Encoded, id: &str) -> (Json, Option<Part>) {
    let Some(mut message) = decode(event) else {
        return (Json::Null, None);
    };
    let part = if id.is_empty() {
        None
    } else {
        keep_own_part(&mut message, id)
    };
    let options = SerializeOptions::new()
        .skip_default_fields(false)
        .stringify_64_bit_integers(false)
        .use_proto_field_name(true);
    let json = message.serialize_with_options(serde_json::value::Serializer, &options);
    let mut json = json.unwrap_or(Json::Null);
    seal(&message, &mut json);
    (json, part)
}

fn keep_own_part(message: &mut DynamicMessage, id: &str) -> Option<Part> {
    let mut part = None;
    for (_, value) in message.fields_mut() {
        part = part.max_by_whole(part_of_value(value, id));
    }
    part
}

fn part_of_value(value: &mut Value, id: &str) -> Option<Part> {
    match value {
        Value::Message(message) => keep_own_part(message, id),
        Value::List(list) => {
            let of = list.len();
            let shown = list.iter().filter(|item| value_mentions(item, id)).count();
            let cut = shown > 0 && shown < of;
            if cut {
                list.retain(|item| value_mentions(item, id));
            }
            let mut part = cut.then_some(Part { shown, of });
            for item in list {
                part = part.max_by_whole(part_of_value(item, id));
            }
            part
        }
        _ => None,
    }
}

/// Of several lists that were cut, the longest is told.
trait Longer {
    fn max_by_whole(self, other: Self) -> Self;
}

impl Longer for Option<Part> {
    fn max_by_whole(self, other: Self) -> Self {
        [self, other]
            .into_iter()
            .flatten()
            .max_by_key(|part| part.of)
    }
}

fn seal(message: &DynamicMessage, json: &mut Json) {
    for (field, value) in message.fields() {
        if let Some(json) = json.get_mut(field.name()) {
            seal_value(value, json);
        }
    }
}

fn seal_value(value: &Value, json: &mut Json) {
    match value {
        Value::Message(message) if message.descriptor().full_name() == SEALED => {
            *json = "(sealed)".into();
        }
        Value::Message(message) => seal(message, json),
        Value::List(list) => {
            for (n, item) in list.iter().enumerate() {
                if let Some(json) = json.get_mut(n) {
                    seal_value(item, json);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use decider::EventSet;
    use proto::{LogisticsEvent, OrderEvent, logistics::v1 as l, order::v1 as o, types::v1 as t};

    fn encoded<E: EventSet>(event: impl Into<E>) -> Encoded {
        Encoded::from(&event.into())
    }

    #[test]
    fn an_id_is_found_in_labels_and_sentences_but_not_in_longer_ids() {
        assert!(is_named_in("O1", "O1"));
        assert!(is_named_in("O1-2", "O1"));
        assert!(is_named_in("order O1 is already out", "O1"));
        assert!(!is_named_in("O11", "O1"));
        assert!(!is_named_in("XO1", "O1"));
    }

    #[test]
    fn a_list_over_many_orders_is_cut_to_the_own_part() {
        let event = encoded::<LogisticsEvent>(l::RunStarted {
            run_id: "R".into(),
            order_ids: vec!["A".into(), "B".into(), "C".into()],
            ..Default::default()
        });
        assert!(mentions(&event, "B"));
        assert!(!mentions(&event, "D"));
        let (json, part) = to_json(&event, "B");
        assert_eq!(json["order_ids"], serde_json::json!(["B"]));
        assert_eq!(part, Some(Part { shown: 1, of: 3 }));
    }

    #[test]
    fn a_load_is_cut_to_the_bags_of_the_order() {
        let line = |id: &str, labels: [&str; 3]| l::LoadLine {
            line_id: id.into(),
            labels: labels.map(String::from).to_vec(),
            ..Default::default()
        };
        let event = encoded::<LogisticsEvent>(l::ShipmentDrafted {
            shipment_id: "S".into(),
            load: Some(l::Load {
                pickups: vec![l::Pickup {
                    lines: vec![
                        line("L1", ["A-1", "B-1", "C-1"]),
                        line("L2", ["A-2", "B-2", "C-2"]),
                    ],
                    ..Default::default()
                }],
                order_ids: ["A", "B", "C", "D"].map(String::from).to_vec(),
                ..Default::default()
            }),
            ..Default::default()
        });
        let (json, part) = to_json(&event, "B");
        assert_eq!(json["load"]["order_ids"], serde_json::json!(["B"]));
        let lines = &json["load"]["pickups"][0]["lines"];
        assert_eq!(lines[1]["labels"], serde_json::json!(["B-2"]));
        assert_eq!(part, Some(Part { shown: 1, of: 4 }));
    }

    #[test]
    fn what_is_sealed_stays_sealed() {
        let event = encoded::<OrderEvent>(o::HouseholdRegistered {
            household_id: "H".into(),
            contact: Some(t::Sealed {
                key_id: "household/H".into(),
                nonce: vec![1; 12],
                ciphertext: vec![2; 40],
            }),
            ..Default::default()
        });
        let (json, _) = to_json(&event, "x");
        assert_eq!(json["contact"], "(sealed)");
        assert_eq!(json["household_id"], "H");
    }
}
