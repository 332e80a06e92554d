//! Takes other services' events in: from the position that this service's own
//! log vouches for, in order, without acknowledgements.

use std::time::Duration;

use bus::{Bus, BusError, Message, StreamName};
use decider::{Domain, Position, Service, Source};
use proto::AnyEvent;
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
        let error = loop {
            match subscription.next().await {
                Ok(messages) => {
                    for message in messages {
                        if !take_in(&partition, source, &stream, message).await? {
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

async fn take_in<D: Domain<Foreign = AnyEvent>>(
    partition: &Partition<D>,
    service: Service,
    stream: &StreamName,
    message: Message,
) -> Result<bool, ReactorError> {
    let unreadable = |source| ReactorError::Record {
        stream: stream.to_string(),
        sequence: message.sequence,
        source,
    };
    let raw = proto::record::decode(&message.payload).map_err(unreadable)?;
    if raw.position.0 != message.sequence {
        return Err(ReactorError::Position {
            stream: stream.to_string(),
            sequence: message.sequence,
            position: raw.position,
        });
    }
    let event =
        AnyEvent::decode(service, &raw.event.type_name, &raw.event.data).map_err(|source| {
            unreadable(proto::record::RecordError::Event {
                position: raw.position.0,
                source,
            })
        })?;
    let type_name = raw.event.type_name.clone();
    let source = Source {
        service,
        partition: partition.number(),
        position: raw.position,
    };
    let traceparent = if telemetry::exporting() {
        let span = tracing::info_span!(
            "react",
            otel.name = %format!("{} react {}", D::SERVICE, raw.event.short_name()),
            otel.kind = "consumer",
            messaging.system = "nats",
            messaging.destination.name = %stream,
            messaging.message.id = %raw.event_id,
        );
        let _ = span.set_parent(telemetry::context_of(&raw.traceparent));
        telemetry::traceparent(&span)
    } else {
        raw.traceparent.clone()
    };
    let foreign = raw.map(|_| event);
    Ok(partition
        .take_in(source, foreign, type_name, traceparent)
        .await
        .is_ok())
}
