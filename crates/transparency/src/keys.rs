//! Ed25519 keys in the text forms of signed notes: `<name>+<id>+<base64>` for a
//! public key, `PRIVATE+KEY+<name>+<id>+<base64>` for a secret one.
//!
//! Entropy comes from the caller; files and their permissions are its affair.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use signed_note::{Signature, is_key_name_valid, key_id};
use thiserror::Error;

use crate::cosign::cosigned_message;
use crate::origin::Origin;

const SECRET_PREFIX: &str = "PRIVATE+KEY+";

/// What a key signs, the signature type byte of signed notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyUse {
    /// A log's own checkpoints.
    Log = 0x01,
    /// Other parties' checkpoints, with a time (cosignature/v1).
    Cosigner = 0x04,
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "a log's",
            Self::Cosigner => "a cosigner's",
        })
    }
}

/// First four bytes of the hash of a key's name, use and public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u32);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Name and id, `<name>+<id>`: what a signature says of its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyLabel {
    pub name: String,
    pub id: KeyId,
}

impl KeyLabel {
    pub(crate) fn of(signature: &Signature) -> Self {
        Self {
            name: signature.name().into(),
            id: KeyId(signature.id()),
        }
    }
}

impl fmt::Display for KeyLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.name, self.id)
    }
}

impl FromStr for KeyLabel {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id) = text.split_once('+').ok_or(KeyError::Malformed)?;
        let id = parse_id(id)?;
        let name = parse_name(name)?;
        Ok(Self { name, id })
    }
}

/// Why a key cannot be used. No text of a secret key is ever repeated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    #[error("not a key; it reads <name>+<8 hex digits>+<base64>")]
    Malformed,
    #[error("{0:?} cannot name a key: it is empty or has spaces or a plus")]
    Name(String),
    #[error("key type {0:#04x} is not known; Ed25519 is 0x01 for a log, 0x04 for a cosigner")]
    UnknownType(u8),
    #[error("the key of {name} has id {computed}, its text says {stated}: a letter is wrong")]
    IdDiffers {
        name: String,
        stated: KeyId,
        computed: KeyId,
    },
    #[error("the bytes of the key of {name} are no usable Ed25519 key")]
    NotAKey { name: String },
    #[error("this is {found} key of {name}, {expected} is needed here")]
    WrongUse {
        name: String,
        expected: KeyUse,
        found: KeyUse,
    },
    #[error("this is a secret key; give the public one, and replace the secret if others saw it")]
    SecretGiven,
    #[error("this is a public key, a secret one is needed here")]
    PublicGiven,
    #[error("{log} has no key {key}")]
    UnknownKey { log: Origin, key: KeyLabel },
    #[error("the key is named {found}, but keys of {log} bear its name")]
    ForeignName { log: Origin, found: String },
}

fn parse_name(name: &str) -> Result<String, KeyError> {
    if is_key_name_valid(name) && !name.contains(char::is_control) {
        Ok(name.into())
    } else {
        Err(KeyError::Name(name.into()))
    }
}

fn parse_id(text: &str) -> Result<KeyId, KeyError> {
    let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() != 8 || !text.bytes().all(lower_hex) {
        return Err(KeyError::Malformed);
    }
    u32::from_str_radix(text, 16)
        .map(KeyId)
        .map_err(|_| KeyError::Malformed)
}

/// Name, stated id, use and the 32 bytes of a key.
fn parse_parts(text: &str) -> Result<(String, KeyId, KeyUse, [u8; 32]), KeyError> {
    let (name, rest) = text.split_once('+').ok_or(KeyError::Malformed)?;
    let (id, base64) = rest.split_once('+').ok_or(KeyError::Malformed)?;
    let (name, id) = (parse_name(name)?, parse_id(id)?);
    let bytes = BASE64_STANDARD.decode(base64);
    let bytes = bytes.map_err(|_| KeyError::Malformed)?;
    let (key_type, key) = bytes.split_first().ok_or(KeyError::Malformed)?;
    let key_use = match key_type {
        0x01 => KeyUse::Log,
        0x04 => KeyUse::Cosigner,
        other => return Err(KeyError::UnknownType(*other)),
    };
    let key = key
        .try_into()
        .map_err(|_| KeyError::NotAKey { name: name.clone() })?;
    Ok((name, id, key_use, key))
}

/// A key to check signatures with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    label: KeyLabel,
    key_use: KeyUse,
    key: VerifyingKey,
}

impl PublicKey {
    fn new(name: String, key_use: KeyUse, key: VerifyingKey) -> Self {
        let mut typed = vec![key_use as u8];
        typed.extend(key.as_bytes());
        let id = KeyId(key_id(&name, &typed));
        Self {
            label: KeyLabel { name, id },
            key_use,
            key,
        }
    }

    #[must_use]
    pub fn label(&self) -> &KeyLabel {
        &self.label
    }

    #[must_use]
    pub fn key_use(&self) -> KeyUse {
        self.key_use
    }

    /// The Ed25519 key itself, whatever its name and use.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// # Errors
    /// The key is for another use.
    pub fn for_use(self, expected: KeyUse) -> Result<Self, KeyError> {
        if self.key_use == expected {
            return Ok(self);
        }
        Err(KeyError::WrongUse {
            name: self.label.name,
            expected,
            found: self.key_use,
        })
    }

    /// Whether the signature names this key. It may still be forged.
    #[must_use]
    pub fn is_named_by(&self, signature: &Signature) -> bool {
        signature.name() == self.label.name && signature.id() == self.label.id.0
    }

    /// Whether this key signed the text of a note, in the way of its use.
    #[must_use]
    pub fn signed(&self, text: &[u8], signature: &Signature) -> bool {
        let bytes = signature.signature();
        let (message, bytes) = match self.key_use {
            KeyUse::Log => (text.to_vec(), bytes),
            KeyUse::Cosigner => match cosigned_message(text, bytes) {
                Some(parts) => parts,
                None => return false,
            },
        };
        let Ok(bytes) = ed25519_dalek::Signature::from_slice(bytes) else {
            return false;
        };
        self.is_named_by(signature) && self.key.verify_strict(&message, &bytes).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![self.key_use as u8];
        typed.extend(self.key.as_bytes());
        write!(f, "{}+{}", self.label, BASE64_STANDARD.encode(typed))
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.starts_with(SECRET_PREFIX) {
            return Err(KeyError::SecretGiven);
        }
        let (name, stated, key_use, bytes) = parse_parts(text)?;
        let key = VerifyingKey::from_bytes(&bytes).ok();
        let key = key.filter(|key| !key.is_weak());
        let key = key.ok_or_else(|| KeyError::NotAKey { name: name.clone() })?;
        let key = Self::new(name, key_use, key);
        check_id(&key.label, stated)?;
        Ok(key)
    }
}

fn check_id(label: &KeyLabel, stated: KeyId) -> Result<(), KeyError> {
    if label.id == stated {
        return Ok(());
    }
    Err(KeyError::IdDiffers {
        name: label.name.clone(),
        stated,
        computed: label.id,
    })
}

/// A key to sign with. Not shown by `Debug`, wiped when dropped.
#[derive(Clone)]
pub struct SecretKey {
    public: PublicKey,
    key: SigningKey,
}

impl SecretKey {
    /// A key out of 32 bytes of entropy, which must come from the system's
    /// random source and be used for nothing else.
    ///
    /// # Errors
    /// The name is empty or has spaces or a plus.
    pub fn generate(name: &str, key_use: KeyUse, entropy: [u8; 32]) -> Result<Self, KeyError> {
        Ok(Self::new(parse_name(name)?, key_use, &entropy))
    }

    fn new(name: String, key_use: KeyUse, seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let public = PublicKey::new(name, key_use, key.verifying_key());
        Self { public, key }
    }

    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The text to keep in a file that only the service may read.
    #[must_use]
    pub fn reveal(&self) -> String {
        let mut typed = vec![self.public.key_use as u8];
        typed.extend(self.key.to_bytes());
        let base64 = BASE64_STANDARD.encode(typed);
        format!("{SECRET_PREFIX}{}+{base64}", self.public.label)
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// A signature line by this key; `bytes` in the form of its use.
    pub(crate) fn signature(&self, bytes: Vec<u8>) -> Signature {
        let KeyLabel { name, id } = self.public.label.clone();
        Signature::new(name, id.0, bytes).expect("the name was checked with the key")
    }
}

impl FromStr for SecretKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let Some(rest) = text.strip_prefix(SECRET_PREFIX) else {
            let public: Result<PublicKey, _> = text.parse();
            return Err(match public {
                Ok(_) => KeyError::PublicGiven,
                Err(_) => KeyError::Malformed,
            });
        };
        let (name, stated, key_use, seed) = parse_parts(rest)?;
        let key = Self::new(name, key_use, &seed);
        check_id(&key.public.label, stated)?;
        Ok(key)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public.label)
    }
}
