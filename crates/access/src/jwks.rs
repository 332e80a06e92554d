//! The public keys of an issuer (RFC 7517), by their ids.

use std::collections::BTreeMap;

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;

/// More than this is no set of keys.
const BYTES_MAX: usize = 256 * 1024;
const KEYS_MAX: usize = 64;
/// Bits of an RSA key below which it is passed over (NIST SP 800-131A).
const RSA_BITS_MIN: usize = 2048;

#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    #[error("the key set has {0} bytes; {BYTES_MAX} are the limit")]
    TooLarge(usize),
    #[error("this is no key set (a JSON object with a list `keys` is needed)")]
    Json(#[source] serde_json::Error),
    #[error("the key set has {0} keys; {KEYS_MAX} are the limit")]
    TooMany(usize),
    #[error("two keys have the same id (kid)")]
    Twice,
    #[error(
        "no key of the set can be used: Ed25519 (OKP), P-256 (EC) or RSA of at least {RSA_BITS_MIN} \
         bits for signatures is needed, with an id (kid) where there are several"
    )]
    NoneUsable,
}

#[derive(Clone)]
pub(crate) struct VerifyingKey {
    pub algorithm: Algorithm,
    pub key: DecodingKey,
}

/// Keys that tokens are checked against. Each is for one algorithm, which its
/// kind gives: a token cannot choose another.
#[derive(Clone)]
pub struct KeySet {
    by_id: BTreeMap<String, VerifyingKey>,
    /// Of a set with one key that has no id.
    only: Option<VerifyingKey>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// Reads a key set. Keys of other kinds or uses are passed over, as the
    /// standard wants it.
    ///
    /// # Errors
    /// It is none, or has no key that can be used.
    pub fn parse(json: &[u8]) -> Result<Self, JwksError> {
        if json.len() > BYTES_MAX {
            return Err(JwksError::TooLarge(json.len()));
        }
        let document: Document = serde_json::from_slice(json).map_err(JwksError::Json)?;
        let count = document.keys.len();
        if count > KEYS_MAX {
            return Err(JwksError::TooMany(count));
        }
        let mut by_id = BTreeMap::new();
        let mut nameless = Vec::new();
        for value in document.keys {
            let Ok(jwk) = serde_json::from_value::<Jwk>(value) else {
                continue;
            };
            let Some(key) = usable(&jwk) else { continue };
            match jwk.common.key_id {
                Some(id) if by_id.contains_key(&id) => return Err(JwksError::Twice),
                Some(id) => {
                    by_id.insert(id, key);
                }
                None => nameless.push(key),
            }
        }
        let only = match nameless.len() {
            1 if by_id.is_empty() => nameless.pop(),
            _ => None,
        };
        if by_id.is_empty() && only.is_none() {
            return Err(JwksError::NoneUsable);
        }
        Ok(Self { by_id, only })
    }

    /// Ids of its keys.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    /// Whether it has the key that a token names.
    #[must_use]
    pub fn has(&self, id: Option<&str>) -> bool {
        self.find(id).is_some()
    }

    pub(crate) fn find(&self, id: Option<&str>) -> Option<&VerifyingKey> {
        match id {
            Some(id) => self.by_id.get(id).or(self.only.as_ref()),
            None if self.by_id.len() == 1 => self.by_id.values().next(),
            None => self.only.as_ref(),
        }
    }
}

fn usable(jwk: &Jwk) -> Option<VerifyingKey> {
    let for_signatures = match &jwk.common.public_key_use {
        None | Some(PublicKeyUse::Signature) => true,
        Some(_) => false,
    };
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::RSA(key) if key.n.len() * 6 >= RSA_BITS_MIN => {
            (Algorithm::RS256, KeyAlgorithm::RS256)
        }
        _ => return None,
    };
    let agrees = jwk.common.key_algorithm.is_none_or(|told| told == named);
    if !for_signatures || !agrees {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(VerifyingKey { algorithm, key })
}
