//! Messages as callers see them, and their form on the wire.

use std::str::FromStr;

use async_nats::header::{
    NATS_EXPECTED_LAST_MESSAGE_ID, NATS_EXPECTED_LAST_SEQUENCE, NATS_MESSAGE_ID,
};
use async_nats::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;

use crate::error::{BoxError, BusError};

/// Headers that guard the publishing and are no part of the message.
const OF_THE_RELAY: [HeaderName; 3] = [
    NATS_EXPECTED_LAST_MESSAGE_ID,
    NATS_EXPECTED_LAST_SEQUENCE,
    NATS_MESSAGE_ID,
];

/// A message as the stream holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Equals the position of the record in the source's event log.
    pub sequence: u64,
    pub subject: String,
    /// In no particular order.
    pub headers: Vec<(String, String)>,
    pub payload: Bytes,
}

/// A message without what goes with its record: for who reads very many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bare {
    /// As [`Message::sequence`].
    pub sequence: u64,
    pub payload: Bytes,
}

/// A record on its way to the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutMessage {
    /// Position in the event log, which the stream's sequence must become.
    pub position: u64,
    pub subject: String,
    pub headers: Vec<(String, String)>,
    /// The record's bytes as in the log.
    pub payload: Bytes,
}

impl OutMessage {
    /// Tells the message from any other that could be stored at its position.
    ///
    /// The first of a stream has the same one in every history: servers up to
    /// 2.9 take an expected sequence of 0 for none at all, and of two writers
    /// that both found the stream empty the second is told by this that its
    /// message is a duplicate.
    pub(crate) fn id(&self) -> String {
        match self.position {
            1 => "1".to_owned(),
            position => format!("{position}-{:08x}", crc32c::crc32c(&self.payload)),
        }
    }

    /// The headers with the fence: the server stores the message only as
    /// number `position`, and, where `after` is given, only behind the message
    /// with that id.
    pub(crate) fn fenced_headers(
        &self,
        id: &str,
        after: Option<&str>,
    ) -> Result<HeaderMap, BoxError> {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            let header = HeaderName::from_str(name)
                .map_err(|_| format!("`{name}` cannot be the name of a header"))?;
            let value = HeaderValue::from_str(value)
                .map_err(|_| format!("the value of header `{name}` has a line break"))?;
            map.append(header, value);
        }
        map.insert(
            NATS_EXPECTED_LAST_SEQUENCE,
            HeaderValue::from(self.position.saturating_sub(1)),
        );
        map.insert(NATS_MESSAGE_ID, id);
        if let Some(after) = after {
            map.insert(NATS_EXPECTED_LAST_MESSAGE_ID, after);
        }
        Ok(map)
    }
}

impl Message {
    pub(crate) fn from_delivery(
        delivery: async_nats::jetstream::Message,
    ) -> Result<Self, BusError> {
        let sequence = sequence_of(&delivery)?;
        let message = delivery.message;
        Ok(Self {
            sequence,
            subject: message.subject.into_string(),
            headers: message.headers.as_ref().map(pairs).unwrap_or_default(),
            payload: message.payload,
        })
    }

    pub(crate) fn from_store(stored: async_nats::jetstream::message::StreamMessage) -> Self {
        Self {
            sequence: stored.sequence,
            subject: stored.subject.into_string(),
            headers: pairs(&stored.headers),
            payload: stored.payload,
        }
    }
}

impl Bare {
    pub(crate) fn from_delivery(
        delivery: async_nats::jetstream::Message,
    ) -> Result<Self, BusError> {
        Ok(Self {
            sequence: sequence_of(&delivery)?,
            payload: delivery.message.payload,
        })
    }
}

impl From<Message> for Bare {
    fn from(message: Message) -> Self {
        Self {
            sequence: message.sequence,
            payload: message.payload,
        }
    }
}

fn sequence_of(delivery: &async_nats::jetstream::Message) -> Result<u64, BusError> {
    let info = delivery.info();
    let info =
        info.map_err(|e| BusError::unavailable("a delivery without a sequence came in", e))?;
    Ok(info.stream_sequence)
}

/// The headers that the sender gave, without those of the relay.
fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| !OF_THE_RELAY.contains(name))
        .flat_map(|(name, values)| {
            values
                .iter()
                .map(move |value| (name.to_string(), value.to_string()))
        })
        .collect()
}
