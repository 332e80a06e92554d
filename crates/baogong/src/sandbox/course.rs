//! The course that a firm's client is taken through: each step offers it a load
//! and looks at what it does.

mod dispatcher;
mod sheet;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use prost::Message;
use proto::logistics::v1::{AcceptTenderRequest, PassState, Shipment, ShipmentState};
use tonic::Code;

use super::{
    FaultName,
    report::{Report, Step},
    switchboard::{Fault, Seen, Switchboard},
};
use crate::client::Suite;
use dispatcher::Dispatcher;
use sheet::{Sheet, Stop};

/// How long a hand-over must not come while the checkpoint is closed.
const CLOSED_FOR: Duration = Duration::from_secs(2);
const THROTTLE: Duration = Duration::from_secs(1);
/// Clocks and timers may differ by so much.
const THROTTLE_LEAST: Duration = Duration::from_millis(900);
/// What a firm is refused with where the sandbox came between.
const EXPECTED: [&str; 4] = [
    "TENDER_OVER",
    "SHIPMENT_STATE",
    "PASS_INVALID",
    "PASS_STATE",
];

pub struct Course {
    dispatcher: Dispatcher,
    board: Arc<Switchboard>,
}

impl Course {
    pub fn new(
        suite: Suite,
        board: Arc<Switchboard>,
        area: String,
        firm: String,
        patience: Duration,
    ) -> Self {
        let dispatcher = Dispatcher::new(suite, area, firm, patience);
        Self { dispatcher, board }
    }

    /// Makes the firm known.
    ///
    /// # Errors
    /// The suite refuses or is away.
    pub async fn register(&self) -> anyhow::Result<()> {
        Ok(self.dispatcher.register().await?)
    }

    /// Takes the firm through all of it; each step is told when it is over.
    ///
    /// # Errors
    /// The suite refuses what a dispatcher may do, or is away.
    pub async fn run(
        &self,
        faults: &[FaultName],
        tell: &mut dyn FnMut(&Step),
    ) -> anyhow::Result<Report> {
        let mut steps = vec![];
        let mut sheet = Sheet::default();
        let outcome = self.entry(&mut sheet).await;
        let entry = sheet.close(
            "entry",
            "your client connects and makes itself ready",
            outcome,
        )?;
        tell(&entry);
        let entered = entry.is_passed();
        steps.push(entry);
        if entered {
            let mut sheet = Sheet::default();
            let outcome = self.plain(&mut sheet).await;
            let step = sheet.close("load", "a load, from the tender to the proof", outcome)?;
            tell(&step);
            steps.push(step);
            for fault in faults {
                let mut sheet = Sheet::default();
                let outcome = self.fault(*fault, &mut sheet).await;
                self.board.clear();
                let (name, about) = describe(*fault);
                let step = sheet.close(name, about, outcome)?;
                tell(&step);
                if !step.is_passed() {
                    self.dispatcher.give_up_open_loads().await?;
                }
                steps.push(step);
            }
        }
        Ok(Report {
            carrier_id: self.dispatcher.firm.clone(),
            area: self.dispatcher.area.clone(),
            certified: steps.iter().all(Step::is_passed),
            steps,
            refusals: refusals(&self.board.seen(0)),
        })
    }

    async fn fault(&self, fault: FaultName, sheet: &mut Sheet) -> Result<(), Stop> {
        match fault {
            FaultName::DuplicateUpdates => self.duplicate_updates(sheet).await,
            FaultName::LateUpdates => self.late_updates(sheet).await,
            FaultName::LoadChanged => self.load_changed(sheet).await,
            FaultName::PassRevoked => self.pass_revoked(sheet).await,
            FaultName::CheckpointClosed => self.checkpoint_closed(sheet).await,
            FaultName::ConnectionCut => self.connection_cut(sheet).await,
            FaultName::AnswerLost => self.answer_lost(sheet).await,
            FaultName::Throttled => self.throttled(sheet).await,
        }
    }

    async fn entry(&self, sheet: &mut Sheet) -> Result<(), Stop> {
        let board = &self.board;
        let d = &self.dispatcher;
        let what = "calls with its token";
        let called = async || {
            Ok(board
                .seen(0)
                .iter()
                .any(|call| call.code == Code::Ok)
                .then_some(()))
        };
        let called = d.until(called).await?;
        let refused = board
            .seen(0)
            .last()
            .map(|call| format!("refused with {}", call.reason));
        sheet.needs(
            what,
            called,
            &refused.unwrap_or_else(|| "no call came".to_owned()),
        )?;
        let vehicle = async || Ok((!d.carrier().await?.vehicles.is_empty()).then_some(()));
        sheet.needs(
            "registers a vehicle",
            d.until(vehicle).await?,
            "none is registered",
        )?;
        let driver = async || Ok((!d.carrier().await?.driver_ids.is_empty()).then_some(()));
        sheet.needs(
            "registers a driver",
            d.until(driver).await?,
            "none is registered",
        )?;
        let pass = async || Ok((!d.passes(PassState::Issued).await?.is_empty()).then_some(()));
        sheet.needs(
            "applies for a pass",
            d.until(pass).await?,
            "no pass was applied for",
        )?;
        let offer = async || Ok((!d.carrier().await?.offers.is_empty()).then_some(()));
        sheet.needs("offers capacity", d.until(offer).await?, "none is on offer")?;
        let watch = async || Ok((!board.watches().is_empty()).then_some(()));
        sheet.needs(
            "watches its tenders",
            d.until(watch).await?,
            "WatchTenders was not called",
        )?;
        Ok(())
    }

    /// What every load must come to from the moment that it was accepted.
    async fn carried(&self, id: &str, sheet: &mut Sheet) -> Result<Shipment, Stop> {
        let d = &self.dispatcher;
        let assigned = d.shipment_when(id, |s| !s.pass_id.is_empty() && s.departed_time.is_some());
        let what = "names vehicle, driver and pass, and reports the departure";
        let seen = d.told(id).await?;
        sheet.needs(what, assigned.await?, &seen)?;
        let there = d.shipment_when(id, |s| {
            s.arrived_time.is_some() && s.pickups.iter().all(|p| p.loaded_time.is_some())
        });
        let there = there.await?;
        let seen = d.told(id).await?;
        sheet.needs("reports every loading and the arrival", there, &seen)?;
        let declared = d.shipment_when(id, |s| !s.declared.is_empty()).await?;
        let seen = d.told(id).await?;
        let shipment = sheet.needs("declares the hand-over", declared, &seen)?;
        d.take_over(id).await?;
        let proved = async || Ok(d.proofs(id).await?.into_iter().next());
        let proved = d.until(proved).await?;
        sheet.needs(
            "gives a proof of the delivery",
            proved,
            "no proof was recorded",
        )?;
        d.close(id).await?;
        Ok(shipment)
    }

    /// Waits until the firm has accepted a round.
    async fn accepted(&self, id: &str, round: i32, sheet: &mut Sheet) -> Result<(), Stop> {
        let d = &self.dispatcher;
        let accepted = d.shipment_when(id, |s| {
            s.round == round && !matches!(s.state(), ShipmentState::Draft | ShipmentState::Tendered)
        });
        let accepted = accepted.await?;
        let seen = d.told(id).await?;
        sheet.needs(
            &format!("accepts the tender (round {round})"),
            accepted,
            &seen,
        )?;
        Ok(())
    }

    /// Offers a load, and stops the firm between its acceptance and its naming
    /// of vehicle, driver and pass.
    async fn accepted_and_held(&self, sheet: &mut Sheet) -> Result<String, Stop> {
        let d = &self.dispatcher;
        self.board.hold("AssignResources");
        let (id, round) = d.offer().await?;
        self.accepted(&id, round, sheet).await?;
        let waiting = async || Ok(self.board.is_waiting().then_some(()));
        let waiting = d.until(waiting).await?;
        sheet.needs(
            "names vehicle, driver and pass",
            waiting,
            "AssignResources was not called",
        )?;
        Ok(id)
    }

    async fn plain(&self, sheet: &mut Sheet) -> Result<(), Stop> {
        let (id, round) = self.dispatcher.offer().await?;
        self.accepted(&id, round, sheet).await?;
        self.carried(&id, sheet).await?;
        Ok(())
    }

    async fn duplicate_updates(&self, sheet: &mut Sheet) -> Result<(), Stop> {
        let from = self.board.count();
        self.board.repeat_updates(true);
        // What is under way already comes as before; a new watch is not needed,
        // since each message asks whether it is repeated.
        let (id, round) = self.dispatcher.offer().await?;
        self.accepted(&id, round, sheet).await?;
        self.carried(&id, sheet).await?;
        let asked: Vec<String> = accepts(&self.board.seen(from), &id);
        sheet.check(
            "acts on a message once",
            asked.len() == 1,
            &format!(
                "AcceptTender was asked for under {} request ids",
                asked.len()
            ),
        );
        Ok(())
    }

    async fn late_updates(&self, sheet: &mut Sheet) -> Result<(), Stop> {
        let d = &self.dispatcher;
        self.board.hold_updates();
        let (id, _) = d.offer().await?;
        let waiting = async || Ok(self.board.is_waiting().then_some(()));
        let waiting = d.until(waiting).await?;
        sheet.needs("watches its tenders", waiting, "no watch is open")?;
        let round = d.tender_again(&id).await?;
        self.board.release();
        self.accepted(&id, round, sheet).await?;
        self.carried(&id, sheet).await?;
        Ok(())
    }

    async fn load_changed(&self, sheet: &mut Sheet) -> Result<(), Stop> {
        let id = self.accepted_and_held(sheet).await?;
        let round = self.dispatcher.change_load(&id).await?;
        self.board.release();
        self.accepted(&id, round, sheet).await?;
        self.carried(&id, sheet).await?;
        Ok(())
    }

    async fn pass_revoked(&self, sheet: &mut Sheet) -> Result<(), Stop> {
        let d = &self.dispatcher;
        let id = self.accepted_and_held(sheet).await?;
        let revoked = d.revoke_passes().await?;
        self.board.release();
        let renewed = async || {
            let passes = d.passes(PassState::Issued).await?;
            let new = passes
                .into_iter()
                .find(|pass| !revoked.contains(&pass.pass_id));
            Ok(new)
        };
        let renewed = d.until(renewed).await?;
        let what = "applies for a new pass";
        let pass = sheet.needs(what, renewed, "no other pass was applied for")?;
        let shipment = self.carried(&id, sheet).await?;
        sheet.check(
            "sets out with the new pass",
            shipment.pass_id == pass.pass_id,
            &format!("it went with pass {}", shipment.pass_id),
        );
        Ok(())
    }

    async fn checkpoint_closed(&self, sheet: &mut Sheet) -> Result<(), Stop> {
        let d = &self.dispatcher;
        let id = self.accepted_and_held(sheet).await?;
        let incident = d.open_incident(&id).await?;
        self.board.release();
        let arrived = d.shipment_when(&id, |s| s.arrived_time.is_some()).await?;
        let seen = d.told(&id).await?;
        sheet.needs("drives on to the checkpoint", arrived, &seen)?;
        tokio::time::sleep(CLOSED_FOR).await;
        let shipment = d.shipment(&id).await?;
        sheet.check(
            "waits with the hand-over while the checkpoint is closed",
            shipment.declared.is_empty(),
            "the hand-over was declared although the incident was open",
        );
        d.close_incident(&id, &incident).await?;
        self.carried(&id, sheet).await?;
        Ok(())
    }

    async fn connection_cut(&self, sheet: &mut Sheet) -> Result<(), Stop> {
        let d = &self.dispatcher;
        let (id, round) = d.offer().await?;
        self.accepted(&id, round, sheet).await?;
        let departed = d.shipment_when(&id, |s| s.departed_time.is_some()).await?;
        let seen = d.told(&id).await?;
        sheet.needs("reports the departure", departed, &seen)?;
        let (told, before) = self.board.cut_all();
        let again = async || Ok(self.board.watches().get(before).copied());
        let again = d.until(again).await?;
        let after = sheet.needs(
            "connects and watches again",
            again,
            "no watch was opened again",
        )?;
        sheet.check(
            "goes on after the last cursor that it had",
            after > 0 && after <= told,
            &format!("it watched from cursor {after}; {told} was the last that it was told"),
        );
        self.carried(&id, sheet).await?;
        Ok(())
    }

    async fn answer_lost(&self, sheet: &mut Sheet) -> Result<(), Stop> {
        let d = &self.dispatcher;
        let from = self.board.count();
        self.board.play(Fault::AnswerLost, 1);
        let (id, round) = d.offer().await?;
        self.accepted(&id, round, sheet).await?;
        self.carried(&id, sheet).await?;
        let asked_again = repeated(&self.board.seen(from), |_| true);
        sheet.check(
            "asks again with the same request id and the same content",
            asked_again && self.board.is_played(),
            "a call whose answer was lost was not repeated as it was",
        );
        Ok(())
    }

    async fn throttled(&self, sheet: &mut Sheet) -> Result<(), Stop> {
        let d = &self.dispatcher;
        let from = self.board.count();
        self.board.play(Fault::Throttled(THROTTLE), 2);
        let (id, round) = d.offer().await?;
        self.accepted(&id, round, sheet).await?;
        self.carried(&id, sheet).await?;
        let seen = self.board.seen(from);
        sheet.check(
            "asks again with the same request id",
            repeated(&seen, |_| true) && self.board.is_played(),
            "a call that was refused with RATE_LIMITED was not repeated as it was",
        );
        sheet.check(
            "waits as long as RetryInfo says",
            repeated(&seen, |waited| waited >= THROTTLE_LEAST),
            &format!("it asked again before {THROTTLE:?} were over"),
        );
        Ok(())
    }
}

/// The request ids under which a shipment's tenders were accepted.
fn accepts(seen: &[Seen], shipment_id: &str) -> Vec<String> {
    let mut ids: Vec<String> = seen
        .iter()
        .filter(|call| call.method == "AcceptTender")
        .filter(|call| {
            let request = AcceptTenderRequest::decode(call.request.clone());
            request.is_ok_and(|request| request.shipment_id == shipment_id)
        })
        .map(|call| call.request_id.clone())
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

/// Whether every call on which a fault was played was made again as it was,
/// after a good time.
fn repeated(seen: &[Seen], good: impl Fn(Duration) -> bool) -> bool {
    seen.iter()
        .enumerate()
        .filter(|(_, call)| call.fault.is_some())
        .all(|(n, call)| {
            let same = |again: &&Seen| {
                again.method == call.method
                    && again.request_id == call.request_id
                    && again.request == call.request
            };
            let again = seen[n + 1..].iter().find(same);
            again.is_some_and(|again| good(again.begun.saturating_duration_since(call.begun)))
        })
}

fn refusals(seen: &[Seen]) -> Vec<(String, usize)> {
    let mut counts = BTreeMap::new();
    for call in seen {
        let expected = call.fault.is_some() || EXPECTED.contains(&call.reason.as_str());
        if call.code != Code::Ok && !expected {
            let reason = if call.reason.is_empty() {
                format!("{:?}", call.code)
            } else {
                call.reason.clone()
            };
            *counts
                .entry(format!("{reason} ({})", call.method))
                .or_default() += 1;
        }
    }
    counts.into_iter().collect()
}

const fn describe(fault: FaultName) -> (&'static str, &'static str) {
    match fault {
        FaultName::DuplicateUpdates => ("duplicates", "every message of WatchTenders comes twice"),
        FaultName::LateUpdates => ("late", "a tender is told when its round is over already"),
        FaultName::LoadChanged => ("load changed", "the load changes after you accepted it"),
        FaultName::PassRevoked => ("pass revoked", "your pass is revoked before you set out"),
        FaultName::CheckpointClosed => (
            "checkpoint",
            "the checkpoint closes while the load is on its way",
        ),
        FaultName::ConnectionCut => ("cut", "all your connections are cut on the way"),
        FaultName::AnswerLost => (
            "answer lost",
            "what you asked for is done, but not answered",
        ),
        FaultName::Throttled => ("throttled", "your calls are refused for a second"),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::time::Instant;

    use super::*;

    fn call(id: &str, after: Duration, fault: Option<Fault>) -> Seen {
        Seen {
            begun: Instant::now() + after,
            method: "AcceptTender".to_owned(),
            request_id: id.to_owned(),
            request: Bytes::copy_from_slice(id.as_bytes()),
            code: Code::Ok,
            reason: String::new(),
            fault,
        }
    }

    #[test]
    fn a_call_is_repeated_only_as_it_was_and_in_good_time() {
        let fault = Some(Fault::Throttled(THROTTLE));
        let first = call("a", Duration::ZERO, fault);
        let soon = [first.clone(), call("a", Duration::from_millis(200), None)];
        assert!(repeated(&soon, |_| true));
        assert!(!repeated(&soon, |waited| waited >= THROTTLE_LEAST));
        let late = [first.clone(), call("a", Duration::from_secs(2), None)];
        assert!(repeated(&late, |waited| waited >= THROTTLE_LEAST));
        let other = [first.clone(), call("b", Duration::from_secs(2), None)];
        assert!(!repeated(&other, |_| true));
        assert!(!repeated(&[first], |_| true));
    }

    #[test]
    fn refusals_that_the_sandbox_brought_about_are_not_told() {
        let refused = |reason: &str, fault| Seen {
            code: Code::FailedPrecondition,
            reason: reason.to_owned(),
            ..call("a", Duration::ZERO, fault)
        };
        let seen = [
            refused("TENDER_OVER", None),
            refused("RATE_LIMITED", Some(Fault::AnswerLost)),
            refused("VEHICLE_UNKNOWN", None),
            refused("VEHICLE_UNKNOWN", None),
        ];
        let told = vec![("VEHICLE_UNKNOWN (AcceptTender)".to_owned(), 2)];
        assert_eq!(refusals(&seen), told);
    }
}
