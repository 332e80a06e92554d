//! Personal data is sealed before it enters an event, with a data key for each
//! household; the key can be thrown away, the log cannot.
//!
//! Data keys are random, wrapped by the master key (`wrapping`) and kept in a
//! bucket that can forget. Beside them lie: a value by which another master key
//! is noticed at the start and not at the first message, the key for digests of
//! requests, and the stand of a change of the master key (`rotation`).
//!
//! The master key in force is the one that the bucket says, not the one that a
//! process was configured with: so services may be restarted one after the
//! other with a new one, and nothing changes before the rotation is asked for.

mod aead;
mod cache;
mod error;
mod mac;
mod master;
mod own_copy;
mod rotation;
#[cfg(test)]
mod tests;
mod wrapping;

use std::{convert::Infallible, sync::Arc, time::Instant};

use bus::{Bus, Kept, KeyBucket};
use decider::Area;
use parking_lot::Mutex;
use proto::types::v1::Sealed;
use sha2::{Digest, Sha256};

use aead::{Key, NONCE_BYTES};
use cache::Cache;
use wrapping::{ERASED, Form, NOTE, Unwrapped};

pub use error::SealingError;
pub use master::{MasterId, MasterKey, MasterKeys, create as create_master_key};
pub use rotation::Rotated;

const BUCKET: &str = "BAOGONG_KEYS";

/// Sealed with the master key in force.
const CHECK: &str = "master-key";
/// Keys the digests of requests.
const DIGEST: &str = "request-digest";

/// The data keys of households.
#[derive(Clone)]
pub struct KeyRing {
    bucket: KeyBucket,
    masters: MasterKeys,
    cache: Arc<Mutex<Cache>>,
}

pub struct Opened {
    pub keys: KeyRing,
    /// The bucket was made just now: it holds no key yet.
    pub is_new: bool,
    /// Keys the digests of requests, so that personal data cannot be guessed
    /// from them. The same for a suite's whole life.
    pub digest_key: [u8; 32],
    /// A change of the master key was begun and is not finished.
    pub rotating: bool,
}

/// Key id of a household. The same household id may be in use in two areas.
#[must_use]
pub fn household_key(area: &Area, household_id: &str) -> String {
    format!("household/{area}/{household_id}")
}

/// Key id of a shipment: of who receives it, and of its PIN.
#[must_use]
pub fn shipment_key(area: &Area, shipment_id: &str) -> String {
    format!("shipment/{area}/{shipment_id}")
}

/// Whether a key id is that of the household; the first release did not name
/// the area in it.
#[must_use]
pub fn is_household_key(key_id: &str, area: &Area, household_id: &str) -> bool {
    key_id == household_key(area, household_id)
        || key_id.strip_prefix("household/") == Some(household_id)
}

impl KeyRing {
    /// # Errors
    /// The bucket cannot be made or reached, or its keys were made with a
    /// master key that is not among these, or is about to be replaced by them.
    pub async fn open(bus: &Bus, masters: MasterKeys) -> Result<Opened, SealingError> {
        let keys = Self {
            bucket: bus.key_bucket(BUCKET).await?,
            masters,
            cache: Arc::default(),
        };
        let (is_new, in_force) = keys.in_force_or_new().await?;
        let rotating = keys.check_rotation(&in_force).await?;
        let digest_key = keys.digest_key(&in_force).await?;
        Ok(Opened {
            keys,
            is_new,
            digest_key,
            rotating,
        })
    }

    /// Seals a value under a key, which is made where it does not exist.
    ///
    /// # Errors
    /// The key was destroyed, or the keys cannot be reached.
    pub async fn seal(&self, key_id: &str, plain: &[u8]) -> Result<Sealed, SealingError> {
        let key = match self.key(key_id).await? {
            Found::Key(key) => key,
            Found::Nothing => self.make(key_id).await?,
            Found::Erased => return Err(SealingError::Erased(key_id.to_owned())),
        };
        let (nonce, ciphertext) = aead::encrypt(&key, key_id, plain);
        Ok(Sealed {
            key_id: key_id.to_owned(),
            nonce: nonce.to_vec(),
            ciphertext,
        })
    }

    /// Opens a sealed value; none where the key was thrown away.
    ///
    /// # Errors
    /// The value was altered, or the keys cannot be reached.
    pub async fn open_sealed(&self, sealed: &Sealed) -> Result<Option<Vec<u8>>, SealingError> {
        let Found::Key(key) = self.key(&sealed.key_id).await? else {
            return Ok(None);
        };
        aead::decrypt(&key, &sealed.key_id, &sealed.nonce, &sealed.ciphertext)
            .map(Some)
            .ok_or_else(|| SealingError::Altered(sealed.key_id.clone()))
    }

    /// Destroys a key and bars its name: nobody can open what was sealed with
    /// it, nor seal under that name again. Doing so again changes nothing.
    ///
    /// This process forgets the key at once; others may have it in memory for
    /// 75 seconds more, unless they are told ([`Self::forget`]).
    ///
    /// # Errors
    /// The keys cannot be reached; the key may or may not be gone.
    pub async fn destroy(&self, key_id: &str) -> Result<(), SealingError> {
        self.forget(key_id);
        let bucket_key = bucket_key(key_id);
        self.bucket.overwrite(&bucket_key, ERASED.into()).await?;
        // Somebody may have read it in between.
        self.forget(key_id);
        Ok(())
    }

    /// Drops a key from this process's memory.
    pub fn forget(&self, key_id: &str) {
        self.cache.lock().forget(key_id);
    }

    /// Drops keys from memory when their time is over, for ever.
    ///
    /// # Errors
    /// Never; it has the form of a supervised task.
    pub async fn keep_sweeping(self) -> anyhow::Result<Infallible> {
        loop {
            tokio::time::sleep(cache::SWEEP_EVERY).await;
            self.cache.lock().sweep(Instant::now());
        }
    }

    async fn key(&self, key_id: &str) -> Result<Found, SealingError> {
        if let Some(key) = self.cache.lock().get(key_id, Instant::now()) {
            return Ok(Found::Key(key));
        }
        let asked = Instant::now();
        let Some(kept) = self.bucket.kept(&bucket_key(key_id)).await? else {
            return Ok(Found::Nothing);
        };
        match self.unwrap(key_id, &kept) {
            Unwrapped::Erased => Ok(Found::Erased),
            Unwrapped::Key { key, .. } => {
                self.cache.lock().put(key_id, key, asked);
                Ok(Found::Key(key))
            }
            Unwrapped::OtherMaster(by) => Err(wrong_master(key_id, by)),
            // None that was made for this name.
            Unwrapped::Note | Unwrapped::NeedsId => Err(wrong_master(key_id, None)),
        }
    }

    fn unwrap(&self, key_id: &str, kept: &Kept) -> Unwrapped {
        let bucket_key = bucket_key(key_id);
        wrapping::unwrap(&self.masters, &bucket_key, Some(key_id), &kept.value)
    }

    async fn make(&self, key_id: &str) -> Result<Key, SealingError> {
        let key = aead::random_key();
        let in_force = self.in_force().await?;
        let asked = Instant::now();
        if self.create(key_id, &key, &in_force).await? {
            self.cache.lock().put(key_id, key, asked);
            return Ok(key);
        }
        // Somebody else was first; theirs counts.
        match self.key(key_id).await? {
            Found::Key(key) => Ok(key),
            Found::Erased | Found::Nothing => Err(SealingError::Erased(key_id.to_owned())),
        }
    }

    async fn create(&self, key_id: &str, key: &Key, by: &MasterKey) -> Result<bool, SealingError> {
        let bucket_key = bucket_key(key_id);
        let wrapped = wrapping::wrap(by, &bucket_key, key);
        Ok(self.bucket.create(&bucket_key, wrapped.into()).await?)
    }

    /// The master key that the bucket's check was made with. In a new bucket
    /// the key for digests comes first, so that a check without one shows a
    /// suite of the first release.
    async fn in_force_or_new(&self) -> Result<(bool, MasterKey), SealingError> {
        if self.bucket.kept(&bucket_key(CHECK)).await?.is_none() {
            let current = &self.masters.current;
            self.create(DIGEST, &aead::random_key(), current).await?;
            if self.create(CHECK, &aead::random_key(), current).await? {
                return Ok((true, current.clone()));
            }
        }
        Ok((false, self.in_force().await?))
    }

    async fn in_force(&self) -> Result<MasterKey, SealingError> {
        let given = || self.masters.current.to_string();
        let kept = self.bucket.kept(&bucket_key(CHECK)).await?;
        let Some(kept) = kept else {
            return Err(SealingError::OtherMasterKey { given: given() });
        };
        if let Some(master) = self.made_check(&kept) {
            return Ok(master);
        }
        match self.rotation().await? {
            Some(rotation) if self.masters.find(rotation.old).is_some() => {
                Err(SealingError::Replaced {
                    given: given(),
                    by: rotation.new,
                })
            }
            _ => Err(SealingError::OtherMasterKey { given: given() }),
        }
    }

    fn made_check(&self, kept: &Kept) -> Option<MasterKey> {
        if let Unwrapped::Key { by, .. } = self.unwrap(CHECK, kept) {
            return self.masters.find(by).cloned();
        }
        // The first release sealed the word itself.
        let (nonce, ciphertext) = kept.value.split_at_checked(NONCE_BYTES)?;
        let opens =
            |master: &&MasterKey| aead::decrypt(master.bytes(), CHECK, nonce, ciphertext).is_some();
        self.masters.all().find(opens).cloned()
    }

    /// The first release derived it from the master key. That one is taken
    /// over, since the digests in the logs were made with it.
    async fn digest_key(&self, in_force: &MasterKey) -> Result<Key, SealingError> {
        let Found::Key(key) = self.key(DIGEST).await? else {
            let derived = in_force.derive(DIGEST);
            if self.create(DIGEST, &derived, in_force).await? {
                return Ok(derived);
            }
            return match self.key(DIGEST).await? {
                Found::Key(key) => Ok(key),
                Found::Nothing | Found::Erased => Err(wrong_master(DIGEST, None)),
            };
        };
        Ok(key)
    }

    /// Brings keys to the present form that the first release made, whose ids
    /// must be known for that. `owner` names who knows these ids; what it has
    /// brought up to date once is not looked at again.
    ///
    /// # Errors
    /// The keys cannot be reached: call it again.
    pub async fn upgrade(
        &self,
        owner: &str,
        key_ids: impl IntoIterator<Item = String>,
    ) -> Result<u64, SealingError> {
        let done = bucket_key(&format!("upgraded/{owner}"));
        if self.bucket.kept(&done).await?.is_some() {
            return Ok(0);
        }
        let mut upgraded = 0;
        for key_id in key_ids {
            let bucket_key = bucket_key(&key_id);
            let Some(kept) = self.bucket.kept(&bucket_key).await? else {
                continue;
            };
            match self.unwrap(&key_id, &kept) {
                Unwrapped::Key {
                    key,
                    by,
                    form: Form::First,
                } => {
                    let master = self.masters.find(by).unwrap_or(&self.masters.current);
                    let wrapped = wrapping::wrap(master, &bucket_key, &key).into();
                    // Where somebody else was faster, it was to do the same.
                    let bucket = &self.bucket;
                    upgraded +=
                        u64::from(bucket.replace(&bucket_key, wrapped, kept.revision).await?);
                }
                Unwrapped::OtherMaster(by) => return Err(wrong_master(&key_id, by)),
                Unwrapped::Key { .. }
                | Unwrapped::Erased
                | Unwrapped::Note
                | Unwrapped::NeedsId => {}
            }
        }
        self.bucket.sweep().await?;
        self.bucket.create(&done, NOTE.into()).await?;
        Ok(upgraded)
    }
}

enum Found {
    Key(Key),
    Nothing,
    Erased,
}

fn wrong_master(key_id: &str, by: Option<MasterId>) -> SealingError {
    SealingError::WrongMasterKey {
        key_id: key_id.to_owned(),
        by: by.map_or_else(String::new, |id| format!(" (id {id})")),
        what: "name the file of that one in sealing.previous_master_keys, or, if it has replaced \
               the one in use here, in sealing.master_key_file",
    }
}

/// A bucket's keys have no slashes, and must not tell whose they are.
fn bucket_key(key_id: &str) -> String {
    Sha256::digest(key_id.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
