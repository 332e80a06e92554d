//! Personal data is sealed before it enters an event, with a data key for each
//! household; the key can be thrown away, the log cannot.
//!
//! Data keys are random, wrapped by the master key and kept in a bucket that
//! can forget. AEAD: ChaCha20-Poly1305 (RFC 8439), random 96-bit nonces, the
//! key id as additional data.

use std::{
    collections::HashMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use bus::{Bus, BusError, KeyBucket};
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use parking_lot::Mutex;
use proto::types::v1::Sealed;
use rand::RngCore;
use sha2::{Digest, Sha256};

use crate::config::SealingOptions;

const BUCKET: &str = "BAOGONG_KEYS";
const NONCE_BYTES: usize = 12;
/// Data keys kept in memory.
const CACHE_MAX: usize = 10_000;

#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    #[error("the master key {path} cannot be read; put it there, or set sealing.master_key_file")]
    MasterKeyMissing {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the master key {0} must be 64 hexadecimal digits")]
    MasterKeyMalformed(PathBuf),
    #[error("sealing.master_key_file is not set: name the file with the master key")]
    MasterKeyUnset,
    #[error(
        "the master key {0} is not the one with which the data keys in NATS were made; put the \
         right one there"
    )]
    OtherMasterKey(PathBuf),
    #[error("the key {0} was made with another master key")]
    WrongMasterKey(String),
    #[error("the sealed value of {0} was altered or belongs to another household")]
    Altered(String),
    #[error("the keys cannot be reached: {0}")]
    Bus(#[from] BusError),
}

/// A master key in memory.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// Reads the master key, or makes it where that is allowed.
    ///
    /// # Errors
    /// The file cannot be read or is not a key.
    pub fn load(options: &SealingOptions) -> Result<Self, SealingError> {
        let path = &options.master_key_file;
        if path.as_os_str().is_empty() {
            return Err(SealingError::MasterKeyUnset);
        }
        let missing = |source| SealingError::MasterKeyMissing {
            path: path.clone(),
            source,
        };
        if options.create_master_key && !path.exists() {
            create(path).map_err(missing)?;
        }
        let text = fs::read_to_string(path).map_err(missing)?;
        parse_hex(text.trim())
            .map(Self)
            .ok_or_else(|| SealingError::MasterKeyMalformed(path.clone()))
    }

    /// A key for another purpose that tells nothing about this one.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.0)
            .chain_update(purpose.as_bytes())
            .finalize()
            .into()
    }
}

/// Written under another name and linked into place, so that two services that
/// start together end with the same key.
fn create(path: &Path) -> std::io::Result<()> {
    let mut key = [0; 32];
    rand::rng().fill_bytes(&mut key);
    let draft = path.with_extension(format!("new-{}", rand::random::<u32>()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(file, "{hex}")?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        // A name that a power cut takes back would be made anew, with another
        // key.
        Ok(()) => fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all(),
    }
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut key = [0; 32];
    for (n, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(key)
}

/// The data keys of households.
#[derive(Clone)]
pub struct KeyRing {
    bucket: KeyBucket,
    master: MasterKey,
    cache: Arc<Mutex<HashMap<String, [u8; 32]>>>,
}

/// Sealed with the master key when the bucket is made, so that another master
/// key is noticed at the start and not at the first message.
const CHECK: &str = "master-key";

pub struct Opened {
    pub keys: KeyRing,
    /// The bucket was made just now: it holds no key yet.
    pub is_new: bool,
}

/// Key id of a household.
#[must_use]
pub fn household_key(household_id: &str) -> String {
    format!("household/{household_id}")
}

impl KeyRing {
    /// # Errors
    /// The bucket cannot be made or reached, or its keys were made with
    /// another master key than the one in `path`.
    pub async fn open(bus: &Bus, master: MasterKey, path: &Path) -> Result<Opened, SealingError> {
        let bucket = bus.key_bucket(BUCKET).await?;
        let (nonce, ciphertext) = encrypt(&master.0, CHECK, CHECK.as_bytes());
        let is_new = bucket
            .create(
                &bucket_key(CHECK),
                [&nonce[..], &ciphertext].concat().into(),
            )
            .await?;
        if !is_new {
            let opens = bucket
                .get(&bucket_key(CHECK))
                .await?
                .and_then(|kept| {
                    let (nonce, ciphertext) = kept.split_at_checked(NONCE_BYTES)?;
                    decrypt(&master.0, CHECK, nonce, ciphertext)
                })
                .is_some();
            if !opens {
                return Err(SealingError::OtherMasterKey(path.to_owned()));
            }
        }
        let keys = Self {
            bucket,
            master,
            cache: Arc::default(),
        };
        Ok(Opened { keys, is_new })
    }

    /// Seals a value under a key, which is made where it does not exist.
    ///
    /// # Errors
    /// The keys cannot be reached.
    pub async fn seal(&self, key_id: &str, plain: &[u8]) -> Result<Sealed, SealingError> {
        let key = match self.key(key_id).await? {
            Some(key) => key,
            None => self.make(key_id).await?,
        };
        let (nonce, ciphertext) = encrypt(&key, key_id, plain);
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
        let Some(key) = self.key(&sealed.key_id).await? else {
            return Ok(None);
        };
        decrypt(&key, &sealed.key_id, &sealed.nonce, &sealed.ciphertext)
            .map(Some)
            .ok_or_else(|| SealingError::Altered(sealed.key_id.clone()))
    }

    async fn key(&self, key_id: &str) -> Result<Option<[u8; 32]>, SealingError> {
        if let Some(key) = self.cache.lock().get(key_id) {
            return Ok(Some(*key));
        }
        let Some(wrapped) = self.bucket.get(&bucket_key(key_id)).await? else {
            return Ok(None);
        };
        let (nonce, ciphertext) = wrapped
            .split_at_checked(NONCE_BYTES)
            .ok_or_else(|| SealingError::WrongMasterKey(key_id.to_owned()))?;
        let key: [u8; 32] = decrypt(&self.master.0, key_id, nonce, ciphertext)
            .and_then(|key| key.try_into().ok())
            .ok_or_else(|| SealingError::WrongMasterKey(key_id.to_owned()))?;
        self.remember(key_id, key);
        Ok(Some(key))
    }

    async fn make(&self, key_id: &str) -> Result<[u8; 32], SealingError> {
        let mut key = [0; 32];
        rand::rng().fill_bytes(&mut key);
        let (nonce, ciphertext) = encrypt(&self.master.0, key_id, &key);
        let wrapped = [&nonce[..], &ciphertext].concat();
        if self
            .bucket
            .create(&bucket_key(key_id), wrapped.into())
            .await?
        {
            self.remember(key_id, key);
            return Ok(key);
        }
        // Somebody else was first; theirs counts.
        self.key(key_id)
            .await?
            .ok_or_else(|| SealingError::WrongMasterKey(key_id.to_owned()))
    }

    fn remember(&self, key_id: &str, key: [u8; 32]) {
        let mut cache = self.cache.lock();
        if cache.len() >= CACHE_MAX {
            cache.clear();
        }
        cache.insert(key_id.to_owned(), key);
    }
}

/// A bucket's keys have no slashes, and must not tell whose they are.
fn bucket_key(key_id: &str) -> String {
    Sha256::digest(key_id.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn encrypt(key: &[u8; 32], key_id: &str, plain: &[u8]) -> ([u8; NONCE_BYTES], Vec<u8>) {
    let mut nonce = [0; NONCE_BYTES];
    rand::rng().fill_bytes(&mut nonce);
    let ciphertext = ChaCha20Poly1305::new(key.into())
        .encrypt(
            Nonce::from_slice(&nonce),
            Payload {
                msg: plain,
                aad: key_id.as_bytes(),
            },
        )
        .expect("the plain text is far below the cipher's limit of 256 GiB");
    (nonce, ciphertext)
}

fn decrypt(key: &[u8; 32], key_id: &str, nonce: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
    if nonce.len() != NONCE_BYTES {
        return None;
    }
    ChaCha20Poly1305::new(key.into())
        .decrypt(
            Nonce::from_slice(nonce),
            Payload {
                msg: ciphertext,
                aad: key_id.as_bytes(),
            },
        )
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_under_its_own_name() {
        let key = [3; 32];
        let (nonce, sealed) = encrypt(&key, "household/H1", b"0523-1234");
        assert!(!sealed.windows(4).any(|w| w == b"0523"));
        assert_eq!(
            decrypt(&key, "household/H1", &nonce, &sealed).as_deref(),
            Some(&b"0523-1234"[..])
        );
        assert_eq!(decrypt(&key, "household/H2", &nonce, &sealed), None);
        let mut altered = sealed.clone();
        altered[0] ^= 1;
        assert_eq!(decrypt(&key, "household/H1", &nonce, &altered), None);
    }

    #[test]
    fn two_services_that_start_together_end_with_one_master_key() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = SealingOptions {
            master_key_file: directory.path().join("master.key"),
            create_master_key: true,
        };
        let loaded: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| MasterKey::load(&options).expect("a key").0))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .collect()
        });
        assert!(loaded.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn a_missing_or_short_master_key_says_which_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut options = SealingOptions {
            master_key_file: directory.path().join("master.key"),
            create_master_key: false,
        };
        let missing = MasterKey::load(&options).err().expect("missing");
        assert!(missing.to_string().contains("master.key"));
        options.master_key_file = directory.path().join("short.key");
        fs::write(&options.master_key_file, "abc").expect("written");
        let short = MasterKey::load(&options).err().expect("short");
        assert!(matches!(short, SealingError::MasterKeyMalformed(_)));
    }
}
