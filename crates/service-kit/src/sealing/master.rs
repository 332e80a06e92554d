//! Master keys: 32 bytes in hexadecimal, from a file or from the environment.
//! A key is never printed; its id, which tells nothing about it, is.

use std::{fmt, fs, path::Path};

use rand::RngCore;
use sha2::{Digest, Sha256};

use super::{
    SealingError,
    aead::{KEY_BYTES, Key},
};
use crate::{config::SealingOptions, durable_file};

/// Names a master key in the bucket and to operators: the first 8 bytes of a
/// hash of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterId(pub(super) [u8; 8]);

impl fmt::Display for MasterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MasterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A master key in memory.
#[derive(Clone)]
pub struct MasterKey {
    key: Key,
    /// Where it came from, as an operator would look for it.
    origin: String,
}

impl MasterKey {
    fn parse(text: &str, origin: String) -> Result<Self, SealingError> {
        match parse_hex(text.trim()) {
            Some(key) => Ok(Self { key, origin }),
            None => Err(SealingError::MasterKeyMalformed(origin)),
        }
    }

    fn read(path: &Path) -> Result<Self, SealingError> {
        let text = fs::read_to_string(path).map_err(|source| SealingError::MasterKeyMissing {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, format!("in {}", path.display()))
    }

    #[must_use]
    pub fn id(&self) -> MasterId {
        let full = self.derive("master-key-id");
        let mut id = [0; 8];
        id.copy_from_slice(&full[..8]);
        MasterId(id)
    }

    pub(super) fn bytes(&self) -> &Key {
        &self.key
    }

    /// A key for another purpose that tells nothing about this one.
    pub(super) fn derive(&self, purpose: &str) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.key)
            .chain_update(purpose.as_bytes())
            .finalize()
            .into()
    }
}

/// "in /etc/baogong/master.key (id 0123456789abcdef)".
impl fmt::Display for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (id {})", self.origin, self.id())
    }
}

/// The master key that is configured, and those before it that may still be
/// needed.
#[derive(Clone)]
pub struct MasterKeys {
    pub(super) current: MasterKey,
    pub(super) previous: Vec<MasterKey>,
}

impl MasterKeys {
    /// Reads the master keys, or makes the current one where that is allowed.
    ///
    /// # Errors
    /// None is given, or two; a file cannot be read or is not a key; a previous
    /// key is the current one.
    pub fn load(options: &SealingOptions) -> Result<Self, SealingError> {
        let current = current(options)?;
        let mut previous = Vec::new();
        for path in &options.previous_master_keys {
            let key = MasterKey::read(path)?;
            if key.id() == current.id() {
                return Err(SealingError::PreviousIsCurrent {
                    path: path.clone(),
                    current: current.to_string(),
                });
            }
            previous.push(key);
        }
        Ok(Self { current, previous })
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    pub(super) fn find(&self, id: MasterId) -> Option<&MasterKey> {
        self.all().find(|master| master.id() == id)
    }
}

fn current(options: &SealingOptions) -> Result<MasterKey, SealingError> {
    let path = &options.master_key_file;
    let given = options.master_key.reveal();
    match (path.as_os_str().is_empty(), given.is_empty()) {
        (true, true) => Err(SealingError::MasterKeyUnset),
        (false, false) => Err(SealingError::MasterKeyTwice(path.clone())),
        (true, false) => MasterKey::parse(given, "in sealing.master_key".to_owned()),
        (false, true) => {
            if options.create_master_key && !path.exists() {
                create(path).map_err(|source| SealingError::MasterKeyMissing {
                    path: path.clone(),
                    source,
                })?;
            }
            MasterKey::read(path)
        }
    }
}

/// Makes a new master key; a file that is there already stays as it is.
///
/// See [`durable_file::create_secret`]: two services that start together end
/// with the same key.
///
/// # Errors
/// The folder is missing or cannot be written.
pub fn create(path: &Path) -> std::io::Result<()> {
    let mut key = [0; KEY_BYTES];
    rand::rng().fill_bytes(&mut key);
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    durable_file::create_secret(path, format!("{hex}\n").as_bytes()).map(|_| ())
}

fn parse_hex(text: &str) -> Option<Key> {
    if text.len() != 2 * KEY_BYTES || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; KEY_BYTES];
    for (n, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::Hidden;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn options(path: PathBuf) -> SealingOptions {
        SealingOptions {
            master_key_file: path,
            ..SealingOptions::default()
        }
    }

    #[test]
    fn two_services_that_start_together_end_with_one_master_key() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = SealingOptions {
            create_master_key: true,
            ..options(directory.path().join("master.key"))
        };
        let loaded: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| MasterKeys::load(&options).expect("a key").current.key))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .collect()
        });
        assert!(loaded.windows(2).all(|pair| pair[0] == pair[1]));
    }

    fn refusal(options: &SealingOptions) -> SealingError {
        MasterKeys::load(options).err().expect("refused")
    }

    #[test]
    fn a_missing_or_short_master_key_says_which_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let missing = refusal(&options(directory.path().join("master.key")));
        assert!(missing.to_string().contains("master.key"));
        for wrong in ["abc", &HEX.replace("00", "+0"), &format!("{HEX}00")] {
            let short = directory.path().join("short.key");
            fs::write(&short, wrong).expect("written");
            let short = refusal(&options(short));
            assert!(short.to_string().contains("short.key"), "{short}");
            assert!(!short.to_string().contains(wrong), "{short}");
        }
    }

    #[test]
    fn a_key_of_the_environment_is_that_of_the_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("master.key");
        fs::write(&file, format!("{HEX}\n")).expect("written");
        let mut options = options(file);
        let of_file = MasterKeys::load(&options).expect("a key");
        options.master_key = Hidden::new(HEX);
        let both = refusal(&options);
        assert!(matches!(both, SealingError::MasterKeyTwice(_)), "{both}");
        options.master_key_file = PathBuf::new();
        let of_environment = MasterKeys::load(&options).expect("a key");
        assert_eq!(of_file.current.key, of_environment.current.key);
        options.master_key = Hidden::default();
        assert!(matches!(refusal(&options), SealingError::MasterKeyUnset));
    }

    #[test]
    fn a_previous_key_that_is_the_current_one_is_a_slip() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("old.key");
        fs::write(&file, HEX).expect("written");
        let options = SealingOptions {
            previous_master_keys: vec![file.clone()],
            ..options(file)
        };
        let slip = refusal(&options).to_string();
        assert!(slip.contains("old.key"), "{slip}");
    }
}
