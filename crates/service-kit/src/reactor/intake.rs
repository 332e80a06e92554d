//! From a source's messages to what the partition takes in: decoded, and whole
//! commands only.

use bus::{Message, StreamName};
use decider::{Domain, Service, Source};
use proto::{
    AnyEvent,
    record::Raw,
    unit::{Taken, Units},
};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::ReactorError;
use crate::{partition::Partition, telemetry};

/// Takes messages in, unit by unit: what a command recorded is acted upon only
/// when all of it is there.
pub(super) struct Intake<'a, D: Domain> {
    partition: &'a Partition<D>,
    source: Service,
    stream: &'a StreamName,
    units: Units,
}

impl<'a, D: Domain<Foreign = AnyEvent>> Intake<'a, D> {
    pub(super) fn new(
        partition: &'a Partition<D>,
        source: Service,
        stream: &'a StreamName,
    ) -> Self {
        Self {
            partition,
            source,
            stream,
            units: Units::default(),
        }
    }

    /// Says whether the partition still takes anything.
    pub(super) async fn take(&mut self, message: Message) -> Result<bool, ReactorError> {
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
