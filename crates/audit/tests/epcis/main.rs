//! The EPCIS export of a small town's day, whose logs are in
//! `proto/tests/corpus`: one delivery as a golden file, what a later fact took
//! back, what must not be in it, and the schema of GS1 as others have it.

mod schema;
mod trunk;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};

use audit::{
    History, LogName,
    epcis::{DEFAULT_BASE, EpcisError, EpcisOptions, Selection, export},
};
use bytes::Bytes;
use decider::{Position, Service, Timestamp};
use event_log::{EventLog as _, SledLog, SledOptions, Unit};
use proto::record::{self, Raw};
use serde_json::Value;

type Logs = BTreeMap<LogName, Vec<Bytes>>;

/// A day of the corpus; days are added and never changed.
fn logs() -> Logs {
    logs_of(3)
}

fn logs_of(day: u32) -> Logs {
    let days = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/tests/corpus/histories");
    let day = days.join(day.to_string());
    let log = |service: &Service| {
        let path = day.join(format!("{service}.hex"));
        let text = fs::read_to_string(&path).expect("the corpus has it");
        let records = text.lines().map(|line| Bytes::from(from_hex(line)));
        (LogName::new(*service, 0), records.collect())
    };
    Service::ALL.iter().map(log).collect()
}

fn from_hex(line: &str) -> Vec<u8> {
    let bytes = (0..line.len()).step_by(2);
    bytes
        .map(|at| u8::from_str_radix(&line[at..at + 2], 16).expect("hex digits"))
        .collect()
}

fn history(logs: Logs) -> History {
    History::from_bytes(logs)
}

/// The order whose parcel stream has an event of this type.
fn order_with(short_name: &str) -> String {
    let logs = logs();
    let mut raws = logs
        .values()
        .flatten()
        .map(|b| record::decode(b).expect("a record"));
    let found = raws.find(|raw| raw.event.short_name() == short_name);
    let stream = found.expect("it happens in the day").stream;
    let id = stream.as_str().split_once('/').expect("category and id").1;
    id.to_owned()
}

/// A bag was damaged and replaced, and the first attempt failed.
fn hard_order() -> String {
    order_with("ReplacementDispatched")
}

fn options(selection: Selection) -> EpcisOptions {
    EpcisOptions {
        selection,
        base: DEFAULT_BASE.parse().expect("a base"),
        offset: "+08:00".parse().expect("an offset"),
    }
}

fn text(selection: Selection) -> String {
    let document = export(&history(logs()), &options(selection)).expect("a document");
    document.to_text()
}

fn events(selection: Selection) -> Vec<Value> {
    events_of(&text(selection))
}

fn events_of(document: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(document).expect("JSON");
    let events = document["epcisBody"]["eventList"].as_array();
    events.expect("a list").clone()
}

fn of_order(order_id: &str) -> Vec<Value> {
    events(Selection::Order(order_id.to_owned()))
}

fn steps(events: &[Value]) -> Vec<&str> {
    let steps = events.iter().map(|event| {
        let step = event["bizStep"].as_str().expect("each has a step");
        step.rsplit('/').next().unwrap_or(step)
    });
    steps.collect()
}

fn is_correction(event: &Value) -> bool {
    event.get("errorDeclaration").is_some()
}

fn golden_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/epcis/delivery.golden.json")
}

#[test]
fn a_delivery_with_a_damaged_bag_and_a_failed_attempt_reads_so() {
    let text = text(Selection::Order(hard_order()));
    if env::var_os("BAOGONG_WRITE_GOLDEN").is_some() {
        fs::write(golden_file(), &text).expect("the golden file can be written");
    }
    let golden = fs::read_to_string(golden_file()).unwrap_or_default();
    assert_eq!(
        text, golden,
        "if that is meant to be: BAOGONG_WRITE_GOLDEN=1 cargo test -p baogong-audit --test epcis"
    );
}

#[test]
fn its_steps_are_those_of_the_goods() {
    let events = of_order(&hard_order());
    assert_eq!(
        steps(&events),
        [
            // Two lots, reserved and packed, and on their way to the gate.
            "receiving",
            "receiving",
            "reserving",
            "packing",
            "packing",
            "shipping",
            // The whole bag; the damaged one, out of the parcel.
            "receiving",
            "inspecting",
            "inspecting",
            "replacing",
            "shipping",
            "receiving",
            "disinfecting",
            // In vain.
            "loading",
            "departing",
            "delivery_attempting",
            "unloading",
            // Left at the door, and taken in.
            "loading",
            "departing",
            "unloading",
            "arriving",
            "accepting",
        ]
    );
    assert!(
        !events.iter().any(is_correction),
        "nothing of it was taken back"
    );
}

#[test]
fn the_same_logs_give_the_same_bytes() {
    assert_eq!(text(Selection::All), text(Selection::All));
}

#[test]
fn every_row_names_a_record_that_is_there() {
    let leaves: BTreeMap<(String, u64), String> = logs()
        .iter()
        .flat_map(|(name, log)| {
            let origin = format!("baogong/{}/{}", name.service, name.partition);
            log.iter().map(move |bytes| {
                let position = record::decode(bytes).expect("a record").position.0;
                let leaf = transparency::record_hash(bytes).0;
                let leaf: String = leaf.iter().map(|byte| format!("{byte:02x}")).collect();
                ((origin.clone(), position), leaf)
            })
        })
        .collect();
    for event in events(Selection::All) {
        let declared = event.get("errorDeclaration");
        let proofs = [Some(&event), declared].into_iter().flatten();
        for proof in proofs.map(|of| &of["baogong:proof"]) {
            let origin = proof["baogong:origin"]
                .as_str()
                .expect("an origin")
                .to_owned();
            let position = proof["baogong:position"].as_u64().expect("a position");
            let leaf = proof["baogong:leafHash"].as_str();
            assert_eq!(leaf, leaves.get(&(origin, position)).map(String::as_str));
        }
    }
}

/// A correction repeats its event; otherwise no id is there twice.
#[test]
fn an_event_id_is_one_event() {
    let mut seen = BTreeMap::<String, Value>::new();
    let (mut corrected, mut plain) = (0, 0);
    for mut event in events(Selection::All) {
        let id = event["eventID"].as_str().expect("an id").to_owned();
        let correction = is_correction(&event);
        let fields = event.as_object_mut().expect("an object");
        fields.remove("errorDeclaration");
        fields.remove("recordTime");
        match seen.insert(id.clone(), event.clone()) {
            Some(before) => {
                assert!(correction, "{id} is there twice");
                assert_eq!(before, event, "{id} is repeated as it was");
                corrected += 1;
            }
            None => {
                assert!(!correction, "{id} is taken back before it is told");
                plain += 1;
            }
        }
    }
    assert!(
        plain > 60 && corrected == 4,
        "{plain} events, {corrected} corrections"
    );
}

#[test]
fn ids_do_not_depend_on_what_else_is_exported() {
    let id = |event: &Value| event["eventID"].as_str().expect("an id").to_owned();
    let all: BTreeSet<String> = events(Selection::All).iter().map(id).collect();
    let one: BTreeSet<String> = of_order(&hard_order()).iter().map(id).collect();
    assert!(one.is_subset(&all));
}

#[test]
fn a_released_reservation_takes_back_that_units_were_set_aside() {
    let events = of_order(&order_with("ReservationReleased"));
    let corrections: Vec<_> = events.iter().filter(|event| is_correction(event)).collect();
    let [reserved, bagged, parcelled] = corrections[..] else {
        panic!("{} corrections", corrections.len());
    };
    assert_eq!(reserved["bizStep"], "reserving");
    assert_eq!(bagged["type"], "TransformationEvent");
    assert_eq!(parcelled["type"], "AggregationEvent");
    let released = events.iter().find(|event| event["bizStep"] == "stocking");
    let released = &released.expect("told instead")["eventID"];
    let declared = &reserved["errorDeclaration"];
    assert_eq!(
        declared["correctiveEventIDs"],
        serde_json::json!([released])
    );
    assert_eq!(
        declared["reason"],
        format!("{DEFAULT_BASE}/voc/er-taken_back")
    );
}

#[test]
fn a_recalled_dispatch_is_taken_back_and_what_it_held_is_stock_again() {
    let events = of_order(&order_with("ParcelWithdrawn"));
    let corrections: Vec<_> = events.iter().filter(|event| is_correction(event)).collect();
    let [shipped] = corrections[..] else {
        panic!("{} corrections", corrections.len());
    };
    assert_eq!(shipped["bizStep"], "shipping");
    let by = |step: &str| {
        let event = events.iter().find(|event| event["bizStep"] == step);
        event.expect("told instead")["eventID"].clone()
    };
    let expected = [by("void_shipping"), by("unpacking")];
    let declared = &shipped["errorDeclaration"];
    assert_eq!(
        declared["correctiveEventIDs"],
        Value::from(expected.to_vec())
    );
}

/// It was at the door and came back: all of that happened.
#[test]
fn a_refused_parcel_is_a_return_and_no_error() {
    let events = of_order(&order_with("ParcelReturned"));
    assert!(!events.iter().any(is_correction));
    let steps = steps(&events);
    assert_eq!(
        steps[steps.len() - 3..],
        ["unloading", "shipping", "unpacking"]
    );
}

/// A cancellation that came too late takes nothing back.
#[test]
fn a_recall_that_came_too_late_changes_nothing() {
    let logs = logs();
    let recalled = |raw: &Raw| raw.event.short_name() == "DispatchRecalled";
    let inventory = &logs[&LogName::new(Service::Inventory, 0)];
    let raws = inventory
        .iter()
        .map(|bytes| record::decode(bytes).expect("a record"));
    let withdrawn = order_with("ParcelWithdrawn");
    let late: Vec<String> = raws
        .filter(recalled)
        .map(|raw| raw.stream.as_str().replace("demand/", ""))
        .filter(|order| *order != withdrawn)
        .collect();
    let [late] = &late[..] else {
        panic!("{late:?}")
    };
    let events = of_order(late);
    assert!(!events.iter().any(is_correction));
    assert_eq!(steps(&events).last(), Some(&"accepting"));
}

/// The torso of a command that was lost with a disk.
#[test]
fn what_a_void_unit_told_did_not_occur() {
    let mut logs = logs();
    let inventory = logs
        .get_mut(&LogName::new(Service::Inventory, 0))
        .expect("a log");
    let raws: Vec<Raw> = inventory
        .iter()
        .map(|b| record::decode(b).expect("a record"))
        .collect();
    let torso = raws.len() - 2;
    assert_eq!(raws[torso + 1].event.short_name(), "UnitVoided");
    let released = raws
        .iter()
        .find(|raw| raw.event.short_name() == "ReservationReleased");
    let mut lost = released.expect("it happens in the day").clone();
    lost.position = Position(torso as u64 + 1);
    lost.unit_remaining = 1;
    // As if the reservation of the delivered order had been released.
    let hard = hard_order();
    lost.event.data = {
        use prost::Message as _;
        let data = &*lost.event.data;
        let mut event = proto::inventory::v1::ReservationReleased::decode(data).expect("one");
        event.order_id.clone_from(&hard);
        event.encode_to_vec()
    };
    inventory[torso] = Bytes::from(record::encode(&lost));
    let document = export(&history(logs), &options(Selection::Order(hard))).expect("a document");
    let events = events_of(&document.to_text());
    let corrections: Vec<_> = events.iter().filter(|event| is_correction(event)).collect();
    let [void] = corrections[..] else {
        panic!(
            "{} corrections: what did not occur takes nothing back",
            corrections.len()
        );
    };
    assert_eq!(void["bizStep"], "stocking");
    assert_eq!(void["errorDeclaration"]["reason"], "did_not_occur");
    assert_eq!(
        void["errorDeclaration"]["correctiveEventIDs"],
        Value::from(Vec::<Value>::new())
    );
}

#[test]
fn a_time_span_holds_the_records_made_in_it() {
    let all = events(Selection::All);
    let middle = Timestamp(decider::spec::START.0 + 150 * 60_000);
    let before = events(Selection::Recorded {
        from: None,
        to: Some(middle),
    });
    let after = events(Selection::Recorded {
        from: Some(middle),
        to: None,
    });
    assert!(!before.is_empty() && !after.is_empty());
    assert_eq!([before, after].concat(), all);
}

/// Free texts, households and their doors; contacts are not even in these logs.
#[test]
fn nothing_of_a_person_is_in_it() {
    let text = text(Selection::All);
    let texts = [
        "nobody opened",
        "seen at the gate",
        "not needed any more",
        "sacks torn",
    ];
    for word in texts
        .into_iter()
        .chain(["H-1", "H-4", "401", "c-1", "taken in"])
    {
        let found = text.match_indices(word).any(|(at, _)| {
            let around = [
                text[..at].chars().next_back(),
                text[at + word.len()..].chars().next(),
            ];
            around.into_iter().flatten().all(|c| !c.is_alphanumeric())
        });
        assert!(!found, "`{word}` is in the document");
    }
}

#[test]
fn half_a_history_and_unknown_orders_are_refused() {
    let unknown = export(&history(logs()), &options(Selection::Order("O-0".into())));
    assert_eq!(unknown.err(), Some(EpcisError::UnknownOrder("O-0".into())));
    let mut logs = logs();
    let logistics = LogName::new(Service::Logistics, 0);
    logs.get_mut(&logistics).expect("a log")[4] = Bytes::from_static(b"\xff");
    let unreadable = export(&history(logs), &options(Selection::All)).err();
    let at = logistics.at(Position(5));
    assert!(matches!(unreadable, Some(EpcisError::Unreadable { at: found, .. }) if found == at));
}

#[tokio::test]
async fn the_command_writes_a_file_that_was_not_there() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let copies = directory.path().join("logs");
    for (name, records) in logs() {
        let folder = copies.join(format!("{}/{}", name.service, name.partition));
        let (log, _) = SledLog::open(SledOptions::new(folder)).expect("a new log");
        let units = records.into_iter().map(|bytes| Unit(vec![bytes]));
        log.append(units.collect()).expect("appended");
    }
    let out = directory.path().join("deliveries.jsonld");
    let arguments = |order: Option<String>| audit::EpcisArgs {
        source: audit::SourceArgs {
            suite: PathBuf::new(),
            endpoints: vec![],
            logs: Some(copies.clone()),
            streams: None,
            bundle: None,
            client: Default::default(),
        },
        order,
        from: None,
        to: None,
        out: out.clone(),
        base: DEFAULT_BASE.parse().expect("a base"),
        offset: "+08:00".parse().expect("an offset"),
    };
    let run = |args| audit::run(audit::AuditCommand::ExportEpcis(args));
    let unknown = run(arguments(Some("O-0".into()))).await;
    assert!(
        unknown.is_err() && !out.exists(),
        "no file without a document"
    );
    run(arguments(None)).await.expect("exported");
    assert_eq!(
        fs::read_to_string(&out).expect("written"),
        text(Selection::All)
    );
    let again = run(arguments(None)).await;
    assert!(again.is_err(), "what is there is not overwritten");
}
