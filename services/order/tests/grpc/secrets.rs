//! INV-15: names, telephone numbers and addresses are nowhere in clear, neither
//! in the event log nor in the streams.

use std::{fs, path::Path};

use bus::StreamName;
use proto::order::v1::{Contact, RegisterHouseholdRequest};

use crate::{
    ask,
    desk::{Desk, ok},
};

/// Not personal, so that it shows whether a search would have found anything.
const HOUSEHOLD: &str = "H-PLANTED-ID-4711";
const NAME: &str = "益西·PlantedName";
const PHONE: &str = "86139474711474";
const ADDRESS: &str = "植入路 PlantedStreet 47";
const EMAIL: &str = "planted.mail@example.org";
const OTHER_PHONE: &str = "86138114747110";

/// Files below a folder that hold the text, byte by byte.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else {
            let bytes = fs::read(&path).expect("readable");
            let text = text.as_bytes();
            if bytes.windows(text.len()).any(|window| window == text) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[tokio::test]
async fn nothing_personal_lies_in_clear_in_the_log_or_in_the_stream() {
    let mut desk = Desk::start().await;
    let contact = Contact {
        name: NAME.into(),
        phone: format!("+{PHONE}"),
        address: ADDRESS.into(),
        email: EMAIL.into(),
    };
    let registered = RegisterHouseholdRequest {
        contact: Some(contact.clone()),
        ..ask::register(HOUSEHOLD)
    };
    ok(desk.client.register_household(registered.clone()).await);
    let mut update = ask::update("update", HOUSEHOLD, &[]);
    update.contact = Some(Contact {
        phone: OTHER_PHONE.into(),
        ..contact
    });
    ok(desk.client.update_household(update).await);
    // A digest of a request is kept; a refused one leaves nothing.
    let other = RegisterHouseholdRequest {
        people: 4,
        ..registered
    };
    desk.client
        .register_household(other)
        .await
        .expect_err("reused");
    let placed = ok(desk
        .client
        .place_order(ask::place("place", HOUSEHOLD))
        .await);

    // In the stream, too, before everything is stopped.
    let bus = desk.bus().await;
    let mut stream = bus.subscribe(StreamName::new("order", 0), placed.position);
    let relayed = stream.next().await.expect("a stream");
    assert_eq!(relayed[0].sequence, placed.position);
    drop(stream);
    desk.stop().await;
    desk.nats.stop();

    for folder in ["data", "nats"] {
        let folder = desk.directory.path().join(folder);
        assert_ne!(holding(&folder, HOUSEHOLD), [""; 0], "nothing can be found");
        let surname = NAME.split_once('·').expect("two parts").0;
        for personal in [NAME, surname, PHONE, OTHER_PHONE, ADDRESS, EMAIL] {
            assert_eq!(holding(&folder, personal), [""; 0], "{personal}");
        }
    }
}
