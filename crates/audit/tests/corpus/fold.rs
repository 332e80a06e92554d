//! To which state a log folds, as one digest.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use decider::{Domain, Service, StreamId};
use inventory_domain::Stock;
use logistics_domain::Logistics;
use notification_domain::Notifications;
use order_domain::Orders;
use proto::{
    record,
    unit::{Taken, Units},
};
use sha2::{Digest, Sha256};

use crate::{corpus, town::Town};

pub const RUNTIME_PREFIX: &str = "baogong.log.v1.";

/// The digest of a state: of all that its domain tells of it, for each entity
/// that has a stream. The one place where it is said what is compared.
fn digest<D: Domain>(state: &D::State, streams: &BTreeSet<StreamId>) -> String {
    let mut told = String::new();
    for stream in streams {
        let line = D::describe(state, stream).unwrap_or_else(|| "not known".into());
        told += &format!("{stream}: {line}\n");
    }
    for violation in D::violations(state) {
        told += &format!("{violation:?}\n");
    }
    told += &format!("next timer: {:?}\n", D::next_due(state).map(|at| at.0));
    corpus::to_hex(&Sha256::digest(told))
}

pub fn digest_of_log(service: Service, records: &[Bytes]) -> String {
    match service {
        Service::Order => fold::<Orders>(records),
        Service::Inventory => fold::<Stock>(records),
        Service::Logistics => fold::<Logistics>(records),
        Service::Notification => fold::<Notifications>(records),
    }
}

fn fold<D: Domain>(records: &[Bytes]) -> String {
    let mut units = Units::default();
    let mut state = D::State::default();
    let mut streams = BTreeSet::new();
    for bytes in records {
        let raw = record::decode(bytes).expect("a record");
        let taken = units.take(raw).expect("whole units, or void ones");
        let Taken::Whole(unit) = taken else { continue };
        for raw in unit {
            if raw.event.type_name.starts_with(RUNTIME_PREFIX) {
                continue;
            }
            let record = record::decode_event::<D::Event>(raw).expect("an event of the service");
            streams.insert(record.stream.clone());
            D::evolve(&mut state, &record);
        }
    }
    digest::<D>(&state, &streams)
}

/// Of the states that the machines of a town hold.
pub fn digests_of_town(town: &Town) -> BTreeMap<Service, String> {
    let streams: BTreeMap<Service, BTreeSet<StreamId>> = town
        .logs()
        .map(|(name, records)| {
            let raws = records
                .iter()
                .map(|bytes| record::decode(bytes).expect("ours"));
            let raws = raws.filter(|raw| !raw.event.type_name.starts_with(RUNTIME_PREFIX));
            (name.service, raws.map(|raw| raw.stream).collect())
        })
        .collect();
    BTreeMap::from([
        (
            Service::Order,
            digest::<Orders>(town.order.state(), &streams[&Service::Order]),
        ),
        (
            Service::Inventory,
            digest::<Stock>(town.inventory.state(), &streams[&Service::Inventory]),
        ),
        (
            Service::Logistics,
            digest::<Logistics>(town.logistics.state(), &streams[&Service::Logistics]),
        ),
        (
            Service::Notification,
            digest::<Notifications>(town.notification.state(), &streams[&Service::Notification]),
        ),
    ])
}
