//! The event log as the relay sees it: records with their subject and their
//! CloudEvents headers.
//!
//! CloudEvents 1.0, NATS protocol binding, binary mode: one `ce-` header for
//! each attribute, the payload is the record's bytes.

use std::sync::Arc;

use bus::{OutMessage, Outbox};
use decider::{Position, Service};
use event_log::EventLog;
use futures::future::BoxFuture;
use proto::record::Raw;

pub struct LogOutbox {
    pub service: Service,
    pub partition: u32,
    pub log: Arc<dyn EventLog>,
}

impl Outbox for LogOutbox {
    fn read(
        &self,
        from: u64,
        limit: usize,
    ) -> Result<Vec<OutMessage>, Box<dyn std::error::Error + Send + Sync>> {
        let entries = self.log.read(Position(from), limit)?;
        let mut messages = Vec::with_capacity(entries.len());
        for entry in entries {
            let raw = proto::record::decode(&entry.bytes)?;
            messages.push(OutMessage {
                position: entry.position.0,
                subject: bus::subject(
                    self.service.name(),
                    self.partition,
                    raw.area.as_str(),
                    raw.event.short_name(),
                ),
                headers: headers(self.service, self.partition, &raw),
                payload: entry.bytes,
            });
        }
        Ok(messages)
    }

    fn last_position(&self) -> u64 {
        self.log.last_position().0
    }

    fn wait_past(&self, position: u64) -> BoxFuture<'_, ()> {
        let mut last = self.log.watch();
        Box::pin(async move {
            // An error means that the log is gone, and everything to relay.
            if last.wait_for(|last| last.0 > position).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

fn headers(service: Service, partition: u32, raw: &Raw) -> Vec<(String, String)> {
    let mut headers = vec![
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", raw.event_id.clone()),
        ("ce-source", format!("/baogong/{service}/{partition}")),
        ("ce-type", raw.event.type_name.clone()),
        ("ce-subject", raw.stream.as_str().to_owned()),
        ("ce-time", rfc3339(raw.recorded)),
        ("ce-datacontenttype", "application/protobuf".to_owned()),
        ("ce-dataschema", "baogong.log.v1.Record".to_owned()),
    ];
    if !raw.traceparent.is_empty() {
        headers.push(("traceparent", raw.traceparent.clone()));
    }
    headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// RFC 3339 in UTC with milliseconds.
#[must_use]
pub fn rfc3339(time: decider::Timestamp) -> String {
    let millis = u64::try_from(time.0).unwrap_or_default();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(millis);
    humantime::format_rfc3339_millis(time).to_string()
}
