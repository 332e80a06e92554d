//! The state as it is written: its entities in the order of their ids, each
//! once. Shelves, lists, deadlines and sort keys are made anew on reading.

use std::sync::Arc;

use decider::table::Table;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    checkpoint::Checkpoint,
    custody::Faults,
    door::DoorKey,
    freight::{Carrier, Pass, Shipment, Webhook},
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
    shipments: Vec<&'a Shipment>,
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
    shipments: Vec<Shipment>,
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
            carriers: self.freight.carriers.values().collect(),
            passes: self.freight.passes.values().collect(),
            shipments: self.freight.shipments.values().collect(),
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
        let carriers = read.carriers.into_iter();
        freight.carriers = carriers.map(|c| (c.carrier_id.clone(), c)).collect();
        let passes = read.passes.into_iter();
        freight.passes = passes.map(|p| (p.pass_id.clone(), p)).collect();
        let shipments = read.shipments.into_iter();
        freight.shipments = shipments.map(|s| (s.shipment_id.clone(), s)).collect();
        let webhooks = read.webhooks.into_iter();
        freight.webhooks = webhooks.map(|w| (w.webhook_id.clone(), w)).collect();
        freight.set_deadlines();
        Ok(state)
    }
}
