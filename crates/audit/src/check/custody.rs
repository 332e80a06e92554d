//! INV-03: the chain of custody of every parcel, from the store's word to the
//! household's door. Whoever hands a parcel over must be who has it. On the
//! trunk leg the carrier has what it loaded (`trunk`) until the checkpoint
//! takes it over.

use std::collections::BTreeMap;

use decider::{Invariant, Source};
use proto::{
    AnyEvent, InventoryEvent, LogisticsEvent as E,
    logistics::v1::{Custodian, CustodianKind as Kind, MilestoneReported, ParcelReceived},
};

use super::{Found, trunk::Loads};
use crate::facts::{Fact, Facts};

struct Parcel {
    custodian: Custodian,
    since: Source,
    /// Labels of the bags that the store sent.
    labels: Vec<String>,
    /// Bags on their way in place of others, by label.
    replacements: BTreeMap<String, Custodian>,
}

struct Chains {
    parcels: BTreeMap<String, Parcel>,
    loads: Loads,
    found: Found,
}

pub(crate) fn check(facts: &Facts) -> Found {
    let mut chains = Chains {
        parcels: BTreeMap::new(),
        loads: Loads::default(),
        found: Found::new(Invariant::OneCustodian),
    };
    for (fact, event) in facts.logistics() {
        chains.take(facts, fact, event);
    }
    chains.found
}

impl Chains {
    fn take(&mut self, facts: &Facts, fact: &Fact, event: &E) {
        let at = fact.at;
        let member = |id: &str| of(Kind::Member, id);
        let checkpoint = |id: &str| of(Kind::Checkpoint, id);
        match event {
            E::ParcelExpected(e) => {
                let custodian = e.custodian.clone().unwrap_or_default();
                let labels = e.bags.iter().map(|bag| bag.label.clone());
                self.expected(facts, fact, &e.order_id, custodian, labels.collect());
            }
            E::MilestoneReported(e) => self.loaded(e, at),
            E::ShipmentClosed(e) => self.closed(&e.shipment_id, at),
            E::ReplacementExpected(e) => {
                let label = e.bag.as_ref().map(|bag| bag.label.clone());
                let custodian = e.custodian.clone().unwrap_or_default();
                if let Some(parcel) = self.parcel(&e.order_id, at) {
                    parcel
                        .replacements
                        .insert(label.unwrap_or_default(), custodian);
                }
            }
            E::ParcelReceived(e) => self.received(e, at),
            E::RunStarted(e) => {
                for order_id in &e.order_ids {
                    let from = checkpoint(&e.checkpoint_id);
                    self.hand_over(order_id, &from, member(&e.member_id), at);
                }
            }
            E::GoodsPlaced(e) => self.holds(&e.order_id, &member(&e.member_id), at),
            E::AttemptFailed(e) => self.holds(&e.order_id, &member(&e.member_id), at),
            E::DoorLeft(e) => {
                let to = of(Kind::Household, &e.household_id);
                self.hand_over(&e.order_id, &member(&e.member_id), to, at);
            }
            E::ParcelHeld(e) => {
                let to = checkpoint(&e.checkpoint_id);
                self.hand_over(&e.order_id, &member(&e.member_id), to, at);
            }
            E::ParcelReturned(e) => self.back_to_store(&e.order_id, at, &[Kind::Checkpoint]),
            E::ParcelWithdrawn(e) => {
                self.back_to_store(&e.order_id, at, &[Kind::Checkpoint, Kind::Carrier]);
            }
            _ => self.loads.take(event),
        }
    }

    /// On the trunk leg: from who has the goods at the origin to the carrier.
    /// An order of which every bag stayed behind stays, too.
    fn loaded(&mut self, event: &MilestoneReported, at: Source) {
        let Some((holder, order_ids, behind)) = self.loads.loading(event) else {
            return;
        };
        for order_id in order_ids {
            let stays = self.parcels.get(&order_id).is_some_and(|parcel| {
                !parcel.labels.is_empty() && parcel.labels.iter().all(|l| behind.contains(l))
            });
            if !stays {
                let (from, to) = (
                    of(Kind::Carrier, &holder),
                    of(Kind::Carrier, &event.carrier_id),
                );
                self.loads.has(&event.shipment_id, &order_id);
                self.hand_over(&order_id, &from, to, at);
            }
        }
    }

    /// When a shipment is closed its carrier has nothing of it any more.
    fn closed(&mut self, shipment_id: &str, at: Source) {
        for (order_id, carrier_id) in self.loads.carried(shipment_id) {
            let carrier = of(Kind::Carrier, &carrier_id);
            let Some(parcel) = self.parcel(&order_id, at) else {
                continue;
            };
            if parcel.custodian == carrier {
                let detail =
                    format!("shipment {shipment_id} was closed at {at}, and {carrier_id} has it");
                self.found.violated(format!("parcel/{order_id}"), detail);
            }
        }
    }

    /// The parcel, or the fault that nobody ever had it.
    fn parcel(&mut self, order_id: &str, at: Source) -> Option<&mut Parcel> {
        self.found.facts += 1;
        if !self.parcels.contains_key(order_id) {
            let detail = format!("handled at {at}, but nobody ever sent it");
            self.found.violated(format!("parcel/{order_id}"), detail);
        }
        self.parcels.get_mut(order_id)
    }

    fn expected(
        &mut self,
        facts: &Facts,
        fact: &Fact,
        id: &str,
        custodian: Custodian,
        labels: Vec<String>,
    ) {
        let at = fact.at;
        self.found.facts += 1;
        let mut violated = |detail| self.found.violated(format!("parcel/{id}"), detail);
        if let Some(parcel) = self.parcels.get(id) {
            return violated(format!(
                "sent again at {at} while {} has had it since {}",
                name(&parcel.custodian),
                parcel.since
            ));
        }
        let sent = facts.cause(fact).and_then(|cause| match &cause.event {
            AnyEvent::Inventory(InventoryEvent::OrderDispatched(e)) if e.order_id == id => Some(e),
            _ => None,
        });
        match sent {
            None => violated(format!("expected at {at}, but the store did not send it")),
            Some(sent) if sent.custodian_id != custodian.id => violated(format!(
                "the store gave it to {}, and {at} expects it from {}",
                sent.custodian_id,
                name(&custodian)
            )),
            Some(_) => {}
        }
        self.parcels.insert(
            id.to_owned(),
            Parcel {
                custodian,
                since: at,
                labels,
                replacements: BTreeMap::new(),
            },
        );
    }

    fn received(&mut self, event: &ParcelReceived, at: Source) {
        let (Some(from), Some(to)) = (&event.from, &event.to) else {
            let detail = format!("received at {at} without both sides being named");
            let entity = format!("parcel/{}", event.order_id);
            return self.found.violated(entity, detail);
        };
        // Labels of bags that come in place of others.
        let known = self.parcels.get(&event.order_id);
        let labels = event.accepted_labels.iter();
        let labels = labels.chain(event.exceptions.iter().map(|e| &e.label));
        let coming: Vec<(String, Custodian)> = labels
            .filter_map(|label| {
                let custodian = known?.replacements.get(label)?;
                Some((label.clone(), custodian.clone()))
            })
            .collect();
        if coming.is_empty() {
            return self.hand_over(&event.order_id, from, to.clone(), at);
        }
        let Some(parcel) = self.parcel(&event.order_id, at) else {
            return;
        };
        let mut faults = Vec::new();
        for (label, custodian) in coming {
            parcel.replacements.remove(&label);
            if custodian != *from {
                faults.push(format!(
                    "{} handed bag {label} over at {at} while {} had it",
                    name(from),
                    name(&custodian)
                ));
            }
        }
        if parcel.custodian != *to {
            faults.push(format!(
                "a bag was received for {} at {at}, but {} has the parcel",
                name(to),
                name(&parcel.custodian)
            ));
        }
        for fault in faults {
            let entity = format!("parcel/{}", event.order_id);
            self.found.violated(entity, fault);
        }
    }

    fn holds(&mut self, order_id: &str, who: &Custodian, at: Source) {
        self.hand_over(order_id, who, who.clone(), at);
    }

    fn hand_over(&mut self, order_id: &str, from: &Custodian, to: Custodian, at: Source) {
        let Some(parcel) = self.parcel(order_id, at) else {
            return;
        };
        let before = std::mem::replace(&mut parcel.custodian, to.clone());
        let since = std::mem::replace(&mut parcel.since, at);
        if before != *from {
            let detail = format!(
                "{} handed it over to {} at {at}, but {} has had it since {since}",
                name(from),
                name(&to),
                name(&before)
            );
            self.found.violated(format!("parcel/{order_id}"), detail);
        }
    }

    fn back_to_store(&mut self, order_id: &str, at: Source, from: &[Kind]) {
        let Some(parcel) = self.parcel(order_id, at) else {
            return;
        };
        let before = std::mem::replace(&mut parcel.custodian, of(Kind::Store, "store"));
        parcel.since = at;
        if !from.contains(&before.kind()) {
            let detail = format!(
                "it went back to the store at {at} while {} had it",
                name(&before)
            );
            self.found.violated(format!("parcel/{order_id}"), detail);
        }
    }
}

fn of(kind: Kind, id: &str) -> Custodian {
    Custodian {
        kind: kind.into(),
        id: id.to_owned(),
    }
}

/// `carrier/c-1`.
fn name(custodian: &Custodian) -> String {
    let kind = custodian.kind().as_str_name();
    let kind = kind.trim_start_matches("CUSTODIAN_KIND_");
    format!("{}/{}", kind.to_ascii_lowercase(), custodian.id)
}
