//! The writer's loop: queue → decide → append → answer.

use std::{sync::Arc, time::Duration};

use decider::{Domain, Position, Rejected, Timestamp};
use event_log::Unit;
use proto::AnyEvent;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    Committed, Inner, Reply, SubmitError, Work, WriterError,
    machine::{Decision, Machine, RUNTIME_PREFIX, Refusal, Step},
    release::{Answers, Gate},
};

/// Longest sleep while no timer is set.
const IDLE: Duration = Duration::from_secs(1);
/// Timer commands decided in one group.
const TIMERS_MAX: usize = 128;
/// After so many records without effect a cursor is recorded.
const CURSOR_EVERY: u64 = 2000;

pub(super) struct Writer<D: Domain> {
    inner: Arc<Inner<D>>,
    requests: mpsc::Receiver<Work<D>>,
    reactions: mpsc::Receiver<Work<D>>,
    gate: Gate<D>,
    stop: CancellationToken,
    /// Nothing due is tried before this time: a timer command that changes
    /// nothing must not keep the loop busy.
    timers_rest_until: Timestamp,
}

/// Who waits, and what is to be answered.
type Waiting<D> = (
    Reply<D>,
    Answer<<D as Domain>::Event, <D as Domain>::Rejection>,
);

/// What becomes durable together, and who waits for it.
struct Group<D: Domain> {
    units: Vec<Unit>,
    waiting: Vec<Waiting<D>>,
    clock: Vec<(oneshot::Sender<Advanced>, Advanced)>,
}

/// The clock's time, and how many timers fired on the way.
type Advanced = (Timestamp, u64);

enum Answer<E, R: Rejected> {
    Made(Committed<E>),
    /// Answered before; the records are read from the log.
    Repeated {
        first: Position,
        count: u32,
    },
    Refused(Refusal<R>),
    TooLate,
}

impl<D: Domain> Default for Group<D> {
    fn default() -> Self {
        Self {
            units: Vec::new(),
            waiting: Vec::new(),
            clock: Vec::new(),
        }
    }
}

impl<D: Domain> Group<D> {
    /// Gives the records as they will stand in the log.
    fn push(&mut self, step: Step<D::Event>) -> Vec<decider::Recorded<D::Event>> {
        if step.is_empty() {
            return Vec::new();
        }
        let (unit, records) = step.finish();
        self.units.push(unit);
        records
    }
}

impl<D: Domain<Foreign = AnyEvent>> Writer<D> {
    pub(super) fn new(
        inner: Arc<Inner<D>>,
        requests: mpsc::Receiver<Work<D>>,
        reactions: mpsc::Receiver<Work<D>>,
        gate: Gate<D>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            inner,
            requests,
            reactions,
            gate,
            stop,
            timers_rest_until: Timestamp(i64::MIN),
        }
    }

    /// # Errors
    /// The log could not be written, or the index not be read. The state in
    /// memory is then ahead of the log, so the process must end and replay.
    pub(super) fn run(mut self, runtime: &tokio::runtime::Handle) -> Result<(), WriterError> {
        let mut work = Vec::with_capacity(self.inner.limits.group);
        loop {
            let stopping = runtime.block_on(self.wait(&mut work));
            let mut group = Group::default();
            for item in work.drain(..) {
                if let Work::AdvanceClock { to, reply } = item {
                    let fired = self.advance_clock(to, &mut group)?;
                    group.clock.push((reply, (self.inner.clock.now(), fired)));
                } else {
                    let now = self.inner.clock.now();
                    let mut machine = self.inner.machine.write();
                    Self::carry_out(&mut machine, item, now, &mut group);
                }
            }
            self.fire_timers(self.inner.clock.now(), &mut group);
            self.commit(group)?;
            if stopping && self.requests.is_empty() && self.reactions.is_empty() {
                return Ok(());
            }
        }
    }

    /// Waits for work or for a timer; says whether the writer is to stop.
    async fn wait(&mut self, work: &mut Vec<Work<D>>) -> bool {
        let max = self.inner.limits.group;
        let sleep = self.until_next_timer();
        tokio::select! {
            biased;
            Some(first) = self.requests.recv() => {
                work.push(first);
                self.fill(work, max);
                false
            }
            Some(first) = self.reactions.recv() => {
                work.push(first);
                self.fill(work, max);
                false
            }
            () = self.stop.cancelled() => {
                self.requests.close();
                self.reactions.close();
                while let Ok(item) = self.reactions.try_recv() { work.push(item); }
                while let Ok(item) = self.requests.try_recv() { work.push(item); }
                true
            }
            () = tokio::time::sleep(sleep) => false,
        }
    }

    /// Takes what else is queued: both queues move, whichever is fuller.
    fn fill(&mut self, work: &mut Vec<Work<D>>, max: usize) {
        while work.len() < max
            && let Ok(item) = self.requests.try_recv()
        {
            work.push(item);
        }
        while work.len() < 2 * max
            && let Ok(item) = self.reactions.try_recv()
        {
            work.push(item);
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        D::next_due(self.inner.machine.read().state()).map(|at| at.max(self.timers_rest_until))
    }

    fn until_next_timer(&self) -> Duration {
        let now = self.inner.clock.now();
        match self.next_due() {
            Some(at) => {
                // A test clock does not move by itself.
                if at <= now {
                    Duration::ZERO
                } else if self.inner.clock.is_test() {
                    IDLE
                } else {
                    Duration::from_millis(at.0.saturating_sub(now.0).unsigned_abs()).min(IDLE)
                }
            }
            None => IDLE,
        }
    }

    fn carry_out(machine: &mut Machine<D>, item: Work<D>, now: Timestamp, group: &mut Group<D>) {
        match item {
            // Who was told that its time was over must not find it done later.
            Work::Request {
                reply,
                deadline: Some(deadline),
                ..
            } if deadline.has_passed() => group.waiting.push((reply, Answer::TooLate)),
            Work::Request {
                command,
                meta,
                reply,
                ..
            } => match machine.request(&command, &meta, now) {
                Decision::Accepted(step) => {
                    let answer = Answer::Made(Committed {
                        position: machine.position(),
                        records: group.push(step),
                        repeated: false,
                    });
                    group.waiting.push((reply, answer));
                }
                Decision::Repeated { first, count } => {
                    group
                        .waiting
                        .push((reply, Answer::Repeated { first, count }));
                }
                Decision::Refused(refusal) => {
                    // What it rests on may be in this very group.
                    group.waiting.push((reply, Answer::Refused(refusal)));
                }
            },
            Work::Reaction {
                source,
                foreign,
                type_name,
                traceparent,
            } => {
                group.push(machine.react(source, &foreign, &type_name, traceparent, now));
                if machine.unrecorded(source.service) >= CURSOR_EVERY {
                    group.push(machine.advance_cursor(source.service, now));
                }
            }
            Work::AdvanceClock { .. } => unreachable!("taken out by the caller"),
        }
    }

    /// Carries out what is due at `now`, up to a limit; gives how many
    /// commands that were.
    fn fire_timers(&mut self, now: Timestamp, group: &mut Group<D>) -> u64 {
        if now < self.timers_rest_until {
            return 0;
        }
        let mut machine = self.inner.machine.write();
        let mut fired = 0;
        while fired < TIMERS_MAX {
            let due = D::due(machine.state(), now);
            if due.is_empty() && D::next_due(machine.state()).is_none_or(|at| at > now) {
                break;
            }
            let mut progress = false;
            for item in due {
                fired += 1;
                match machine.timer(&item, now) {
                    Ok(step) => {
                        progress |= !step.is_empty();
                        group.push(step);
                    }
                    Err(refusal) => tracing::error!(
                        command = D::command_name(&item.command),
                        %refusal,
                        "a timer's command was refused"
                    ),
                }
            }
            if !progress {
                tracing::error!("timers are due that change nothing; resting for a second");
                self.timers_rest_until = now.plus_seconds(1);
                break;
            }
        }
        fired as u64
    }

    /// Steps the test clock from timer to timer up to `to`.
    fn advance_clock(&mut self, to: Timestamp, group: &mut Group<D>) -> Result<u64, WriterError> {
        if to <= self.inner.clock.now() {
            return Ok(0);
        }
        let mut fired = 0;
        while let Some(at) = self.next_due()
            && at <= to
        {
            self.inner.clock.advance(at);
            fired += self.fire_timers(self.inner.clock.now(), group);
            self.commit(std::mem::take(group))?;
        }
        self.inner.clock.advance(to);
        group.push(self.inner.machine.write().advance_clock(to));
        Ok(fired)
    }

    fn commit(&self, group: Group<D>) -> Result<(), WriterError> {
        let Group {
            units,
            waiting,
            clock,
        } = group;
        let labels = [("service", D::SERVICE.name())];
        let failure = self.inner.machine.read().failure().map(chain);
        if let Some(message) = failure {
            tracing::error!(error = message, "the stream index cannot be read; stopping");
            for (reply, _) in waiting {
                let _ = reply.send(Err(SubmitError::Log(message.clone())));
            }
            return Err(WriterError::Index(message));
        }
        if !units.is_empty() {
            let records: usize = units.iter().map(|unit| unit.0.len()).sum();
            let started = std::time::Instant::now();
            if let Err(error) = self.inner.log.append(units) {
                tracing::error!(%error, "the event log cannot be written; stopping");
                let message = error.to_string();
                for (reply, _) in waiting {
                    let _ = reply.send(Err(SubmitError::Log(message.clone())));
                }
                return Err(error.into());
            }
            metrics::histogram!("baogong_append_seconds", &labels).record(started.elapsed());
            #[allow(clippy::cast_precision_loss)]
            metrics::histogram!("baogong_group_records", &labels).record(records as f64);
            metrics::counter!("baogong_records_total", &labels).increment(records as u64);
        }
        let requests = waiting
            .into_iter()
            .map(|(reply, answer)| {
                let outcome = match answer {
                    Answer::Made(committed) => Ok(committed),
                    Answer::Repeated { first, count } => self.read_again(first, count),
                    Answer::Refused(refusal) => Err(refusal.into()),
                    Answer::TooLate => Err(SubmitError::DeadlinePassed),
                };
                (reply, outcome)
            })
            .collect();
        // A refusal or a repeated answer may rest on anything before it.
        let rests_on = self.inner.log.last_position();
        self.gate.release(rests_on, Answers { requests, clock });
        Ok(())
    }

    /// The first answer again, from the log.
    fn read_again(
        &self,
        first: Position,
        count: u32,
    ) -> Result<Committed<D::Event>, SubmitError<D::Rejection>> {
        let log_error = |error: &dyn std::fmt::Display| SubmitError::Unreadable(error.to_string());
        let entries = self
            .inner
            .log
            .read(first, count as usize)
            .map_err(|e| log_error(&e))?;
        let mut position = first;
        let mut records = Vec::with_capacity(entries.len());
        for entry in entries {
            let raw = proto::record::decode(&entry.bytes).map_err(|e| log_error(&e))?;
            position = raw.position;
            if !raw.event.type_name.starts_with(RUNTIME_PREFIX) {
                records.push(proto::record::decode_event(raw).map_err(|e| log_error(&e))?);
            }
        }
        Ok(Committed {
            records,
            position,
            repeated: true,
        })
    }
}

/// An error with what caused it.
fn chain(error: &stream_index::IndexError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
