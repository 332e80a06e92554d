//! Takes other services' events in: from the position that this service's own
//! log vouches for, in order, without acknowledgements, and a command's events
//! only once all of them are there.
//!
//! A hole in a source's stream is filled from the source's log (`source_log`);
//! a source that tells another history than before is not followed (`watch`).

mod intake;
mod source_log;
mod watch;

use std::{sync::Arc, time::Duration};

use bus::{Bus, BusError, Message, StreamName, Subscription};
use decider::{Domain, Position, Service};
use proto::{AnyEvent, unit::UnitBroken};
use tokio::time::Instant;

use crate::{
    history::{EVERY, Notes, SeenFile},
    http::Readiness,
    partition::Partition,
    peers::Peers,
    tls::TlsError,
};
use intake::Intake;
use source_log::SourceLog;
use watch::{Verdict, Watch};

#[derive(Debug, thiserror::Error)]
pub enum ReactorError {
    #[error("message {sequence} of stream {stream} cannot be read: {source}")]
    Record {
        stream: String,
        sequence: u64,
        #[source]
        source: proto::record::RecordError,
    },
    #[error("stream {stream} cannot be followed: {source}")]
    Stream {
        stream: String,
        #[source]
        source: BusError,
    },
    #[error(
        "stream {stream} has no messages {from} to {to}, but later ones. The log of the service \
         that owns it has them: give its gRPC address as sources.{service} in this service's \
         configuration, so that they are read from there"
    )]
    Hole {
        stream: String,
        service: Service,
        from: u64,
        to: u64,
    },
    #[error(
        "stream {stream} has no messages {from} to {to}, and the log at {address} does not fit to \
         the stream at position {position}: {why}. Nothing was taken in from there. Compare both \
         with `baogong audit reconcile`"
    )]
    OtherLog {
        stream: String,
        from: u64,
        to: u64,
        address: String,
        position: u64,
        why: &'static str,
    },
    #[error("sources.{service} = {address} is no address of a gRPC server")]
    Address { service: Service, address: String },
    #[error("sources.{service} cannot be called: {source}")]
    Tls {
        service: Service,
        #[source]
        source: TlsError,
    },
    #[error("message {sequence} of stream {stream} says position {position}")]
    Position {
        stream: String,
        sequence: u64,
        position: Position,
    },
    #[error("stream {stream} is broken at {source}")]
    Unit {
        stream: String,
        #[source]
        source: UnitBroken,
    },
}

/// How long to wait before a broken subscription is made anew.
const RESUBSCRIBE_AFTER: Duration = Duration::from_millis(500);

/// Where a source is, and where it is noted how far it was seen.
pub struct SourceOptions {
    pub service: Service,
    /// Of its gRPC server; what its stream has lost is read there.
    pub address: Option<String>,
    pub seen: Arc<SeenFile>,
    pub readiness: Readiness,
    pub peers: Peers,
}

/// How following ended for now.
enum Paused {
    /// The partition takes nothing any more.
    Stopped,
    /// To be begun anew after a moment.
    Again,
}

/// Follows one source until the partition stops.
///
/// # Errors
/// A message of the source is no record that this version can read, or is
/// missing and cannot be had: going on would lose a fact.
pub async fn follow<D: Domain<Foreign = AnyEvent>>(
    partition: Partition<D>,
    bus: Bus,
    source: SourceOptions,
) -> Result<(), ReactorError> {
    let stream = StreamName::new(source.service.name(), partition.number());
    let log = source
        .address
        .map(|address| SourceLog::at(source.service, partition.number(), address, &source.peers))
        .transpose()?;
    let watch = Watch::new(
        D::SERVICE,
        source.service,
        stream.clone(),
        bus.clone(),
        Notes::new(&bus),
        source.seen,
        source.readiness,
    );
    let mut follower = Follower {
        partition,
        bus,
        service: source.service,
        stream,
        log,
        watch,
    };
    loop {
        if let Paused::Stopped = follower.session().await? {
            return Ok(());
        }
        // What is queued must be taken in before the cursor is read again.
        tokio::time::sleep(RESUBSCRIBE_AFTER).await;
    }
}

struct Follower<D: Domain> {
    partition: Partition<D>,
    bus: Bus,
    service: Service,
    stream: StreamName,
    log: Option<SourceLog>,
    watch: Watch,
}

impl<D: Domain<Foreign = AnyEvent>> Follower<D> {
    /// Follows the stream until something breaks.
    async fn session(&mut self) -> Result<Paused, ReactorError> {
        let cursor = self.partition.cursor(self.service);
        match self.watch.check(cursor).await {
            Ok(Verdict::Same) => {}
            Ok(Verdict::Wait) => return Ok(Paused::Again),
            Err(error) => return self.broken(error),
        }
        let mut subscription = self.bus.subscribe(self.stream.clone(), cursor.next().0);
        let partition = self.partition.clone();
        let stream = self.stream.clone();
        let mut intake = Intake::new(&partition, self.service, &stream);
        let mut written = Instant::now();
        loop {
            match tokio::time::timeout(EVERY, subscription.next()).await {
                Ok(Ok(messages)) => {
                    for message in messages {
                        self.watch.saw(&message);
                        if !intake.take(message).await? {
                            return Ok(Paused::Stopped);
                        }
                    }
                }
                Ok(Err(BusError::Gap { expected, got })) => {
                    match self.fill(expected, got, &mut intake).await? {
                        Some(filled) => subscription = filled,
                        None => return Ok(Paused::Again),
                    }
                }
                Ok(Err(error)) => return self.broken(error),
                Err(_idle) => match self.watch.is_behind(subscription.position()).await {
                    Ok(false) => {}
                    Ok(true) => return Ok(Paused::Again),
                    Err(error) => return self.broken(error),
                },
            }
            if written.elapsed() >= EVERY {
                self.watch.write().await;
                written = Instant::now();
            }
        }
    }

    fn broken(&self, error: BusError) -> Result<Paused, ReactorError> {
        if error.is_transient() {
            tracing::warn!(
                stream = %self.stream, %error,
                "the subscription broke; subscribing again"
            );
            return Ok(Paused::Again);
        }
        Err(ReactorError::Stream {
            stream: self.stream.to_string(),
            source: error,
        })
    }

    /// Takes in from the source's log what its stream lacks before message
    /// `got`; gives the subscription that goes on there, `None` where the
    /// source cannot be asked now.
    async fn fill(
        &mut self,
        expected: u64,
        got: u64,
        intake: &mut Intake<'_, D>,
    ) -> Result<Option<Subscription>, ReactorError> {
        let Some(log) = &self.log else {
            return Err(ReactorError::Hole {
                stream: self.stream.to_string(),
                service: self.service,
                from: expected,
                to: got - 1,
            });
        };
        let hole = source_log::Hole {
            bus: &self.bus,
            stream: &self.stream,
            from: expected,
            got,
        };
        let mut next = expected;
        let filled = async {
            log.check_joins(&hole).await?;
            while next < got {
                for bytes in log.read(next, got - next).await? {
                    let message = Message {
                        sequence: next,
                        subject: String::new(),
                        headers: Vec::new(),
                        payload: bytes,
                    };
                    self.watch.saw(&message);
                    if !intake.take(message).await? {
                        return Ok(false);
                    }
                    next += 1;
                }
            }
            Ok(true)
        }
        .await;
        if next > expected {
            metrics::counter!(
                "baogong_gap_records_total",
                "service" => D::SERVICE.name(), "source" => self.service.name()
            )
            .increment(next - expected);
        }
        match filled {
            // The partition has stopped, which the next session finds.
            Ok(false) => Ok(None),
            Ok(true) => {
                tracing::warn!(
                    stream = %self.stream, from = expected, to = got - 1, log = log.address(),
                    "the stream lacks messages; they were read from the source's log"
                );
                Ok(Some(self.bus.subscribe(self.stream.clone(), got)))
            }
            Err(source_log::FillError::Away(why)) => {
                tracing::warn!(
                    stream = %self.stream, from = expected, to = got - 1, log = log.address(), why,
                    "the stream lacks messages, and the source's log cannot be read now; trying \
                     again"
                );
                Ok(None)
            }
            Err(source_log::FillError::Refused(error)) => Err(error),
        }
    }
}
