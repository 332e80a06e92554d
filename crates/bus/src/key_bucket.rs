//! A JetStream key-value bucket (NATS ADR-8) for data keys: small secrets that
//! must be forgettable, which a log is not.
//!
//! Values are never changed: a key is put once and purged once. Purging
//! overwrites the value in the server's file before it leaves the usual purge
//! marker, since a mere removal would leave the bytes on disk until the file
//! is compacted. In a cluster the copies in the servers' own raft logs last
//! until those are compacted.

use async_nats::jetstream::kv::{CreateErrorKind, Operation, Store};
use async_nats::jetstream::stream::DeleteMessageErrorKind;
use async_nats::jetstream::{ErrorCode, context::KeyValueErrorKind};
use bytes::Bytes;

use crate::connection::Bus;
use crate::error::{BoxError, BusError};
use crate::settings;

/// See [`Bus::key_bucket`].
#[derive(Clone)]
pub struct KeyBucket {
    store: Store,
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

    /// Destroys the value of `key`. Nothing happens where there is none.
    ///
    /// # Errors
    /// [`BusError::Key`]; [`BusError::Unavailable`], after which the value may
    /// or may not be gone: purge again.
    pub async fn purge(&self, key: &str) -> Result<(), BusError> {
        check_key(key)?;
        let entry = self.store.entry(key).await;
        let Some(entry) = entry.map_err(|e| self.unavailable("reading", e))? else {
            return Ok(());
        };
        if entry.operation != Operation::Put {
            return Ok(());
        }
        match self.store.stream.delete_message(entry.revision).await {
            Ok(_) => {}
            Err(e) if is_gone(&e.kind()) => {}
            Err(e) => return Err(self.unavailable("destroying", e)),
        }
        let marker = self.store.purge(key).await;
        marker.map_err(|e| self.unavailable("marking as purged", e))
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
