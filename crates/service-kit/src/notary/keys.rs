//! Secret keys in files, one text line each (`transparency::SecretKey::reveal`):
//! `<service>-<partition>.key` signs a log's checkpoints, `<service>-witness.key`
//! cosigns those of others. They are read once, at the start.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use transparency::{KeyError, KeyUse, Origin, SecretKey};

use crate::durable_file;

/// Why a key file is of no use. No secret is ever repeated.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error(
        "the key {path} cannot be read; put it there, make it with `baogong keys create`, or set \
         transparency.key_dir"
    )]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the key {path} cannot be made")]
    NotMade {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "others may read or change the key {path} (mode {mode:03o}). If somebody could have, \
         replace it (`baogong keys rotate`); then `chmod 600` the file"
    )]
    TooWide { path: PathBuf, mode: u32 },
    #[error("{path} holds no key that can be used here")]
    Key {
        path: PathBuf,
        #[source]
        source: KeyError,
    },
    #[error("the key in {path} is named {found}; {expected} is needed here")]
    OtherName {
        path: PathBuf,
        expected: String,
        found: String,
    },
}

/// File of a log's key.
#[must_use]
pub fn log_key_file(directory: &Path, origin: &Origin) -> PathBuf {
    directory.join(format!("{}-{}.key", origin.service(), origin.partition()))
}

/// File of a service's cosigner key.
#[must_use]
pub fn witness_key_file(directory: &Path, service: &str) -> PathBuf {
    directory.join(format!("{service}-witness.key"))
}

/// Name of a service's cosigner key.
#[must_use]
pub fn witness_name(service: &str) -> String {
    format!("baogong/{service}/witness")
}

/// Reads a log's key, or makes it where that is allowed.
///
/// # Errors
/// It is missing, can be read by others, or is not this log's.
pub fn log_key(directory: &Path, origin: &Origin, create: bool) -> Result<SecretKey, KeyFileError> {
    let path = log_key_file(directory, origin);
    load(&path, &origin.to_string(), KeyUse::Log, create)
}

/// Reads a service's cosigner key, or makes it where that is allowed.
///
/// # Errors
/// It is missing, can be read by others, or is another's.
pub fn witness_key(
    directory: &Path,
    service: &str,
    create: bool,
) -> Result<SecretKey, KeyFileError> {
    let path = witness_key_file(directory, service);
    load(&path, &witness_name(service), KeyUse::Cosigner, create)
}

fn load(path: &Path, name: &str, key_use: KeyUse, create: bool) -> Result<SecretKey, KeyFileError> {
    if create && !path.exists() {
        make(path, name, key_use)?;
    }
    let key = read(path, key_use)?;
    let found = &key.public().label().name;
    if found == name {
        return Ok(key);
    }
    Err(KeyFileError::OtherName {
        path: path.to_owned(),
        expected: name.to_owned(),
        found: found.clone(),
    })
}

/// Reads a secret key of any name.
///
/// # Errors
/// The file is missing, can be read by others, or holds no such key.
pub fn read(path: &Path, key_use: KeyUse) -> Result<SecretKey, KeyFileError> {
    let unreadable = |source| KeyFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut file = fs::File::open(path).map_err(unreadable)?;
    check_mode(path, &file.metadata().map_err(unreadable)?)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(unreadable)?;
    let key: Result<SecretKey, _> = text.trim_end().parse();
    let key = key.and_then(|key| key.public().clone().for_use(key_use).map(|_| key));
    key.map_err(|source| KeyFileError::Key {
        path: path.to_owned(),
        source,
    })
}

/// Makes a key out of the system's random source, unless the file exists.
///
/// # Errors
/// The disk fails.
pub fn make(path: &Path, name: &str, key_use: KeyUse) -> Result<bool, KeyFileError> {
    let not_made = |source| KeyFileError::NotMade {
        path: path.to_owned(),
        source,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(not_made)?;
    let key = SecretKey::generate(name, key_use, rand::random());
    let key = key.map_err(|source| KeyFileError::Key {
        path: path.to_owned(),
        source,
    })?;
    let text = format!("{}\n", key.reveal());
    durable_file::create_secret(path, text.as_bytes()).map_err(not_made)
}

fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    match too_wide(metadata) {
        None => Ok(()),
        Some(mode) => Err(KeyFileError::TooWide {
            path: path.to_owned(),
            mode,
        }),
    }
}

/// The mode of a secret's file that others may read or change. Nobody but the
/// owner may; but what root owns (a secret mounted by Kubernetes) may be read
/// by the group that the service runs with.
#[cfg(unix)]
pub(crate) fn too_wide(metadata: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let refused = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    let mode = metadata.mode() & 0o777;
    (mode & refused != 0).then_some(mode)
}

#[cfg(not(unix))]
pub(crate) const fn too_wide(_: &fs::Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn origin() -> Origin {
        Origin::new("order", 0).expect("a name")
    }

    #[test]
    fn a_key_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = log_key(folder.path(), &origin(), true).expect("made");
        let read = log_key(folder.path(), &origin(), true).expect("read");
        assert_eq!(made.public(), read.public());
        assert_eq!(made.public().label().name, "baogong/order/0");
        let witness = witness_key(folder.path(), "order", true).expect("made");
        assert_eq!(witness.public().label().name, "baogong/order/witness");
    }

    #[test]
    fn a_missing_key_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = log_key(folder.path(), &origin(), false).expect_err("missing");
        assert!(error.to_string().contains("order-0.key"), "{error}");
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        log_key(folder.path(), &origin(), true).expect("made");
        let path = log_key_file(folder.path(), &origin());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
        let error = log_key(folder.path(), &origin(), true).expect_err("too wide");
        assert!(error.to_string().contains("mode 644"), "{error}");
    }

    #[test]
    fn another_logs_key_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        log_key(folder.path(), &origin(), true).expect("made");
        let other = Origin::new("inventory", 0).expect("a name");
        let (from, to) = (
            log_key_file(folder.path(), &origin()),
            log_key_file(folder.path(), &other),
        );
        fs::copy(from, to).expect("copied");
        let error = log_key(folder.path(), &other, true).expect_err("another's");
        assert!(matches!(error, KeyFileError::OtherName { .. }), "{error}");
        let cosigner = witness_key_file(folder.path(), "order");
        fs::copy(log_key_file(folder.path(), &origin()), cosigner).expect("copied");
        let error = witness_key(folder.path(), "order", true).expect_err("a log's key");
        let why = KeyError::WrongUse {
            name: "baogong/order/0".into(),
            expected: KeyUse::Cosigner,
            found: KeyUse::Log,
        };
        assert!(matches!(error, KeyFileError::Key { source, .. } if source == why));
    }
}
