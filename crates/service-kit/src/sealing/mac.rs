//! Keyed hashes of values that are too short to hide in a plain hash, as a PIN
//! of six digits: without the key nobody can try them all.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{Found, KeyRing, SealingError};

impl KeyRing {
    /// HMAC-SHA-256 (RFC 2104) of a value under a key, which is made where it
    /// does not exist. `purpose` keeps the values of different uses apart; what
    /// is sealed with the same key has nothing in common with them.
    ///
    /// # Errors
    /// The key was destroyed, or the keys cannot be reached.
    pub async fn mac(
        &self,
        key_id: &str,
        purpose: &str,
        value: &[u8],
    ) -> Result<[u8; 32], SealingError> {
        let key = match self.key(key_id).await? {
            Found::Key(key) => key,
            Found::Nothing => self.make(key_id).await?,
            Found::Erased => return Err(SealingError::Erased(key_id.to_owned())),
        };
        let own = hmac(&key, &[b"baogong mac ", purpose.as_bytes()]);
        Ok(hmac(&own, &[value]))
    }
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
