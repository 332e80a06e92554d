//! A JetStream key-value bucket (NATS ADR-8) for data keys: small secrets that
//! must be forgettable, which a log is not.
//!
//! The last value of a key counts. A value that is replaced or purged is
//! destroyed: the server overwrites it in its file, since a mere removal would
//! leave the bytes on disk until the file is compacted. In a cluster the
//! copies in the servers' own raft logs last until those are compacted.

use std::collections::HashMap;

use async_nats::jetstream::kv::{CreateErrorKind, Operation, Store, UpdateErrorKind};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{
    DeleteMessageErrorKind, LastRawMessageErrorKind, RawMessageErrorKind,
};
use async_nats::jetstream::{ErrorCode, context::KeyValueErrorKind};
use bytes::Bytes;
use futures::TryStreamExt;

use crate::connection::Bus;
use crate::error::{BoxError, BusError};
use crate::settings;

/// See [`Bus::key_bucket`].
#[derive(Clone)]
pub struct KeyBucket {
    store: Store,
}

/// A value with the number by which it can be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub value: Bytes,
    pub revision: u64,
}

impl std::fmt::Debug for KeyBucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeyBucket").field(&self.store.name).finish()
    }
}

impl Bus {
    /// Creates the bucket if it is missing and reads back its settings. Waits
    /// for as long as JetStream does not answer; dropping the future is fine.
    ///
    /// # Errors
    /// [`BusError::Settings`], [`BusError::Refused`], or
    /// [`BusError::Config`] for a name with other characters than
    /// `[A-Za-z0-9_-]`.
    pub async fn key_bucket(&self, bucket: &str) -> Result<KeyBucket, BusError> {
        loop {
            self.widen(bucket).await?;
            self.ensure(&settings::of_bucket(bucket, self.replicas))
                .await?;
            match self.jetstream.get_key_value(bucket).await {
                Ok(store) => return Ok(KeyBucket { store }),
                Err(e) if e.kind() == KeyValueErrorKind::InvalidStoreName => {
                    return Err(BusError::Config(format!("`{bucket}` cannot name a bucket")));
                }
                // The server went away in between.
                Err(_) => {}
            }
        }
    }

    /// Buckets of the first release kept one value of a key, so that a value
    /// that was replaced was gone from sight before it could be destroyed.
    async fn widen(&self, bucket: &str) -> Result<(), BusError> {
        self.wait_connected().await;
        let wanted = settings::of_bucket(bucket, self.replicas);
        // An unreachable server is waited for by `ensure`, which comes next.
        let Ok(Some(info)) = self.info(&wanted.name).await else {
            return Ok(());
        };
        if info.config.max_messages_per_subject != 1 {
            return Ok(());
        }
        let mut config = info.config;
        config.max_messages_per_subject = settings::BUCKET_HISTORY;
        match self.jetstream.update_stream(&config).await {
            Ok(_) => Ok(()),
            Err(e) => Err(BusError::unavailable(
                format!("letting bucket {bucket} keep a value until it is destroyed"),
                e,
            )),
        }
    }
}

impl KeyBucket {
    /// The value of `key`, `None` if it was never put or is purged.
    ///
    /// # Errors
    /// [`BusError::Key`], [`BusError::Unavailable`].
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, BusError> {
        check_key(key)?;
        let value = self.store.get(key).await;
        value.map_err(|e| self.unavailable("reading", e))
    }

    /// Puts `value` if `key` has none (a purged key has none). `false` means
    /// that there is one, which stays as it is.
    ///
    /// # Errors
    /// [`BusError::Key`]; [`BusError::Unavailable`], after which the value may
    /// or may not have been put.
    pub async fn create(&self, key: &str, value: Bytes) -> Result<bool, BusError> {
        check_key(key)?;
        match self.store.create(key, value).await {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == CreateErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(self.unavailable("putting", e)),
        }
    }

    /// As [`Self::get`], with the revision by which the value can be replaced.
    ///
    /// # Errors
    /// [`BusError::Key`], [`BusError::Unavailable`].
    pub async fn kept(&self, key: &str) -> Result<Option<Kept>, BusError> {
        check_key(key)?;
        let entry = self.store.entry(key).await;
        let entry = entry.map_err(|e| self.unavailable("reading", e))?;
        Ok(entry
            .filter(|entry| entry.operation == Operation::Put)
            .map(|entry| Kept {
                value: entry.value,
                revision: entry.revision,
            }))
    }

    /// Puts `value` in the place of the one at `revision`, which is destroyed
    /// then. `false` means that somebody else has changed or purged it, and
    /// nothing happened.
    ///
    /// # Errors
    /// [`BusError::Key`]; [`BusError::Unavailable`], after which the value may
    /// or may not be replaced, and the old one may be there still: see
    /// [`Self::sweep`].
    pub async fn replace(&self, key: &str, value: Bytes, revision: u64) -> Result<bool, BusError> {
        check_key(key)?;
        match self.store.update(key, value, revision).await {
            Ok(_) => {}
            Err(e) if e.kind() == UpdateErrorKind::WrongLastRevision => return Ok(false),
            Err(e) => return Err(self.unavailable("replacing", e)),
        }
        self.destroy(revision).await?;
        Ok(true)
    }

    /// Puts `value` whatever is there, and destroys all that was.
    ///
    /// # Errors
    /// [`BusError::Key`]; [`BusError::Unavailable`], after which the old values
    /// may or may not be gone: put it again.
    pub async fn overwrite(&self, key: &str, value: Bytes) -> Result<(), BusError> {
        check_key(key)?;
        let kept = self.kept(key).await?;
        let last = match kept {
            Some(kept) if kept.value == value => kept.revision,
            _ => {
                let put = self.store.put(key, value).await;
                put.map_err(|e| self.unavailable("putting", e))?
            }
        };
        self.destroy_before(key, last).await
    }

    /// Destroys the values of `key`. Nothing happens where there are none.
    ///
    /// # Errors
    /// [`BusError::Key`]; [`BusError::Unavailable`], after which the value may
    /// or may not be gone: purge again.
    pub async fn purge(&self, key: &str) -> Result<(), BusError> {
        check_key(key)?;
        let Some(kept) = self.kept(key).await? else {
            return Ok(());
        };
        self.destroy_before(key, kept.revision).await?;
        self.destroy(kept.revision).await?;
        let marker = self.store.purge(key).await;
        marker.map_err(|e| self.unavailable("marking as purged", e))
    }

    /// Every key that has a value, in no order.
    ///
    /// # Errors
    /// [`BusError::Unavailable`].
    pub async fn keys(&self) -> Result<Vec<String>, BusError> {
        let keys = self.store.keys().await;
        let keys = keys.map_err(|e| self.unavailable("listing", e))?;
        let keys: Result<Vec<String>, _> = keys.try_collect().await;
        keys.map_err(|e| self.unavailable("listing", e))
    }

    /// Destroys values that were replaced, but not destroyed, before a crash;
    /// gives how many. Reads the whole bucket only where there are such.
    ///
    /// # Errors
    /// [`BusError::Unavailable`]: sweep again.
    pub async fn sweep(&self) -> Result<u64, BusError> {
        let info = self.store.stream.get_info().await;
        let state = info.map_err(|e| self.unavailable("counting", e))?.state;
        if state.messages <= state.subjects_count {
            return Ok(0);
        }
        let all = format!("{}>", self.store.prefix);
        let mut latest: HashMap<String, u64> = HashMap::new();
        let mut destroyed = 0;
        let mut from = state.first_sequence.max(1);
        while let Some(message) = self.next(&all, from).await? {
            from = message.sequence + 1;
            let before = latest.insert(message.subject.to_string(), message.sequence);
            if let Some(shadowed) = before {
                self.destroy(shadowed).await?;
                destroyed += 1;
            }
        }
        Ok(destroyed)
    }

    /// Destroys the values of `key` before revision `last`.
    async fn destroy_before(&self, key: &str, last: u64) -> Result<(), BusError> {
        let subject = format!("{}{key}", self.store.prefix);
        let mut from = 1;
        while let Some(message) = self.next(&subject, from).await?
            && message.sequence < last
        {
            self.destroy(message.sequence).await?;
            from = message.sequence + 1;
        }
        Ok(())
    }

    async fn next(&self, subject: &str, from: u64) -> Result<Option<StreamMessage>, BusError> {
        let stream = &self.store.stream;
        match stream.get_first_raw_message_by_subject(subject, from).await {
            Ok(message) => Ok(Some(message)),
            Err(e) if e.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(e) => Err(self.unavailable("reading", e)),
        }
    }

    /// Overwrites a message on the server's disk and takes it out.
    async fn destroy(&self, revision: u64) -> Result<(), BusError> {
        match self.store.stream.delete_message(revision).await {
            Ok(_) => Ok(()),
            Err(e) if is_gone(&e.kind()) => Ok(()),
            // Also what the later of two at once is told.
            Err(e) if has_failed(&e.kind()) && !self.is_there(revision).await? => Ok(()),
            Err(e) => Err(self.unavailable("destroying", e)),
        }
    }

    async fn is_there(&self, revision: u64) -> Result<bool, BusError> {
        match self.store.stream.get_raw_message(revision).await {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == RawMessageErrorKind::NoMessageFound => Ok(false),
            Err(e) => Err(self.unavailable("reading", e)),
        }
    }

    /// Without the key, which may tell whose data it protects.
    fn unavailable(&self, doing: &str, source: impl Into<BoxError>) -> BusError {
        BusError::unavailable(
            format!("{doing} a key in bucket {}", self.store.name),
            source,
        )
    }
}

fn is_gone(kind: &DeleteMessageErrorKind) -> bool {
    matches!(kind, DeleteMessageErrorKind::JetStream(answer)
        if answer.error_code() == ErrorCode::NO_MESSAGE_FOUND
            || answer.error_code() == ErrorCode::SEQUENCE_NOT_FOUND)
}

fn has_failed(kind: &DeleteMessageErrorKind) -> bool {
    matches!(kind, DeleteMessageErrorKind::JetStream(answer)
        if answer.error_code() == ErrorCode::STREAM_MESSAGE_DELETE_FAILED)
}

fn check_key(key: &str) -> Result<(), BusError> {
    let usable = !key.is_empty()
        && !key.starts_with('.')
        && !key.ends_with('.')
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-/_=.".contains(&b));
    if usable {
        Ok(())
    } else {
        Err(BusError::Key(key.to_owned()))
    }
}
