//! The files of the corpus, and how a record looks in one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use bytes::Bytes;
use decider::{DecodeError, EventSet, Service, StreamId};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use proto::{
    InventoryEvent, LogisticsEvent, NotificationEvent, OrderEvent,
    record::{self, Encoded},
    upcast,
};
use serde_json::{Value, json};

use crate::write;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(proto::DESCRIPTORS).expect("our own descriptors"));

pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/tests/corpus")
}

pub struct Corpus {
    /// By type and form, `baogong.order.v1.OrderPlaced.1`.
    pub samples: BTreeMap<String, Sample>,
    pub histories: BTreeMap<HistoryName, StoredLog>,
}

pub struct Sample {
    pub bytes: Vec<u8>,
    pub golden: String,
}

pub struct StoredLog {
    pub records: Vec<Bytes>,
    pub digest: String,
}

/// `1/order`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HistoryName(pub u32, pub String);

impl HistoryName {
    pub fn service(&self) -> Service {
        Service::parse(&self.1).expect("the logs are named after services")
    }
}

impl fmt::Display for HistoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "histories/{}/{}", self.0, self.1)
    }
}

impl Corpus {
    /// Everything that is stored, completed before where that is asked for.
    pub fn read() -> Self {
        write::complete();
        let mut corpus = Self {
            samples: BTreeMap::new(),
            histories: BTreeMap::new(),
        };
        for path in hex_files(&directory().join("records")) {
            let [bytes] = &lines(&path)[..] else {
                panic!("{}: one record was to be in it", path.display());
            };
            let sample = Sample {
                bytes: bytes.to_vec(),
                golden: beside(&path, "json"),
            };
            corpus.samples.insert(stem(&path), sample);
        }
        for number in numbers() {
            for path in hex_files(&directory().join(format!("histories/{number}"))) {
                let log = StoredLog {
                    records: lines(&path),
                    digest: beside(&path, "digest").trim_end().to_owned(),
                };
                corpus
                    .histories
                    .insert(HistoryName(number, stem(&path)), log);
            }
        }
        corpus
    }
}

/// Of the histories.
pub fn numbers() -> BTreeSet<u32> {
    let entries = fs::read_dir(directory().join("histories"));
    let entries = entries.into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

pub fn hex_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "hex"));
    files.sort();
    files
}

pub fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn beside(path: &Path, ending: &str) -> String {
    let path = path.with_extension(ending);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn lines(path: &Path) -> Vec<Bytes> {
    let text = fs::read_to_string(path).expect("listed a moment ago");
    text.lines().map(|line| from_hex(line).into()).collect()
}

pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(line: &str) -> Vec<u8> {
    assert_eq!(line.len() % 2, 0, "half a byte");
    let bytes = (0..line.len()).step_by(2);
    bytes
        .map(|at| u8::from_str_radix(&line[at..at + 2], 16).expect("hex digits"))
        .collect()
}

/// What a record says: the envelope's fields, and its event as it is read
/// today. What is not set is not shown, so that new fields change no file.
pub fn to_json(bytes: &[u8]) -> Result<String, String> {
    let mut envelope = json_of("baogong.log.v1.Record", bytes)?;
    let raw = record::decode(bytes).map_err(|error| error.to_string())?;
    let (type_name, data) = upcast::to_today(&raw.event.type_name, &raw.event.data);
    let event = json_of(type_name, &data)?;
    if let Value::Object(fields) = &mut envelope {
        fields.remove("data");
    }
    let json = json!({ "record": envelope, "read_as": type_name, "event": event });
    let text = serde_json::to_string_pretty(&json).map_err(|error| error.to_string())?;
    Ok(text + "\n")
}

/// In which the order of the fields says nothing.
pub fn parsed(json: &str) -> Value {
    serde_json::from_str(json).expect("JSON")
}

fn json_of(type_name: &str, data: &[u8]) -> Result<Value, String> {
    let descriptor = POOL.get_message_by_name(type_name);
    let descriptor = descriptor.ok_or_else(|| format!("no message {type_name}"))?;
    let message = DynamicMessage::decode(descriptor, data).map_err(|error| error.to_string())?;
    let unknown = message.unknown_fields().count();
    if unknown > 0 {
        return Err(format!(
            "{unknown} fields of {type_name} are not known any more"
        ));
    }
    let options = SerializeOptions::new()
        .stringify_64_bit_integers(false)
        .use_proto_field_name(true);
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| error.to_string())
}

/// All types of all services, and those of the runtime: every message of
/// `log.proto` that is neither of its API nor of the envelope.
pub fn event_types() -> BTreeSet<String> {
    let envelope = [
        "Record",
        "Actor",
        "Cause",
        "RequestCause",
        "SourceCause",
        "TimerCause",
    ];
    let of_runtime = POOL
        .all_messages()
        .filter(|message| message.package_name() == "baogong.log.v1")
        .filter(|message| !message.name().ends_with("Request"))
        .filter(|message| !message.name().ends_with("Response"))
        .filter(|message| !envelope.contains(&message.name()))
        .map(|message| message.full_name().to_owned());
    let of_services = [
        OrderEvent::TYPES,
        InventoryEvent::TYPES,
        LogisticsEvent::TYPES,
        NotificationEvent::TYPES,
    ];
    let of_services = of_services.concat().into_iter().map(str::to_owned);
    of_services.chain(of_runtime).collect()
}

/// None for the runtime's own.
pub fn service_of(type_name: &str) -> Option<Service> {
    Service::parse(type_name.split('.').nth(1)?)
}

pub fn stream_of(service: Service, event: &Encoded) -> Result<StreamId, DecodeError> {
    let (name, data) = (&event.type_name, &event.data);
    Ok(match service {
        Service::Order => OrderEvent::decode(name, data)?.stream(),
        Service::Inventory => InventoryEvent::decode(name, data)?.stream(),
        Service::Logistics => LogisticsEvent::decode(name, data)?.stream(),
        Service::Notification => NotificationEvent::decode(name, data)?.stream(),
    })
}

/// The type as it stands in the record, and its form.
pub fn name_of(bytes: &[u8]) -> String {
    let raw = proto::log::v1::Record::decode(bytes).expect("a record");
    format!("{}.{}", raw.r#type, upcast::form(&raw.r#type, &raw.data))
}
