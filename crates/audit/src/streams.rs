//! The logs' replicas on the bus, as far as they are to be compared.

use std::{collections::BTreeMap, time::Duration};

use bus::{Bus, BusOptions, StreamName};
use bytes::Bytes;
use decider::{Position, Service};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    error::AuditError,
    history::{Entry, History, Log, LogName},
    progress::Progress,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A running suite publishes what was just recorded within moments.
const RELAY_PATIENCE: Duration = Duration::from_secs(10);
/// The rest of a unit follows at once, or its relay has stopped.
const UNIT_PATIENCE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(50);
const CHUNK_MESSAGES: usize = 1000;

/// What one stream holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamCopy {
    /// Message number 1 first.
    pub messages: Vec<Bytes>,
    /// Of the whole stream, which may have gone on behind `messages`.
    pub last_sequence: u64,
}

/// The streams of several logs; one that does not exist is not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Streams {
    pub copies: BTreeMap<LogName, StreamCopy>,
}

impl Streams {
    /// Streams with given messages, for example those of a test.
    pub fn from_messages(streams: impl IntoIterator<Item = (LogName, Vec<Bytes>)>) -> Self {
        let copy = |messages: Vec<Bytes>| StreamCopy {
            last_sequence: messages.len() as u64,
            messages,
        };
        let copies = streams.into_iter().map(|(name, m)| (name, copy(m)));
        Self {
            copies: copies.collect(),
        }
    }

    /// Reads from the bus as many messages as the logs have records, waiting
    /// some seconds for a running suite to publish them.
    ///
    /// # Errors
    /// NATS does not answer.
    pub async fn read(url: &str, history: &History) -> Result<Self, AuditError> {
        Self::read_with(url, history, &crate::progress::Silent).await
    }

    pub(crate) async fn read_with(
        url: &str,
        history: &History,
        progress: &dyn Progress,
    ) -> Result<Self, AuditError> {
        let bus = connect(url).await?;
        let mut streams = Self::default();
        for (name, log) in &history.logs {
            let copy = read_one(&bus, *name, log, history.live, progress)
                .await
                .map_err(|source| AuditError::Stream { log: *name, source })?;
            if let Some(copy) = copy {
                streams.copies.insert(*name, copy);
            }
        }
        Ok(streams)
    }
}

async fn connect(url: &str) -> Result<Bus, AuditError> {
    let options = BusOptions {
        url: url.to_owned(),
        name: "baogong-audit".into(),
        replicas: 1,
    };
    let bus = Bus::connect(options).await.map_err(AuditError::Nats)?;
    timeout(CONNECT_TIMEOUT, bus.wait_connected())
        .await
        .map_err(|_| AuditError::NatsUnreachable)?;
    Ok(bus)
}

/// The logs as their streams have them, and nothing else. A message is the
/// record at its sequence number; where it says another position, that is a
/// finding of `verify`.
///
/// A suite may be running: as with services, each stream is read on until it
/// holds every cause that the others name.
pub(crate) async fn history(url: &str, progress: &dyn Progress) -> Result<History, AuditError> {
    let bus = connect(url).await?;
    let mut history = History::default();
    for service in Service::ALL {
        // Partitions are numbered without gaps.
        for partition in 0.. {
            let name = LogName::new(service, partition);
            let mut log = Log::default();
            if read_on(&bus, name, &mut log, u64::MAX, progress).await? {
                history.logs.insert(name, log);
            } else if partition == 0 {
                return Err(AuditError::NoStream(service));
            } else {
                break;
            }
        }
    }
    loop {
        let mut found = false;
        for (name, wanted) in history.lacking() {
            let Some(log) = history.logs.get_mut(&name) else {
                continue;
            };
            let before = log.entries.len();
            read_on(&bus, name, log, wanted.0, progress).await?;
            found |= log.entries.len() > before;
        }
        if !found {
            return Ok(history);
        }
    }
}

/// Reads on to `wanted`, or to the stream's end, and to the end of the unit
/// there: the relay publishes its records one by one. False where there is no
/// such stream.
async fn read_on(
    bus: &Bus,
    name: LogName,
    log: &mut Log,
    wanted: u64,
    progress: &dyn Progress,
) -> Result<bool, AuditError> {
    let failed = |source| AuditError::Stream { log: name, source };
    let stream = StreamName::new(name.service.name(), name.partition);
    let what = format!("stream {stream}");
    let patience = Instant::now() + UNIT_PATIENCE;
    let mut end = wanted;
    loop {
        let Some(state) = bus.stream_state(&stream).await.map_err(failed)? else {
            return Ok(false);
        };
        end = end.min(state.last_sequence);
        let mut next = log.next_position().0;
        while next <= end {
            let limit = usize::try_from(end - next + 1).unwrap_or(CHUNK_MESSAGES);
            let limit = limit.min(CHUNK_MESSAGES);
            let part = bus.read(&stream, next, limit).await.map_err(failed)?;
            for message in &part {
                // The delivery's memory is shared: what is kept is copied.
                let bytes = Bytes::copy_from_slice(&message.payload);
                let at = Position(message.sequence);
                log.entries.push(Entry::new(at, bytes));
            }
            // What was deleted gives a part without messages; go on behind it.
            let reached = part.last().map_or(0, |message| message.sequence);
            next = reached.max(next + limit as u64 - 1) + 1;
            progress.reading(&what, log.entries.len() as u64);
        }
        match missing(log) {
            0 => return Ok(true),
            _ if Instant::now() >= patience => return Ok(true),
            missing => end = log.last_position().0 + u64::from(missing),
        }
        sleep(POLL).await;
    }
}

/// Records that the unit at the log's end still lacks.
fn missing(log: &Log) -> u32 {
    let last = log.entries.last().and_then(|last| last.record().ok());
    last.map_or(0, |raw| raw.unit_remaining)
}

async fn read_one(
    bus: &Bus,
    name: LogName,
    log: &Log,
    live: bool,
    progress: &dyn Progress,
) -> Result<Option<StreamCopy>, bus::BusError> {
    let stream = StreamName::new(name.service.name(), name.partition);
    let wanted = log.last_position().0;
    let patience = Instant::now() + RELAY_PATIENCE;
    let state = loop {
        let state = bus.stream_state(&stream).await?;
        let last = state.map_or(0, |state| state.last_sequence);
        if !live || last >= wanted || Instant::now() >= patience {
            break state;
        }
        sleep(POLL).await;
    };
    let Some(state) = state else { return Ok(None) };
    let mut copy = StreamCopy {
        messages: Vec::new(),
        last_sequence: state.last_sequence,
    };
    let what = format!("stream {stream}");
    let end = wanted.min(state.last_sequence);
    while (copy.messages.len() as u64) < end {
        let done = copy.messages.len() as u64;
        let limit = usize::try_from(end - done).unwrap_or(CHUNK_MESSAGES);
        let part = bus
            .read(&stream, done + 1, limit.min(CHUNK_MESSAGES))
            .await?;
        // What is missing in the middle is an empty message here, and differs.
        let Some(last) = part.last().map(|message| message.sequence) else {
            break;
        };
        for message in part {
            while (copy.messages.len() as u64) + 1 < message.sequence {
                copy.messages.push(Bytes::new());
            }
            // The delivery's memory is shared: what is kept is copied.
            copy.messages.push(Bytes::copy_from_slice(&message.payload));
        }
        if last <= done {
            break;
        }
        progress.reading(&what, copy.messages.len() as u64);
    }
    Ok(Some(copy))
}
