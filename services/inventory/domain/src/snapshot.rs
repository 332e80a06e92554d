//! The state as it is written: its entities in the order of their ids, each
//! once. Shelves, lists of doors, timers and sort keys are made anew on
//! reading.

use std::{collections::BTreeMap, sync::Arc};

use decider::{Area, Violation};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    demand::Demand,
    door::sort_key,
    lot::Lot,
    state::{Book, State},
    surplus::Surplus,
};

#[derive(Serialize)]
struct Written<'a> {
    lots: Vec<&'a Lot>,
    demands: Vec<&'a Demand>,
    books: &'a BTreeMap<Area, Book>,
    surplus: &'a Surplus,
    misfits: &'a [Violation],
    misfit_count: u64,
}

#[derive(Deserialize)]
struct Read {
    lots: Vec<Lot>,
    demands: Vec<Demand>,
    books: BTreeMap<Area, Book>,
    surplus: Surplus,
    misfits: Vec<Violation>,
    misfit_count: u64,
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written {
            lots: self.lots.values().collect(),
            demands: self.demands.values().collect(),
            books: &self.books,
            surplus: &self.surplus,
            misfits: &self.misfits,
            misfit_count: self.misfit_count,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Read::deserialize(deserializer)?;
        let mut state = Self {
            books: read.books,
            surplus: read.surplus,
            misfits: read.misfits,
            misfit_count: read.misfit_count,
            ..Self::default()
        };
        for (area, book) in &state.books {
            state.timers.extend(book.timer.map(|at| (at, area.clone())));
        }
        for lot in read.lots {
            if let Some(book) = state.books.get_mut(&lot.area) {
                book.shelve(&lot);
            }
            state.lots.insert(lot.lot_id.clone(), lot);
        }
        for mut demand in read.demands {
            demand.door_key = sort_key(demand.door.as_ref());
            if let Some(book) = state.books.get_mut(&demand.area) {
                book.list(&demand);
            }
            state.demands.insert(Arc::clone(&demand.order_id), demand);
        }
        Ok(state)
    }
}
