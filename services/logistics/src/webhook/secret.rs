//! Secrets of webhooks and signatures with them (Standard Webhooks, "Signature
//! scheme": symmetric, version `v1`).
//!
//! A secret is derived from the webhook's id, the secret's number and a key in
//! a file, so it stands in no event, no snapshot and no bucket; a request that
//! is repeated gets the same one again. Without the file there are no webhooks;
//! with another one in its place all secrets are others.

use std::{fs, io, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use service_kit::durable_file;
use sha2::Sha256;

/// The key's file in the folder of the notary's keys.
pub const FILE: &str = "webhook.key";

/// From which all secrets follow; never shown.
#[derive(Clone)]
pub struct SecretKey([u8; 32]);

#[derive(Debug, thiserror::Error)]
pub enum SecretKeyError {
    #[error("{path} cannot be read or made")]
    File {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("{path} is no key of webhooks: 64 hexadecimal digits are needed")]
    Malformed { path: String },
    #[error("{path}: others may read or change it (mode {mode:03o}); `chmod 600` the file")]
    TooWide { path: String, mode: u32 },
}

impl SecretKey {
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the key of a folder; makes one where there is none and `create`
    /// is set. None otherwise.
    ///
    /// # Errors
    /// The file is none of a key, or the disk fails.
    pub fn open(folder: &Path, create: bool) -> Result<Option<Self>, SecretKeyError> {
        let path = folder.join(FILE);
        let shown = || path.display().to_string();
        let failed = |source| SecretKeyError::File {
            path: shown(),
            source,
        };
        if create && !path.exists() {
            let random: [u8; 32] = rand::random();
            let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
            fs::create_dir_all(folder).map_err(failed)?;
            durable_file::create_secret(&path, format!("{text}\n").as_bytes()).map_err(failed)?;
        }
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        #[cfg(unix)]
        {
            let data = fs::metadata(&path).map_err(failed)?;
            let mode = std::os::unix::fs::PermissionsExt::mode(&data.permissions()) & 0o777;
            if mode & 0o037 != 0 {
                return Err(SecretKeyError::TooWide {
                    path: shown(),
                    mode,
                });
            }
        }
        let bytes =
            parse(text.trim()).ok_or_else(|| SecretKeyError::Malformed { path: shown() })?;
        Ok(Some(Self(bytes)))
    }

    /// A webhook's secret of a number.
    #[must_use]
    pub fn secret(&self, webhook_id: &str, number: i32) -> Secret {
        let mut mac = keyed(&self.0);
        // Ids have no zero byte, so no two pairs run together.
        mac.update(webhook_id.as_bytes());
        mac.update(&[0]);
        mac.update(&number.to_be_bytes());
        Secret(mac.finalize().into_bytes().to_vec())
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn parse(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// What the firm and the service both know.
pub struct Secret(Vec<u8>);

impl Secret {
    /// As it is given to the firm: `whsec_` and base64.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("whsec_{}", STANDARD.encode(&self.0))
    }

    /// `v1,` and the signature of a message.
    #[must_use]
    pub fn sign(&self, message_id: &str, timestamp_secs: u64, body: &[u8]) -> String {
        let mut mac = keyed(&self.0);
        mac.update(format!("{message_id}.{timestamp_secs}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the specification's libraries are tested with.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let secret = Secret(secret.expect("base64"));
        assert_eq!(secret.reveal(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signed = secret.sign(id, 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_webhook_and_each_number_has_a_secret_of_its_own() {
        let key = SecretKey::new([7; 32]);
        let secret = |id, number| key.secret(id, number).reveal();
        assert_eq!(secret("a", 1), secret("a", 1));
        assert_ne!(secret("a", 1), secret("a", 2));
        assert_ne!(secret("a", 1), secret("b", 1));
        assert_ne!(
            secret("a", 1),
            SecretKey::new([8; 32]).secret("a", 1).reveal()
        );
    }

    #[test]
    fn the_key_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(
            SecretKey::open(folder.path(), false)
                .expect("nothing")
                .is_none()
        );
        let made = SecretKey::open(folder.path(), true)
            .expect("made")
            .expect("a key");
        let read = SecretKey::open(folder.path(), true)
            .expect("read")
            .expect("a key");
        assert_eq!(made.0, read.0);
        fs::write(folder.path().join(FILE), "secret").expect("written");
        let error = SecretKey::open(folder.path(), true).err().expect("refused");
        assert!(
            error.to_string().contains("64 hexadecimal digits"),
            "{error}"
        );
    }
}
