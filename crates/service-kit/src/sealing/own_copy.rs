//! A service's own copy of the key for request digests, beside its logs: the
//! digests in a log can be compared only with the key that they were made with,
//! and the bucket may be lost with NATS's store.
//!
//! The file holds the key as the bucket does, wrapped by the master key (see
//! `wrapping.rs`), and is written anew at each start, under the master key that
//! is in force then. It protects nobody's data by itself, so it need not be
//! forgettable as the data keys are.

use std::{fs, io, path::Path};

use super::{DIGEST, Key, KeyRing, SealingError, Unwrapped, bucket_key, wrapping, wrong_master};
use crate::durable_file;

impl KeyRing {
    /// The key that this service's digests were made with: that of its copy in
    /// `path`, else the bucket's, of which a copy is made.
    ///
    /// # Errors
    /// The copy cannot be read or written, or was wrapped by a master key that
    /// is not given.
    pub async fn own_digest_key(&self, path: &Path, in_bucket: Key) -> Result<Key, SealingError> {
        let disk = |source| SealingError::DigestKeyFile {
            path: path.to_owned(),
            source,
        };
        let name = bucket_key(DIGEST);
        let key = match fs::read(path) {
            Ok(value) => match wrapping::unwrap(&self.masters, &name, Some(DIGEST), &value) {
                Unwrapped::Key { key, .. } => key,
                Unwrapped::OtherMaster(by) => return Err(wrong_master(DIGEST, by)),
                Unwrapped::Erased | Unwrapped::Note | Unwrapped::NeedsId => {
                    return Err(disk(io::ErrorKind::InvalidData.into()));
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => in_bucket,
            Err(error) => return Err(disk(error)),
        };
        if key != in_bucket {
            tracing::warn!(
                "the bucket of keys was lost and made anew; request digests go on with the key in \
                 {}",
                path.display()
            );
        }
        let wrapped = wrapping::wrap(&self.in_force().await?, &name, &key);
        durable_file::replace(path, &wrapped).map_err(disk)?;
        Ok(key)
    }
}
