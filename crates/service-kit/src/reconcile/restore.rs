//! Appends what the stream has and the log has lost. The stream is read ahead
//! while a thread of its own checks and appends what came before: both take
//! about as long.

use std::sync::Arc;

use event_log::{EventLog, Unit};
use proto::{
    record,
    unit::{Taken, Units},
    view::View,
};
use tokio::sync::mpsc;

use bus::{Bare, Bus, BusError, StreamName};
use bytes::Bytes;

use super::{
    ReconcileError,
    torso::{self, Voided},
};

/// Parts of up to 512 messages that may be read before they are appended.
const AHEAD_PARTS: usize = 16;
/// Appended, and so synced, together, once there is so much or nothing more is
/// there: a sync takes its milliseconds however much it is for.
const GROUP_UNITS: usize = 8192;
const GROUP_BYTES: usize = 4 * 1024 * 1024;
/// Restored between two lines that say how far it is.
const TOLD_RECORDS: u64 = 100_000;

/// Appends what the stream has and the log has not, command by command; gives
/// the torso at the end, if there was one.
///
/// # Errors
/// The stream cannot be read, or holds something else than the records that
/// follow. What is before that is in the log.
pub(super) async fn restore(
    log: &Arc<dyn EventLog>,
    bus: &Bus,
    stream: &StreamName,
    last: u64,
) -> Result<Option<Voided>, ReconcileError> {
    let first = log.last_position().0 + 1;
    if first > last {
        return Ok(None);
    }
    let (parts, come) = mpsc::channel(AHEAD_PARTS);
    let restoring = Restoring {
        log: Arc::clone(log),
        stream: stream.clone(),
        next: first,
        taking: Units::default(),
        unit: Vec::new(),
        group: Vec::new(),
    };
    let appending = tokio::task::spawn_blocking(move || restoring.take_all(come, last));
    // Both have ended when this returns.
    let (read, appended) = tokio::join!(read_ahead(bus, stream, first, last, parts), appending);
    // What was refused lies before what could not be read.
    let (next, voided) = appended??;
    read?;
    if next <= last {
        return Err(ReconcileError::hole(stream, next));
    }
    Ok(voided)
}

/// Sends on what the stream holds, until the last one or until nobody wants
/// more.
async fn read_ahead(
    bus: &Bus,
    stream: &StreamName,
    first: u64,
    last: u64,
    parts: mpsc::Sender<Vec<Bare>>,
) -> Result<(), BusError> {
    let mut reading = bus.read_on(stream, first, last);
    loop {
        let part = reading.next().await?;
        if part.is_empty() || parts.send(part).await.is_err() {
            return Ok(());
        }
    }
}

/// The part that checks and appends.
struct Restoring {
    log: Arc<dyn EventLog>,
    stream: StreamName,
    next: u64,
    /// The records of a command whose end has not come, decoded and as they are.
    taking: Units,
    unit: Vec<Bytes>,
    group: Vec<Unit>,
}

impl Restoring {
    /// Says at which position it stopped. A torso is one only where the stream
    /// was read to its end.
    fn take_all(
        mut self,
        mut come: mpsc::Receiver<Vec<Bare>>,
        last: u64,
    ) -> Result<(u64, Option<Voided>), ReconcileError> {
        let mut told = self.next;
        while let Some(part) = come.blocking_recv() {
            let mut bytes = 0;
            let mut part = Some(part);
            while let Some(messages) = part {
                for message in messages {
                    bytes += message.payload.len();
                    self.take(message)?;
                }
                let is_full = bytes > GROUP_BYTES || self.group.len() > GROUP_UNITS;
                part = if is_full { None } else { come.try_recv().ok() };
            }
            self.append()?;
            if self.next - told >= TOLD_RECORDS {
                told = self.next;
                let position = told - 1;
                tracing::info!(stream = %self.stream, position, last, "restoring the log");
            }
        }
        if self.unit.is_empty() || self.next <= last {
            return Ok((self.next, None));
        }
        let voided = torso::append_void(&*self.log, &self.stream, self.taking.open(), self.unit)?;
        Ok((self.next, Some(voided)))
    }

    fn append(&mut self) -> Result<(), ReconcileError> {
        if !self.group.is_empty() {
            self.log.append(std::mem::take(&mut self.group))?;
        }
        Ok(())
    }

    /// On an error the whole commands before it are in the log.
    fn take(&mut self, message: Bare) -> Result<(), ReconcileError> {
        let taken = self.take_next(message);
        if taken.is_err() {
            self.append()?;
        }
        taken
    }

    fn take_next(&mut self, message: Bare) -> Result<(), ReconcileError> {
        let sequence = message.sequence;
        if sequence != self.next {
            return Err(ReconcileError::hole(&self.stream, self.next));
        }
        let not_a_record = |why: String| ReconcileError::NotARecord {
            stream: self.stream.to_string(),
            sequence,
            why,
        };
        let of_this_place = |position| match position {
            position if position == sequence => Ok(()),
            other => Err(not_a_record(format!("it says position {other}"))),
        };
        self.next += 1;
        // Most commands make one record.
        if self.unit.is_empty()
            && let Some(view) = View::of(&message.payload)
            && view.unit_remaining == 0
        {
            of_this_place(view.position)?;
            self.group.push(Unit(vec![message.payload]));
            return Ok(());
        }
        let raw = record::decode(&message.payload).map_err(|e| not_a_record(e.to_string()))?;
        of_this_place(raw.position.0)?;
        let taken = self.taking.take(raw);
        let taken = taken.map_err(|error| not_a_record(error.to_string()))?;
        self.unit.push(message.payload);
        if taken != Taken::Open {
            self.group.push(Unit(std::mem::take(&mut self.unit)));
        }
        Ok(())
    }
}
