//! The same for the contacts of a shipment's stops.

use std::collections::BTreeSet;

use logistics_domain::LOAD_PICKUPS_MAX;
use proto::logistics::v1::{Load, StopContact};
use service_kit::fields::Fields;
use tonic::Status;

use super::SERVICE;

const NAME_MAX: usize = 100;
const PHONE_MAX: usize = 20;

/// One for a stop; with a load, of its stops.
pub fn contacts(contacts: &[StopContact], load: Option<&Load>) -> Result<Vec<StopContact>, Status> {
    let mut fields = Fields::new();
    fields.list("contacts", contacts, 0..=LOAD_PICKUPS_MAX + 1);
    let mut named = BTreeSet::new();
    let mut parsed = Vec::new();
    for (n, contact) in contacts.iter().take(LOAD_PICKUPS_MAX + 1).enumerate() {
        let at = format!("contacts[{n}]");
        let stop = format!("{at}.stop_id");
        let stop_id = fields.optional_code(&stop, &contact.stop_id);
        let stop_id = stop_id.unwrap_or_default();
        let known = load.is_none_or(|load| load.pickups.iter().any(|p| p.stop_id == stop_id));
        fields.check(stop_id.is_empty() || known, &stop, "is no stop of the load");
        fields.check(
            named.insert(stop_id.clone()),
            &stop,
            "has a contact already",
        );
        let phone = &contact.phone;
        let sign = |c: char| c.is_ascii_digit() || " +-".contains(c);
        // What it is must not get into an answer.
        fields.check(
            phone.chars().all(sign),
            &format!("{at}.phone"),
            "has other signs than digits, spaces, + and -",
        );
        parsed.push(StopContact {
            stop_id,
            name: fields.sealed_text(&format!("{at}.name"), &contact.name, 1..=NAME_MAX),
            phone: fields.sealed_text(&format!("{at}.phone"), phone, 3..=PHONE_MAX),
        });
    }
    fields.finish(SERVICE)?;
    Ok(parsed)
}

pub fn shipment_id(id: &str) -> Result<String, Status> {
    let mut fields = Fields::new();
    let id = fields.code("shipment_id", id);
    fields.finish(SERVICE)?;
    Ok(id)
}
