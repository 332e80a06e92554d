//! A JetStream key-value bucket (NATS ADR-8) for small notes that are written
//! again and again: only the last one counts. Nothing rests on it alone, since
//! it is lost with the NATS store.

use async_nats::jetstream::kv::Store;
use bytes::Bytes;

use crate::connection::Bus;
use crate::error::BusError;
use crate::settings;

/// See [`Bus::register`].
#[derive(Clone)]
pub struct Register {
    bus: Bus,
    bucket: String,
}

impl std::fmt::Debug for Register {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Register").field(&self.bucket).finish()
    }
}

impl Bus {
    /// A register by its bucket's name, which is made when it is first used.
    #[must_use]
    pub fn register(&self, bucket: &str) -> Register {
        Register {
            bus: self.clone(),
            bucket: bucket.to_owned(),
        }
    }
}

impl Register {
    /// The last note under `key`, `None` where there is none.
    ///
    /// # Errors
    /// [`BusError::Unavailable`], or the bucket cannot be as it must.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, BusError> {
        let store = self.store().await?;
        store
            .get(key)
            .await
            .map_err(|e| BusError::unavailable(format!("reading {key} of {}", self.bucket), e))
    }

    /// Replaces the note under `key`.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn put(&self, key: &str, note: Bytes) -> Result<(), BusError> {
        let store = self.store().await?;
        store
            .put(key, note)
            .await
            .map(|_| ())
            .map_err(|e| BusError::unavailable(format!("writing {key} of {}", self.bucket), e))
    }

    /// Looked up each time: a wiped server has forgotten it.
    async fn store(&self) -> Result<Store, BusError> {
        if let Ok(store) = self.bus.jetstream.get_key_value(&self.bucket).await {
            return Ok(store);
        }
        self.bus
            .ensure_once(&settings::of_register(&self.bucket, self.bus.replicas))
            .await?;
        self.bus
            .jetstream
            .get_key_value(&self.bucket)
            .await
            .map_err(|e| BusError::unavailable(format!("opening {}", self.bucket), e))
    }
}
