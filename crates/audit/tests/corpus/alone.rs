//! Of which entities a domain tells the same when it knows their own records
//! alone.

use std::collections::{BTreeMap, BTreeSet};

use audit::folds_alone;
use bytes::Bytes;
use decider::{Domain, EventSet, Revision, Service, StreamId};
use inventory_domain::Stock;
use logistics_domain::Logistics;
use notification_domain::Notifications;
use order_domain::Orders;
use proto::{
    NotificationEvent,
    notification::v1::ContactCadreChanged,
    record::{self, Encoded, Raw},
    unit::{Taken, Units},
};

use crate::{corpus::Corpus, fold::RUNTIME_PREFIX};

/// Categories, and whether an entity of it was ever told differently.
type Categories = BTreeMap<(Service, String), BTreeSet<String>>;

/// After each record the state of the whole log is asked about every
/// entity that it has by then, and each entity's own state about it.
fn compare<D: Domain>(records: &[Bytes], categories: &mut Categories) {
    let mut units = Units::default();
    let mut whole = D::State::default();
    let mut alone = BTreeMap::<StreamId, D::State>::new();
    for bytes in records {
        let raw = record::decode(bytes).expect("a record");
        let taken = units.take(raw).expect("whole units, or void ones");
        let Taken::Whole(unit) = taken else { continue };
        for raw in unit {
            if raw.event.type_name.starts_with(RUNTIME_PREFIX) {
                continue;
            }
            let record = record::decode_event::<D::Event>(raw).expect("an event of the service");
            D::evolve(&mut whole, &record);
            D::evolve(alone.entry(record.stream.clone()).or_default(), &record);
            note::<D>(&whole, &alone, categories);
        }
    }
}

/// A household that waits for a message gets another cadre, with whom its open
/// notifications go. The days of the histories have no such moment.
fn another_cadre(records: &[Bytes]) -> [Bytes; 2] {
    let raws = records.iter().map(|bytes| record::decode(bytes));
    let mut raws = raws.map(|raw| raw.expect("a record"));
    let is_first = |raw: &Raw| raw.event.short_name() == "NotificationRequested";
    let mut requested = raws.find(is_first).expect("somebody is messaged");
    let (name, data) = (&requested.event.type_name, &requested.event.data);
    let Ok(NotificationEvent::NotificationRequested(event)) = NotificationEvent::decode(name, data)
    else {
        panic!("{name} is no request");
    };
    let changed: NotificationEvent = ContactCadreChanged {
        household_id: event.household_id,
        cadre_id: "another".into(),
    }
    .into();
    requested.unit_remaining = 0;
    let mut change = requested.clone();
    change.position = requested.position.next();
    change.stream = changed.stream();
    change.revision = Revision(1);
    change.event = Encoded::from(&changed);
    [&requested, &change].map(|raw| record::encode(raw).into())
}

fn note<D: Domain>(
    whole: &D::State,
    alone: &BTreeMap<StreamId, D::State>,
    categories: &mut Categories,
) {
    for (stream, own) in alone {
        let category = (D::SERVICE, stream.category().to_owned());
        let different = categories.entry(category).or_default();
        let (by_whole, by_own) = (D::describe(whole, stream), D::describe(own, stream));
        if by_whole != by_own && different.len() < 3 {
            different.insert(format!("{stream}: {by_whole:?}, alone {by_own:?}"));
        }
    }
}

#[test]
fn exactly_those_that_are_folded_alone_are_told_alike() {
    let corpus = Corpus::read();
    let mut categories = Categories::new();
    for (name, log) in &corpus.histories {
        match name.service() {
            Service::Order => compare::<Orders>(&log.records, &mut categories),
            Service::Inventory => compare::<Stock>(&log.records, &mut categories),
            Service::Logistics => compare::<Logistics>(&log.records, &mut categories),
            Service::Notification => {
                compare::<Notifications>(&log.records, &mut categories);
                compare::<Notifications>(&another_cadre(&log.records), &mut categories);
            }
        }
    }
    for ((service, category), different) in &categories {
        assert_eq!(
            folds_alone(*service, category),
            different.is_empty(),
            "{service} {category}: {different:#?}"
        );
    }
    // Nothing is left out: every category that a service's events have.
    let streams = corpus.samples.values().filter_map(|sample| {
        let raw = record::decode(&sample.bytes).expect("a record");
        let service = crate::corpus::service_of(&raw.event.type_name)?;
        Some((service, raw.stream.category().to_owned()))
    });
    let missing: Vec<_> = streams.filter(|s| !categories.contains_key(s)).collect();
    assert!(missing.is_empty(), "no history has {missing:?}");
}
