//! Which fault is played on which call of the firm, and what was seen of its
//! calls. The proxy asks it, the course sets and reads it.

use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};
use tonic::Code;

/// One call of the firm, from its end.
#[derive(Debug, Clone)]
pub struct Seen {
    pub begun: Instant,
    /// The last part of the path, for example `AcceptTender`.
    pub method: String,
    /// Of requests that change something; otherwise empty.
    pub request_id: String,
    /// The request, without its prefix; empty for streams.
    pub request: Bytes,
    /// What the firm was answered.
    pub code: Code,
    pub reason: String,
    /// The fault that was played on it, if any.
    pub fault: Option<Fault>,
}

impl Seen {
    /// A call that begins now, as if it were answered with OK.
    pub(super) fn begins(method: &str) -> Self {
        Self {
            begun: Instant::now(),
            method: method.to_owned(),
            request_id: String::new(),
            request: Bytes::new(),
            code: Code::Ok,
            reason: String::new(),
            fault: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refused with RESOURCE_EXHAUSTED and how long to wait.
    Throttled(Duration),
    /// Done, and the answer was lost.
    AnswerLost,
}

#[derive(Debug, Default)]
struct State {
    seen: Vec<Seen>,
    /// After which cursors the firm began to watch.
    watches: Vec<u64>,
    /// The last cursor that the firm was told.
    told: u64,
    /// The calls of this method wait.
    held: Option<&'static str>,
    /// Calls and messages that wait now.
    waiting: usize,
    /// What the next calls that change something meet.
    next: Option<(Fault, u32)>,
    /// Each message of a watch comes twice.
    repeated: bool,
    /// Messages of a watch wait.
    updates_held: bool,
    /// Counts the cuts of all connections.
    cuts: u64,
}

pub struct Switchboard {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl Default for Switchboard {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            changed: watch::Sender::new(()),
        }
    }
}

impl Switchboard {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock());
        self.changed.send_replace(());
        result
    }

    async fn until<T>(&self, mut test: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if let Some(found) = test(&mut self.state.lock()) {
                return found;
            }
            // The sender lives as long as `self`.
            let _ = changed.changed().await;
        }
    }

    // What the proxy asks and tells.

    /// Returns when a call of the method may go on.
    pub(super) async fn pass(&self, method: &str) {
        let is_held = |state: &State| state.held.is_some_and(|held| held == method);
        if !is_held(&self.state.lock()) {
            return;
        }
        self.change(|state| state.waiting += 1);
        self.until(|state| (!is_held(state)).then_some(())).await;
        self.change(|state| state.waiting -= 1);
    }

    /// The fault that the next call meets.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.change(|state| {
            let (fault, left) = state.next?;
            state.next = (left > 1).then_some((fault, left - 1));
            Some(fault)
        })
    }

    pub(super) fn saw(&self, seen: Seen) {
        self.change(|state| state.seen.push(seen));
    }

    pub(super) fn watch_begins(&self, after: u64) {
        self.change(|state| state.watches.push(after));
    }

    /// Returns when a message of a watch may go on, and says how often it does.
    pub(super) async fn update(&self, cursor: u64) -> usize {
        if self.state.lock().updates_held {
            self.change(|state| state.waiting += 1);
            self.until(|state| (!state.updates_held).then_some(()))
                .await;
            self.change(|state| state.waiting -= 1);
        }
        self.change(|state| {
            state.told = state.told.max(cursor);
            if state.repeated { 2 } else { 1 }
        })
    }

    /// Returns when connections that were made before now are to be cut.
    pub(super) async fn cut(&self, made: u64) {
        self.until(|state| (state.cuts > made).then_some(())).await;
    }

    pub(super) fn cuts(&self) -> u64 {
        self.state.lock().cuts
    }

    // What the course sets and reads.

    /// Makes the calls of a method wait until [`Self::release`].
    pub fn hold(&self, method: &'static str) {
        self.change(|state| state.held = Some(method));
    }

    pub fn release(&self) {
        self.change(|state| {
            state.held = None;
            state.updates_held = false;
        });
    }

    /// Whether a call or a message waits.
    pub fn is_waiting(&self) -> bool {
        self.state.lock().waiting > 0
    }

    pub fn hold_updates(&self) {
        self.change(|state| state.updates_held = true);
    }

    pub fn repeat_updates(&self, repeated: bool) {
        self.change(|state| state.repeated = repeated);
    }

    /// Plays a fault on the next calls that change something.
    pub fn play(&self, fault: Fault, times: u32) {
        self.change(|state| state.next = Some((fault, times)));
    }

    /// Whether all faults that were set were played.
    pub fn is_played(&self) -> bool {
        self.state.lock().next.is_none()
    }

    /// No fault is played any more, and nothing waits.
    pub fn clear(&self) {
        self.release();
        self.change(|state| {
            state.next = None;
            state.repeated = false;
        });
    }

    /// Cuts all connections; gives the last cursor that the firm was told, and
    /// how often it had begun to watch.
    pub fn cut_all(&self) -> (u64, usize) {
        self.change(|state| {
            state.cuts += 1;
            (state.told, state.watches.len())
        })
    }

    pub fn watches(&self) -> Vec<u64> {
        self.state.lock().watches.clone()
    }

    /// How many calls were seen so far.
    pub fn count(&self) -> usize {
        self.state.lock().seen.len()
    }

    /// The calls after the first `from`.
    pub fn seen(&self, from: usize) -> Vec<Seen> {
        let state = self.state.lock();
        state.seen.get(from..).unwrap_or_default().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn calls_of_a_held_method_wait_and_others_pass() {
        let board = Arc::new(Switchboard::default());
        board.hold("AssignResources");
        board.pass("AcceptTender").await;
        let held = Arc::clone(&board);
        let call = tokio::spawn(async move { held.pass("AssignResources").await });
        board.until(|state| (state.waiting > 0).then_some(())).await;
        assert!(!call.is_finished());
        board.release();
        call.await.expect("passed");
        assert!(!board.is_waiting());
    }

    #[tokio::test]
    async fn faults_are_played_as_often_as_they_were_set() {
        let board = Switchboard::default();
        board.play(Fault::AnswerLost, 2);
        let played = [board.fault(), board.fault(), board.fault()];
        assert_eq!(
            played,
            [Some(Fault::AnswerLost), Some(Fault::AnswerLost), None]
        );
        assert!(board.is_played());
    }

    #[tokio::test]
    async fn a_cut_reaches_the_connections_that_were_there() {
        let board = Switchboard::default();
        let made = board.cuts();
        assert_eq!(board.update(7).await, 1);
        board.repeat_updates(true);
        assert_eq!(board.update(9).await, 2);
        board.watch_begins(0);
        assert_eq!(board.cut_all(), (9, 1));
        board.cut(made).await;
        assert_eq!(board.cuts(), made + 1);
    }
}
