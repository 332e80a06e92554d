//! Creating, checking and reading the streams of service partitions.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, ConsumerErrorKind, Info, RawMessageErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use futures::StreamExt;

use crate::connection::{Backoff, Bus, REQUEST_TIMEOUT};
use crate::error::{BusError, chain};
use crate::message::Message;
use crate::names::StreamName;
use crate::settings;

/// Messages asked for at a time while reading a range.
const READ_BATCH: usize = 1000;
/// A consumer that nobody has asked anything of is removed by the server.
const CONSUMER_IDLE_MAX: Duration = Duration::from_secs(60);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// A cluster may place a consumer on a member that has just died and is not
/// missed yet; then it does not answer, and the next attempt may do better.
const CONSUMER_CREATE_MAX: Duration = Duration::from_secs(2);
const READ_ATTEMPTS: usize = 5;
/// Version of nats-server that knows a stream's `first_seq`.
const FIRST_SEQUENCE_SINCE: (u64, u64) = (2, 10);

/// What a stream holds. Both are 0 when nothing was ever stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamState {
    /// 1 in a complete replica. In one that was made anew from a later position
    /// it is that position, also while nothing is stored.
    pub first_sequence: u64,
    pub last_sequence: u64,
}

impl From<&Info> for StreamState {
    fn from(info: &Info) -> Self {
        Self {
            first_sequence: info.state.first_sequence,
            last_sequence: info.state.last_sequence,
        }
    }
}

impl Bus {
    /// Creates the stream if it is missing and reads back its settings. Waits
    /// for as long as JetStream does not answer; dropping the future is fine.
    ///
    /// # Errors
    /// [`BusError::Settings`] if the stream is set differently in what
    /// matters, [`BusError::Refused`] if the server will not create it.
    pub async fn ensure_stream(&self, name: &StreamName) -> Result<StreamState, BusError> {
        let mut wanted = settings::of_log(name, self.replicas);
        wanted.first_sequence = self.rebuild_from;
        let info = self.ensure(&wanted).await?;
        Ok(StreamState::from(&info))
    }

    /// The member of a cluster that leads the stream, by its server's name.
    /// `None`: there is none at the moment, no such stream, or no cluster.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] if JetStream does not answer within seconds.
    pub async fn stream_leader(&self, name: &StreamName) -> Result<Option<String>, BusError> {
        let info = self.info(&name.to_string()).await?;
        Ok(info.and_then(|info| info.cluster?.leader))
    }

    /// `None` if the stream does not exist.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] if JetStream does not answer within seconds.
    pub async fn stream_state(&self, name: &StreamName) -> Result<Option<StreamState>, BusError> {
        let info = self.info(&name.to_string()).await?;
        Ok(info.as_ref().map(StreamState::from))
    }

    /// The messages at positions `from` to `from + limit − 1`, as far as the
    /// stream holds them, in order.
    ///
    /// # Errors
    /// [`BusError::NoStream`], [`BusError::Unavailable`].
    pub async fn read(
        &self,
        name: &StreamName,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Message>, BusError> {
        let from = from.max(1);
        let Some(state) = self.stream_state(name).await? else {
            return Err(BusError::NoStream {
                stream: name.to_string(),
            });
        };
        let limit_to = from.saturating_add(limit as u64).saturating_sub(1);
        let to = state.last_sequence.min(limit_to);
        if to < from.max(state.first_sequence) {
            return Ok(Vec::new());
        }
        if from == to {
            return Ok(self.read_one(name, from).await?.into_iter().collect());
        }
        let mut attempt = 1;
        loop {
            match self.read_range(name, from, to).await {
                Err(e) if e.is_transient() && attempt < READ_ATTEMPTS && self.is_connected() => {
                    tracing::debug!(stream = %name, error = chain(&e), "reading again");
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// From the stream's leader, so that the answer is never a stale one.
    async fn read_one(&self, name: &StreamName, at: u64) -> Result<Option<Message>, BusError> {
        let doing = || format!("reading message {at} of {name}");
        let stream = self
            .jetstream
            .get_stream_no_info(name.to_string())
            .await
            .map_err(|e| BusError::unavailable(doing(), e))?;
        match stream.get_raw_message(at).await {
            Ok(stored) => Ok(Some(Message::from_store(stored))),
            Err(e) => match e.kind() {
                RawMessageErrorKind::NoMessageFound => Ok(None),
                _ => Err(BusError::unavailable(doing(), e)),
            },
        }
    }

    async fn read_range(
        &self,
        name: &StreamName,
        from: u64,
        to: u64,
    ) -> Result<Vec<Message>, BusError> {
        let failed = |e| BusError::unavailable(format!("reading {from} to {to} of {name}"), e);
        let consumer = self.consumer(name, from).await?;
        let mut messages = Vec::new();
        let mut at = from - 1;
        while at < to {
            let wanted = usize::try_from(to - at)
                .unwrap_or(READ_BATCH)
                .min(READ_BATCH);
            let mut batch = consumer
                .batch()
                .max_messages(wanted)
                .expires(REQUEST_TIMEOUT)
                .messages()
                .await
                .map_err(|e| failed(e.into()))?;
            let before = at;
            while at < to {
                let Some(delivery) = batch.next().await else {
                    break;
                };
                let message = Message::from_delivery(delivery.map_err(failed)?)?;
                at = message.sequence;
                if at <= to {
                    messages.push(message);
                }
            }
            if at == before {
                return Err(failed(
                    format!("nothing came after message {before}").into(),
                ));
            }
        }
        // Only tidiness: the server removes an idle consumer by itself.
        let _ = self
            .jetstream
            .delete_consumer_from_stream(&consumer.cached_info().name, name.to_string())
            .await;
        Ok(messages)
    }

    /// A consumer in memory, without acknowledgements, that begins at `from`.
    pub(crate) async fn consumer(
        &self,
        name: &StreamName,
        from: u64,
    ) -> Result<PullConsumer, BusError> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: from,
            },
            ack_policy: AckPolicy::None,
            inactive_threshold: CONSUMER_IDLE_MAX,
            num_replicas: 1,
            memory_storage: true,
            ..pull::Config::default()
        };
        let created = self
            .jetstream
            .create_consumer_on_stream(config, name.to_string());
        let consumer = tokio::time::timeout(CONSUMER_CREATE_MAX, created)
            .await
            .map_err(|e| BusError::unavailable(format!("creating a consumer on {name}"), e))?
            .map_err(|e| match e.kind() {
                ConsumerErrorKind::JetStream(answer)
                    if answer.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    BusError::NoStream {
                        stream: name.to_string(),
                    }
                }
                _ => BusError::unavailable(format!("creating a consumer on {name}"), e),
            })?;
        let found = consumer.cached_info().config.deliver_policy;
        if found
            != (DeliverPolicy::ByStartSequence {
                start_sequence: from,
            })
        {
            return Err(BusError::Settings {
                stream: name.to_string(),
                setting: "consumer's deliver_policy",
                wanted: format!("by start sequence {from}"),
                found: format!("{found:?}"),
            });
        }
        Ok(consumer)
    }

    pub(crate) async fn info(&self, stream: &str) -> Result<Option<Info>, BusError> {
        match self.jetstream.get_stream(stream).await {
            Ok(found) => Ok(Some(found.cached_info().clone())),
            Err(e) => match e.kind() {
                GetStreamErrorKind::JetStream(answer)
                    if answer.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Ok(None)
                }
                _ => Err(BusError::unavailable(
                    format!("asking for the state of {stream}"),
                    e,
                )),
            },
        }
    }

    /// Waits until the stream exists as wanted.
    pub(crate) async fn ensure(&self, wanted: &Config) -> Result<Info, BusError> {
        let mut backoff = Backoff::up_to(PAUSE_MAX);
        let mut connects = self.connects();
        loop {
            self.wait_connected().await;
            connects.borrow_and_update();
            let attempt = tokio::select! {
                attempt = self.ensure_once(wanted) => attempt,
                // What was asked on the old connection is not answered any more.
                _ = connects.changed() => continue,
            };
            match attempt {
                Err(e) if e.is_transient() => {
                    tracing::warn!(
                        stream = wanted.name,
                        error = chain(&e),
                        "JetStream: waiting"
                    );
                    let pause = backoff.next();
                    let _ = tokio::time::timeout(pause, connects.changed()).await;
                }
                outcome => return outcome,
            }
        }
    }

    pub(crate) async fn ensure_once(&self, wanted: &Config) -> Result<Info, BusError> {
        let mut created = self.info(&wanted.name).await?.is_none();
        if created {
            self.check_can_begin_later(wanted)?;
            if let Err(refused) = self.create(wanted).await {
                // If another creates it at this moment, the server finds that
                // the subjects overlap with those of the other's stream.
                if self.info(&wanted.name).await?.is_none() {
                    return Err(refused);
                }
                created = false;
            } else {
                tracing::info!(stream = wanted.name, "JetStream stream created");
            }
        }
        let Some(info) = self.info(&wanted.name).await? else {
            return Err(BusError::NoStream {
                stream: wanted.name.clone(),
            });
        };
        settings::check(wanted, &info.config)?;
        if let (true, Some(first)) = (created, wanted.first_sequence)
            && info.config.first_sequence != Some(first)
        {
            return Err(BusError::Settings {
                stream: wanted.name.clone(),
                setting: "first_seq",
                wanted: first.to_string(),
                found: format!("{:?}", info.config.first_sequence),
            });
        }
        Ok(info)
    }

    /// An older server would drop the field without a word and begin at 1.
    fn check_can_begin_later(&self, wanted: &Config) -> Result<(), BusError> {
        let Some(first) = wanted.first_sequence else {
            return Ok(());
        };
        let version = self.server_version();
        let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
        let version_is: (u64, u64) = (
            numbers.next().unwrap_or_default(),
            numbers.next().unwrap_or_default(),
        );
        if version_is >= FIRST_SEQUENCE_SINCE {
            return Ok(());
        }
        Err(BusError::Refused {
            stream: wanted.name.clone(),
            reason: format!(
                "it is to begin at {first}, and nats-server {version} cannot do that; 2.10 or \
                 newer is needed. Without nats.rebuild_from the stream is filled from 1"
            ),
        })
    }

    async fn create(&self, wanted: &Config) -> Result<(), BusError> {
        let Err(error) = self.jetstream.create_stream(wanted).await else {
            return Ok(());
        };
        match error.kind() {
            CreateStreamErrorKind::JetStream(answer) => after_refusal(wanted, &answer),
            _ => Err(BusError::unavailable(
                format!("creating {}", wanted.name),
                error,
            )),
        }
    }
}

fn after_refusal(wanted: &Config, answer: &jetstream::Error) -> Result<(), BusError> {
    match answer.error_code() {
        // Somebody else was faster; the settings are compared next.
        ErrorCode::STREAM_NAME_EXIST => Ok(()),
        ErrorCode::STREAM_SUBJECT_OVERLAP
        | ErrorCode::STREAM_INVALID_CONFIG
        | ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED
        | ErrorCode::MAXIMUM_STREAMS_LIMIT
        | ErrorCode::NOT_SUPPORTED_IN_CLUSTER_MODE => Err(BusError::Refused {
            stream: wanted.name.clone(),
            reason: answer.to_string(),
        }),
        _ => Err(BusError::unavailable(
            format!("creating {}", wanted.name),
            answer.clone(),
        )),
    }
}
