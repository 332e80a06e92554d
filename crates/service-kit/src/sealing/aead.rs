//! The cipher under everything sealed: ChaCha20-Poly1305 (RFC 8439) with random
//! 96-bit nonces; the name of what is sealed is bound as additional data.

use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use rand::RngCore;

pub(super) const KEY_BYTES: usize = 32;
pub(super) const NONCE_BYTES: usize = 12;
pub(super) const TAG_BYTES: usize = 16;

pub(super) type Key = [u8; KEY_BYTES];

pub(super) fn random_key() -> Key {
    let mut key = [0; KEY_BYTES];
    rand::rng().fill_bytes(&mut key);
    key
}

pub(super) fn encrypt(key: &Key, name: &str, plain: &[u8]) -> ([u8; NONCE_BYTES], Vec<u8>) {
    let mut nonce = [0; NONCE_BYTES];
    rand::rng().fill_bytes(&mut nonce);
    let ciphertext = ChaCha20Poly1305::new(key.into())
        .encrypt(
            Nonce::from_slice(&nonce),
            Payload {
                msg: plain,
                aad: name.as_bytes(),
            },
        )
        .expect("the plain text is far below the cipher's limit of 256 GiB");
    (nonce, ciphertext)
}

/// None where it was sealed with another key, under another name, or altered.
pub(super) fn decrypt(key: &Key, name: &str, nonce: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
    if nonce.len() != NONCE_BYTES {
        return None;
    }
    ChaCha20Poly1305::new(key.into())
        .decrypt(
            Nonce::from_slice(nonce),
            Payload {
                msg: ciphertext,
                aad: name.as_bytes(),
            },
        )
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_under_its_own_name() {
        let key = [3; KEY_BYTES];
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
}
