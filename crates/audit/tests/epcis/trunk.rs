//! A day in which a carrier brings goods to the gate.

use audit::epcis::{Selection, export};
use serde_json::Value;

use crate::{events_of, history, logs_of, options};

fn party<'a>(event: &'a Value, list: &str, end: &str) -> &'a str {
    let party = &event[list][0][end];
    party.as_str().unwrap_or_else(|| panic!("{event:#}"))
}

#[test]
fn the_carrier_possesses_what_it_loaded_until_the_gate_has_it() {
    let document = export(&history(logs_of(6)), &options(Selection::All));
    let events = events_of(&document.expect("a document").to_text());
    let loaded = events
        .iter()
        .filter(|event| event["bizStep"] == "loading" && event["type"] == "ObjectEvent");
    let loaded: Vec<&Value> = loaded.collect();
    assert_eq!(loaded.len(), 2, "two orders");
    for event in &loaded {
        assert!(
            party(event, "sourceList", "source").ends_with(".group%2D9")
                || party(event, "sourceList", "source").ends_with(".group-9")
        );
        assert!(party(event, "destinationList", "destination").ends_with(".dray"));
        let kinds = event["bizTransactionList"].as_array().expect("a list");
        assert!(
            kinds
                .iter()
                .any(|kind| kind["bizTransaction"].to_string().contains("shipment."))
        );
    }
    // The gate has the parcels from the carrier.
    let parcels: Vec<&Value> = loaded.iter().map(|event| &event["epcList"][0]).collect();
    let received = events
        .iter()
        .filter(|event| event["bizStep"] == "receiving" && parcels.contains(&&event["parentID"]));
    let received: Vec<&Value> = received.collect();
    assert_eq!(received.len(), 2);
    for event in received {
        assert!(
            party(event, "sourceList", "source").ends_with(".dray"),
            "{event:#}"
        );
    }
}
