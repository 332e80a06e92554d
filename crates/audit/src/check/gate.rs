//! INV-04: every parcel on a run that started had been disinfected at the
//! checkpoint after the last of its bags came in.

use std::collections::BTreeMap;

use decider::{Invariant, Source};
use proto::LogisticsEvent as E;

use super::Found;
use crate::facts::Facts;

pub(crate) fn check(facts: &Facts) -> Found {
    let mut found = Found::new(Invariant::DisinfectedBeforeLeaving);
    let mut disinfected = BTreeMap::<&str, Source>::new();
    for (fact, event) in facts.logistics() {
        match event {
            E::ParcelReceived(e) => {
                disinfected.remove(e.order_id.as_str());
            }
            E::ParcelDisinfected(e) => {
                disinfected.insert(&e.order_id, fact.at);
            }
            E::RunStarted(e) => {
                for order_id in &e.order_ids {
                    found.facts += 1;
                    if !disinfected.contains_key(order_id.as_str()) {
                        let detail = format!(
                            "left checkpoint {} on run {} at {} without a disinfection before",
                            e.checkpoint_id, e.run_id, fact.at
                        );
                        found.violated(format!("parcel/{order_id}"), detail);
                    }
                }
            }
            _ => {}
        }
    }
    found
}
