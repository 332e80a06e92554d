//! Takes other services' events in: from the position that this service's own
//! log vouches for, in order, without acknowledgements, and a command's events
//! only once all of them are there.

use std::time::Duration;

use bus::{Bus, BusError, Message, StreamName};
use decider::{Domain, Position, Service, Source};
use proto::{
    AnyEvent,
    record::Raw,
    unit::{Taken, UnitBroken, Units},
};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::{partition::Partition, telemetry};

#[derive(Debug, thiserror::Error)]
pub enum ReactorError {
    #[error("message {sequence} of stream {stream} cannot be read: {source}")]
    Record {
        stream: String,
        sequence: u64,
        #[source]
        source: proto::record::RecordError,
    },
    #[error(
        "stream {stream} cannot be followed: {source}. Facts are missing there; the service that \
         owns it fills its stream from its log when it starts"
    )]
    Stream {
        stream: String,
        #[source]
        source: BusError,
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

/// Follows one source until the partition stops.
///
/// # Errors
/// A message of the source is no record that this version can read: going on
/// would lose a fact.
pub async fn follow<D: Domain<Foreign = AnyEvent>>(
    partition: Partition<D>,
    bus: Bus,
    source: Service,
) -> Result<(), ReactorError> {
    let stream = StreamName {
        service: source.name().to_owned(),
        partition: partition.number(),
    };
    loop {
        let next = partition.cursor(source).next();
        let mut subscription = bus.subscribe(stream.clone(), next.0);
        let mut intake = Intake::new(&partition, source, &stream);
        let error = loop {
            match subscription.next().await {
                Ok(messages) => {
                    for message in messages {
                        if !intake.take(message).await? {
                            return Ok(());
                        }
                    }
                }
                Err(error) if error.is_transient() => break error,
                Err(source) => {
                    return Err(ReactorError::Stream {
                        stream: stream.to_string(),
                        source,
                    });
                }
            }
        };
        warn(&stream, &error);
        // What is queued must be taken in before the cursor is read again.
        tokio::time::sleep(RESUBSCRIBE_AFTER).await;
    }
}

fn warn(stream: &StreamName, error: &BusError) {
    tracing::warn!(%stream, %error, "the subscription broke; subscribing again");
}

/// Takes messages in, unit by unit: what a command recorded is acted upon only
/// when all of it is there.
struct Intake<'a, D: Domain> {
    partition: &'a Partition<D>,
    source: Service,
    stream: &'a StreamName,
    units: Units,
}

impl<'a, D: Domain<Foreign = AnyEvent>> Intake<'a, D> {
    fn new(partition: &'a Partition<D>, source: Service, stream: &'a StreamName) -> Self {
        Self {
            partition,
            source,
            stream,
            units: Units::default(),
        }
    }

    /// Says whether the partition still takes anything.
    async fn take(&mut self, message: Message) -> Result<bool, ReactorError> {
        let raw =
            proto::record::decode(&message.payload).map_err(|source| ReactorError::Record {
                stream: self.stream.to_string(),
                sequence: message.sequence,
                source,
            })?;
        if raw.position.0 != message.sequence {
            return Err(ReactorError::Position {
                stream: self.stream.to_string(),
                sequence: message.sequence,
                position: raw.position,
            });
        }
        let taken = self.units.take(raw).map_err(|source| ReactorError::Unit {
            stream: self.stream.to_string(),
            source,
        })?;
        let records = match taken {
            Taken::Open => return Ok(true),
            Taken::Whole(records) => records,
            Taken::Void { note, torso } => {
                tracing::warn!(
                    stream = %self.stream, position = %note.position, records = torso.len(),
                    "a command of the source is void, since its end was lost; passing it over"
                );
                // Nothing is concluded from the note, and the cursor is behind
                // it: so it is behind the torso.
                vec![*note]
            }
        };
        for raw in records {
            if !self.take_in(raw).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn take_in(&self, raw: Raw) -> Result<bool, ReactorError> {
        let position = raw.position;
        let event = AnyEvent::decode(self.source, &raw.event.type_name, &raw.event.data).map_err(
            |source| ReactorError::Record {
                stream: self.stream.to_string(),
                sequence: position.0,
                source: proto::record::RecordError::Event {
                    position: position.0,
                    source,
                },
            },
        )?;
        let source = Source {
            service: self.source,
            partition: self.partition.number(),
            position,
        };
        let type_name = raw.event.type_name.clone();
        let traceparent = self.traceparent(&raw, D::SERVICE);
        let taken = self
            .partition
            .take_in(source, raw.map(|_| event), type_name, traceparent)
            .await;
        Ok(taken.is_ok())
    }

    fn traceparent(&self, raw: &Raw, service: Service) -> String {
        if !telemetry::exporting() {
            return raw.traceparent.clone();
        }
        let span = tracing::info_span!(
            "react",
            otel.name = %format!("{service} react {}", raw.event.short_name()),
            otel.kind = "consumer",
            messaging.system = "nats",
            messaging.destination.name = %self.stream,
            messaging.message.id = %raw.event_id,
        );
        let _ = span.set_parent(telemetry::context_of(&raw.traceparent));
        telemetry::traceparent(&span)
    }
}
