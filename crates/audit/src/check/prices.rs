//! INV-14: a price above the cap that is in force is spoken of, before
//! anything is proposed at that price.

use std::collections::{BTreeMap, BTreeSet};

use decider::{Area, Invariant};
use proto::InventoryEvent as E;

use super::Found;
use crate::facts::Facts;

pub(crate) fn check(facts: &Facts) -> Found {
    let mut found = Found::new(Invariant::PriceCapSpeaks);
    let mut caps = BTreeMap::<(&Area, &str), i64>::new();
    let mut products = BTreeMap::<&str, &str>::new();
    // Listing, price, cap.
    let mut spoken = BTreeSet::<(&str, i64, i64)>::new();
    let mut to_be_spoken = BTreeMap::new();
    for (fact, event) in facts.inventory() {
        let area = &fact.record.area;
        let cap = |product_id: &str| caps.get(&(area, product_id)).copied();
        match event {
            E::ReferencePriceSet(e) => {
                caps.insert((area, &e.product_id), e.cap_fen_per_kg);
            }
            E::PriceCapBreached(e) => {
                spoken.insert((&e.listing_id, e.price_fen_per_kg, e.cap_fen_per_kg));
            }
            // In the same breath.
            E::SurplusListed(e) => {
                products.insert(&e.listing_id, &e.product_id);
                found.facts += 1;
                if let Some(cap) = cap(&e.product_id).filter(|cap| e.asking_fen_per_kg > *cap) {
                    let key = (e.listing_id.as_str(), e.asking_fen_per_kg, cap);
                    to_be_spoken.insert(key, fact.at);
                }
            }
            E::SurplusChanged(e) => {
                found.facts += 1;
                let product_id = products.get(e.listing_id.as_str()).copied();
                let cap = product_id.and_then(cap);
                if let Some(cap) = cap.filter(|cap| e.asking_fen_per_kg > *cap) {
                    let key = (e.listing_id.as_str(), e.asking_fen_per_kg, cap);
                    to_be_spoken.insert(key, fact.at);
                }
            }
            E::MatchProposed(e) => {
                found.facts += 1;
                let price = e.price_fen_per_kg;
                let above = cap(&e.product_id).filter(|cap| price > *cap);
                let silent = |cap: &i64| !spoken.contains(&(&*e.listing_id, price, *cap));
                if let Some(cap) = above.filter(silent) {
                    let detail = format!(
                        "proposed at {price} fen/kg at {}, the cap is {cap}, and nothing says so",
                        fact.at
                    );
                    found.violated(format!("match/{}", e.match_id), detail);
                }
            }
            _ => {}
        }
    }
    for ((listing_id, price, cap), at) in to_be_spoken {
        if !spoken.contains(&(listing_id, price, cap)) {
            let detail =
                format!("listed at {price} fen/kg at {at}, the cap is {cap}, and nothing says so");
            found.violated(format!("listing/{listing_id}"), detail);
        }
    }
    found
}
