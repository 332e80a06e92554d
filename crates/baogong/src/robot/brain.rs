//! What a robot decides: which tenders it takes, and which vehicle it names.
//! No I/O, clock or chance: the same messages lead to the same acts.

use std::collections::BTreeMap;

use proto::logistics::v1::{
    DeclineReason, Load, Pass, PassState, Shipment, ShipmentState, WatchTendersResponse,
    watch_tenders_response::Update,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Rig;

/// How a firm answers. Tenders are counted from 1, in the order in which the
/// firm was asked; those of rounds that are over count too.
#[derive(Debug, Clone, Default)]
pub struct Temper {
    /// Tenders that it declines.
    pub declines: Vec<u64>,
    /// Tenders that it leaves without an answer.
    pub ignores: Vec<u64>,
    /// Of the others it declines so many in a hundred, drawn from the seed.
    pub decline_percent: u8,
    pub seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accept,
    Decline(DeclineReason),
    Silence,
}

impl Temper {
    fn answer(&self, number: u64) -> Answer {
        if self.ignores.contains(&number) {
            return Answer::Silence;
        }
        if self.declines.contains(&number) {
            return Answer::Decline(DeclineReason::TimeWindow);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(number);
        if rng.random_range(0..100) < self.decline_percent {
            return Answer::Decline(DeclineReason::NoCapacity);
        }
        Answer::Accept
    }
}

/// Something to ask of the suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    Accept {
        shipment_id: String,
        round: i32,
    },
    Decline {
        shipment_id: String,
        round: i32,
        reason: DeclineReason,
    },
    /// After the acceptance, with the pass of the vehicle and its driver.
    Assign {
        shipment_id: String,
        round: i32,
        rig: Rig,
        pass_id: String,
    },
}

#[derive(Debug, Clone)]
struct Tender {
    number: u64,
    round: i32,
    weight_grams: i64,
    load: Option<Load>,
    /// It is still this firm's.
    open: bool,
    answered: bool,
}

/// What the firm knows.
#[derive(Debug)]
pub struct Brain {
    rigs: Vec<Rig>,
    temper: Temper,
    /// Issued, by vehicle and driver.
    passes: BTreeMap<(String, String), String>,
    /// By shipment, the latest.
    tenders: BTreeMap<String, Tender>,
    asked: u64,
    cursor: u64,
}

impl Brain {
    #[must_use]
    pub const fn new(rigs: Vec<Rig>, temper: Temper) -> Self {
        Self {
            rigs,
            temper,
            passes: BTreeMap::new(),
            tenders: BTreeMap::new(),
            asked: 0,
            cursor: 0,
        }
    }

    /// The last message that was dealt with.
    #[must_use]
    pub const fn cursor(&self) -> u64 {
        self.cursor
    }

    /// How often it was asked.
    #[must_use]
    pub const fn asked(&self) -> u64 {
        self.asked
    }

    /// Takes a message in; one that came before changes nothing.
    pub fn note(&mut self, message: &WatchTendersResponse) {
        match &message.update {
            Some(Update::Heartbeat(_)) | None => return,
            Some(_) if message.cursor <= self.cursor => return,
            Some(Update::Tendered(shipment)) => self.tendered(shipment),
            Some(Update::Ended(end)) => {
                if let Some(tender) = self.tenders.get_mut(&end.shipment_id)
                    && tender.round == end.round
                {
                    tender.open = false;
                }
            }
            Some(Update::Pass(pass)) => self.note_pass(pass),
            // It looks at its loads itself.
            Some(Update::Shipment(_)) => {}
        }
        self.cursor = message.cursor;
    }

    fn tendered(&mut self, shipment: &Shipment) {
        self.asked += 1;
        let mut tender = Tender {
            number: self.asked,
            round: shipment.round,
            weight_grams: shipment.weight_grams,
            load: shipment.load.clone(),
            // A round that is over comes without its load.
            open: shipment.load.is_some(),
            answered: false,
        };
        let under_way = !matches!(
            shipment.state(),
            ShipmentState::Tendered | ShipmentState::Accepted
        );
        tender.answered = tender.open && under_way;
        self.tenders.insert(shipment.shipment_id.clone(), tender);
    }

    /// Of a shipment that it was asked about.
    #[must_use]
    pub fn load(&self, shipment_id: &str) -> Option<&Load> {
        self.tenders.get(shipment_id)?.load.as_ref()
    }

    /// The shipment is no concern of the firm's any more.
    pub fn forget(&mut self, shipment_id: &str) {
        self.tenders.remove(shipment_id);
    }

    pub fn note_pass(&mut self, pass: &Pass) {
        let key = (pass.vehicle_id.clone(), pass.driver_id.clone());
        if pass.state() == PassState::Issued {
            self.passes.insert(key, pass.pass_id.clone());
        } else if self.passes.get(&key) == Some(&pass.pass_id) {
            self.passes.remove(&key);
        }
    }

    /// What is to be done now, in the order in which it was asked, until
    /// [`Brain::done`] says that it was. A tender for which there is no vehicle
    /// with a pass yet stays open.
    pub fn acts(&mut self) -> Vec<Act> {
        let mut acts = Vec::new();
        let mut open: Vec<(&String, &mut Tender)> = self
            .tenders
            .iter_mut()
            .filter(|(_, tender)| tender.open && !tender.answered)
            .collect();
        open.sort_by_key(|(_, tender)| tender.number);
        for (shipment_id, tender) in open {
            let (shipment_id, round) = (shipment_id.clone(), tender.round);
            match self.temper.answer(tender.number) {
                Answer::Silence => tender.answered = true,
                Answer::Decline(reason) => acts.push(Act::Decline {
                    shipment_id,
                    round,
                    reason,
                }),
                Answer::Accept => {
                    let named = resources(&self.rigs, &self.passes, tender);
                    let Some((rig, pass_id)) = named else {
                        continue;
                    };
                    acts.push(Act::Accept {
                        shipment_id: shipment_id.clone(),
                        round,
                    });
                    acts.push(Act::Assign {
                        shipment_id,
                        round,
                        rig: rig.clone(),
                        pass_id: pass_id.clone(),
                    });
                }
            }
        }
        acts
    }

    /// The tender was answered, with all that belongs to the answer.
    pub fn done(&mut self, shipment_id: &str) {
        if let Some(tender) = self.tenders.get_mut(shipment_id) {
            tender.answered = true;
        }
    }
}

/// Vehicles that can take it and have a pass, by turns.
fn resources<'a>(
    rigs: &'a [Rig],
    passes: &'a BTreeMap<(String, String), String>,
    tender: &Tender,
) -> Option<(&'a Rig, &'a String)> {
    let able: Vec<(&Rig, &String)> = rigs
        .iter()
        .filter(|rig| rig.capacity_grams >= tender.weight_grams)
        .filter_map(|rig| {
            let key = (rig.vehicle_id.clone(), rig.driver_id.clone());
            Some((rig, passes.get(&key)?))
        })
        .collect();
    let turn = usize::try_from(tender.number).unwrap_or(0);
    able.get(turn % able.len().max(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::logistics::v1::TenderEnd;

    fn rig(n: u32, tons: i64) -> Rig {
        Rig {
            vehicle_id: format!("v-{n}"),
            driver_id: format!("d-{n}"),
            capacity_grams: tons * 1_000_000,
        }
    }

    fn pass(cursor: u64, n: u32, state: PassState) -> WatchTendersResponse {
        WatchTendersResponse {
            cursor,
            update: Some(Update::Pass(Pass {
                pass_id: format!("p-{n}"),
                vehicle_id: format!("v-{n}"),
                driver_id: format!("d-{n}"),
                state: state.into(),
                ..Pass::default()
            })),
        }
    }

    fn tender(cursor: u64, id: &str, round: i32, tons: i64) -> WatchTendersResponse {
        WatchTendersResponse {
            cursor,
            update: Some(Update::Tendered(Shipment {
                shipment_id: id.into(),
                round,
                state: ShipmentState::Tendered.into(),
                load: Some(Load::default()),
                weight_grams: tons * 1_000_000,
                ..Shipment::default()
            })),
        }
    }

    fn brain(temper: Temper) -> Brain {
        let mut brain = Brain::new(vec![rig(1, 5), rig(2, 2)], temper);
        brain.note(&pass(1, 1, PassState::Issued));
        brain.note(&pass(2, 2, PassState::Issued));
        brain
    }

    fn named(acts: &[Act]) -> Vec<String> {
        let name = |act: &Act| match act {
            Act::Accept { shipment_id, round } => format!("accept {shipment_id} {round}"),
            Act::Decline { shipment_id, .. } => format!("decline {shipment_id}"),
            Act::Assign {
                shipment_id, rig, ..
            } => {
                format!("assign {} to {shipment_id}", rig.vehicle_id)
            }
        };
        acts.iter().map(name).collect()
    }

    #[test]
    fn it_accepts_and_names_a_vehicle_that_can_take_the_load_once() {
        let mut brain = brain(Temper::default());
        brain.note(&tender(3, "s-1", 1, 4));
        assert_eq!(named(&brain.acts()), ["accept s-1 1", "assign v-1 to s-1"]);
        // Until it is done it is to be done, whatever went wrong.
        assert_eq!(brain.acts().len(), 2);
        brain.done("s-1");
        assert_eq!(brain.acts(), []);
        // At least once: the same message again is no news.
        brain.note(&tender(3, "s-1", 1, 4));
        assert_eq!(
            (brain.acts(), brain.asked(), brain.cursor()),
            (vec![], 1, 3)
        );
        // A new round is.
        brain.note(&tender(4, "s-1", 2, 3));
        assert_eq!(named(&brain.acts()), ["accept s-1 2", "assign v-1 to s-1"]);
    }

    #[test]
    fn vehicles_take_turns() {
        let mut brain = brain(Temper::default());
        brain.note(&tender(3, "s-1", 1, 1));
        brain.note(&tender(4, "s-2", 1, 1));
        let acts = named(&brain.acts());
        assert_eq!(acts[1], "assign v-2 to s-1");
        assert_eq!(acts[3], "assign v-1 to s-2");
    }

    #[test]
    fn it_declines_and_keeps_silent_as_it_was_told() {
        let mut brain = brain(Temper {
            declines: vec![1],
            ignores: vec![2],
            ..Temper::default()
        });
        for (cursor, id) in [(3, "s-1"), (4, "s-2"), (5, "s-3")] {
            brain.note(&tender(cursor, id, 1, 1));
        }
        let acts = named(&brain.acts());
        assert_eq!(acts, ["decline s-1", "accept s-3 1", "assign v-2 to s-3"]);
    }

    #[test]
    fn a_round_that_is_over_counts_and_is_not_answered() {
        let mut brain = brain(Temper {
            declines: vec![2],
            ..Temper::default()
        });
        let mut over = tender(3, "s-1", 1, 1);
        if let Some(Update::Tendered(shipment)) = &mut over.update {
            shipment.load = None;
        }
        brain.note(&over);
        brain.note(&tender(4, "s-2", 1, 1));
        brain.note(&WatchTendersResponse {
            cursor: 5,
            update: Some(Update::Ended(TenderEnd {
                shipment_id: "s-1".into(),
                round: 1,
                reason: 0,
            })),
        });
        assert_eq!(named(&brain.acts()), ["decline s-2"]);
    }

    #[test]
    fn without_a_pass_it_waits_for_one() {
        let mut brain = brain(Temper::default());
        brain.note(&pass(3, 1, PassState::Revoked));
        brain.note(&tender(4, "s-1", 1, 4));
        assert_eq!(brain.acts(), []);
        brain.note(&pass(5, 1, PassState::Issued));
        assert_eq!(named(&brain.acts()).len(), 2);
    }

    #[test]
    fn the_seed_decides_what_is_drawn() {
        let temper = |seed| Temper {
            decline_percent: 30,
            seed,
            ..Temper::default()
        };
        let declined = |temper: &Temper| {
            let answers = (1..=1_000).map(|n| temper.answer(n));
            answers.filter(|a| matches!(a, Answer::Decline(_))).count()
        };
        assert_eq!(declined(&temper(7)), declined(&temper(7)));
        assert!((250..350).contains(&declined(&temper(7))));
        let answers = |seed| (1..=64).map(|n| temper(seed).answer(n)).collect::<Vec<_>>();
        assert_ne!(answers(7), answers(8));
    }
}
