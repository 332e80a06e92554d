//! The state as it is written: its entities in the order of their ids, each
//! once. Shelves, lists, deadlines and sort keys are made anew on reading.

use std::{collections::BTreeMap, sync::Arc};

use decider::{Timestamp, store::Store, table::Table};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    access::Access,
    checkpoint::Checkpoint,
    custody::Faults,
    door::DoorKey,
    freight::{Carrier, Goods, Pass, Route, Shipment, Webhook, hold, match_load::MatchLoad},
    member::Member,
    parcel::Parcel,
    run::Run,
    state::State,
};

#[derive(Serialize)]
struct Written<'a> {
    checkpoints: Vec<&'a Checkpoint>,
    members: Vec<&'a Member>,
    parcels: &'a Table<Parcel>,
    runs: Vec<&'a Run>,
    faults: &'a Faults,
    carriers: Vec<&'a Carrier>,
    passes: Vec<&'a Pass>,
    shipments: &'a Store<Shipment>,
    accesses: Vec<(&'a Access, Timestamp)>,
    routes: Vec<&'a Route>,
    goods: Vec<&'a Goods>,
    match_loads: Vec<&'a MatchLoad>,
    webhooks: Vec<&'a Webhook>,
}

#[derive(Deserialize)]
struct Read {
    checkpoints: Vec<Checkpoint>,
    members: Vec<Member>,
    parcels: Vec<Parcel>,
    runs: Vec<Run>,
    faults: Faults,
    carriers: Vec<Carrier>,
    passes: Vec<Pass>,
    shipments: Store<Shipment>,
    accesses: Vec<(Access, Timestamp)>,
    routes: Vec<Route>,
    goods: Vec<Goods>,
    match_loads: Vec<MatchLoad>,
    webhooks: Vec<Webhook>,
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written {
            checkpoints: self.checkpoints.values().collect(),
            members: self.members.values().collect(),
            parcels: &self.parcels,
            runs: self.runs.values().collect(),
            faults: &self.faults,
            carriers: self
                .freight
                .carriers
                .values()
                .flat_map(BTreeMap::values)
                .collect(),
            passes: self.freight.passes.values().collect(),
            shipments: &self.freight.shipments,
            accesses: self.accesses.all().collect(),
            routes: self.freight.routes.values().collect(),
            goods: self.freight.goods.all.values().collect(),
            match_loads: self.freight.match_loads.loads.values().collect(),
            webhooks: self.freight.webhooks.values().collect(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Read::deserialize(deserializer)?;
        let mut state = Self {
            faults: read.faults,
            ..Self::default()
        };
        for checkpoint in read.checkpoints {
            let id = checkpoint.checkpoint_id.clone();
            state.checkpoints.insert(id, checkpoint);
        }
        for mut member in read.members {
            let shifts = member.shifts.values();
            member.shift_starts = shifts.map(|s| (s.shift_id.clone(), s.starts)).collect();
            state.members.insert(member.member_id.clone(), member);
        }
        for mut parcel in read.parcels {
            parcel.door = state.doors.get(&parcel.door);
            parcel.key = Arc::new(DoorKey::new(parcel.door.clone(), parcel.order_id.clone()));
            for name in [
                &mut parcel.household_id,
                &mut parcel.cadre_id,
                &mut parcel.load_id,
                &mut parcel.checkpoint_id,
                &mut parcel.run_id,
                &mut parcel.received_from,
                &mut parcel.custodian.id,
            ] {
                state.names.share(name);
            }
            state.add_parcel(parcel);
        }
        for mut run in read.runs {
            if let Some((at, _)) = run.deadline {
                state.deadlines.insert((at, run.run_id.clone()));
            }
            for stop in &mut run.stops {
                if let Some(parcel) = state.parcels.get(stop.order_id.as_str()) {
                    stop.order_id = parcel.order_id.clone();
                }
                stop.door = stop.door.as_ref().map(|door| state.doors.get(door));
            }
            state.add_run(run);
        }
        let freight = &mut state.freight;
        for carrier in read.carriers {
            let all = freight.carriers.entry(carrier.area.clone()).or_default();
            all.insert(carrier.carrier_id.clone(), carrier);
        }
        let passes = read.passes.into_iter();
        freight.passes = passes.map(|p| (p.pass_id.clone(), p)).collect();
        freight.shipments = read.shipments;
        for shipment in freight.shipments.iter() {
            hold(&mut freight.held, &shipment, None);
        }
        let routes = read.routes.into_iter();
        freight.routes = routes.map(|r| (r.route_id.clone(), r)).collect();
        for load in read.match_loads {
            freight.match_loads.insert(load);
        }
        let webhooks = read.webhooks.into_iter();
        freight.webhooks = webhooks.map(|w| (w.webhook_id.clone(), w)).collect();
        freight.set_deadlines();
        freight.set_photos();
        freight.set_keys_owed();
        for goods in read.goods {
            freight.add_goods(goods);
        }
        for (access, at) in read.accesses {
            state.accesses.note(access, at);
        }
        Ok(state)
    }
}
