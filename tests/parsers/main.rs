//! Nonsense for every request parser of every service: bytes at random,
//! requests with fields at random, and such with some bytes changed. Nothing
//! may panic. Seeded, so that what fails once fails again; `make fuzz` looks
//! further, and by what it has found before.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
};

use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value,
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use service_kit::readers::Reader;

/// Inputs for each parser; altogether more than a hundred thousand. Making a
/// request takes longest, so each is used again with some bytes changed.
const REQUESTS: usize = 40;
const CHANGED: usize = 29;

fn readers() -> Vec<Reader> {
    let all = [
        order::readers::ALL,
        inventory::readers::ALL,
        logistics::readers::ALL,
        notification::readers::ALL,
    ];
    all.concat()
}

fn pool() -> DescriptorPool {
    DescriptorPool::decode(proto::DESCRIPTORS).expect("descriptors")
}

#[test]
fn every_request_has_its_reader() {
    let kit = ["baogong.admin.v1", "baogong.log.v1"];
    let pool = pool();
    let services = pool.services();
    let wanted: BTreeSet<String> = services
        .filter(|service| !kit.contains(&service.package_name()))
        .flat_map(|service| {
            let methods: Vec<_> = service.methods().collect();
            methods
        })
        .map(|method| method.input().full_name().to_owned())
        .collect();
    let read: BTreeSet<String> = readers()
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(read, wanted);
}

/// Texts that parsers tend to trip over.
const TEXTS: [&str; 14] = [
    "",
    "a",
    "632725100",
    "acme",
    "../../etc/passwd",
    "é",
    "\u{0}",
    "\u{202e}",
    "👪",
    " ",
    "-1",
    "https://127.0.0.1/",
    "2022-09-01T16:00:00Z",
    "01J9Z2",
];
const NUMBERS: [i64; 9] = [
    0,
    1,
    -1,
    7,
    100,
    i32::MAX as i64,
    i32::MIN as i64,
    i64::MAX,
    i64::MIN,
];

fn text(random: &mut StdRng) -> String {
    match random.random_range(0..10) {
        0 => "x".repeat(random.random_range(0..2_000)),
        1 => (0..random.random_range(0..20))
            .map(|_| random.random::<char>())
            .collect(),
        _ => (*TEXTS.choose(random).expect("some")).to_owned(),
    }
}

fn number(random: &mut StdRng) -> i64 {
    if random.random_bool(0.5) {
        *NUMBERS.choose(random).expect("some")
    } else {
        random.random()
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn value(kind: &Kind, random: &mut StdRng, depth: usize) -> Value {
    match kind {
        Kind::Bool => Value::Bool(random.random()),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number(random) as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(number(random)),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(number(random) as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(number(random) as u64),
        Kind::Float => Value::F32(f32::NAN),
        Kind::Double => Value::F64(f64::INFINITY),
        Kind::String => Value::String(text(random)),
        Kind::Bytes => Value::Bytes(vec![random.random(); random.random_range(0..40)].into()),
        Kind::Enum(kind) => {
            let known = kind
                .values()
                .map(|value| value.number())
                .collect::<Vec<_>>();
            let known = known.choose(random).copied().unwrap_or_default();
            Value::EnumNumber(if random.random_bool(0.8) {
                known
            } else {
                random.random()
            })
        }
        Kind::Message(kind) => Value::Message(message(kind, random, depth + 1)),
    }
}

fn field(of: &FieldDescriptor, random: &mut StdRng, depth: usize) -> Value {
    if !of.is_list() {
        return value(&of.kind(), random, depth);
    }
    // Lists are short, or longer than any that is taken.
    let count = match random.random_range(0..12) {
        0 if depth == 0 && !matches!(of.kind(), Kind::Message(_)) => 600,
        _ => random.random_range(0..4),
    };
    Value::List(
        (0..count)
            .map(|_| value(&of.kind(), random, depth + 1))
            .collect(),
    )
}

/// A message with some of its fields set.
fn message(kind: &MessageDescriptor, random: &mut StdRng, depth: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(kind.clone());
    for of in kind.fields() {
        if depth < 6 && !of.is_map() && random.random_bool(0.8) {
            message.set_field(&of, field(&of, random, depth));
        }
    }
    message
}

/// Some bytes changed, left out, or said twice.
fn mutate(bytes: &mut Vec<u8>, random: &mut StdRng) {
    for _ in 0..random.random_range(1..5) {
        if bytes.is_empty() {
            return;
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..4) {
            0 => bytes[at] = random.random(),
            1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => bytes.truncate(at),
            _ => {
                let part = bytes[at..(at + 16).min(bytes.len())].to_vec();
                bytes.extend(part);
            }
        }
    }
}

/// A request as it was made, the same with some bytes changed, and bytes that
/// were never one.
fn inputs(kind: &MessageDescriptor, random: &mut StdRng) -> Vec<Vec<u8>> {
    let mut all = vec![message(kind, random, 0).encode_to_vec()];
    for _ in 0..CHANGED {
        let mut bytes = all[0].clone();
        mutate(&mut bytes, random);
        all.push(bytes);
    }
    let length = random.random_range(0..64);
    all.push((0..length).map(|_| random.random()).collect());
    all
}

#[test]
fn no_request_makes_a_parser_panic() {
    let pool = pool();
    let mut random = StdRng::seed_from_u64(0x0b40_6049);
    let readers = readers();
    let mut counts = [0_usize; 3];
    for (name, reader) in &readers {
        let kind = pool.get_message_by_name(name).expect("it is in the protos");
        for bytes in (0..REQUESTS).flat_map(|_| inputs(&kind, &mut random)) {
            let read = catch_unwind(AssertUnwindSafe(|| reader(&bytes)));
            let read = read.unwrap_or_else(|_| panic!("{name} panics with {bytes:02x?}"));
            counts[read as usize] += 1;
        }
    }
    let [undecodable, refused, taken] = counts;
    assert!(undecodable + refused + taken >= 100_000, "{counts:?}");
    // Else the inputs would not reach what they are meant for.
    assert!(
        undecodable > 1_000 && refused > 1_000 && taken > 1_000,
        "{counts:?}"
    );
}
