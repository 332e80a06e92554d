//! The issuer's key and tokens in files that only their owner may read.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use access::{Issuer, IssuerError};

use crate::{durable_file, notary::keys::too_wide};

/// Why an issuer's key file is of no use. No secret is ever repeated.
#[derive(Debug, thiserror::Error)]
pub enum IssuerFileError {
    #[error(
        "the issuer's key {path} cannot be read; a suite that was started with `baogong up` has \
         one in its data folder"
    )]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the issuer's key {path} cannot be made")]
    NotMade {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "others may read or change the issuer's key {path} (mode {mode:03o}), and whoever could \
         read it can make tokens. Delete it, so that a new one is made, or `chmod 600` it if \
         nobody else is on this machine"
    )]
    TooWide { path: PathBuf, mode: u32 },
    #[error("{path}: {source}")]
    Key { path: PathBuf, source: IssuerError },
}

/// Reads an issuer's key, or makes it out of the system's random source where
/// it is missing and that is allowed.
///
/// # Errors
/// It is missing, can be read by others, or is none.
pub fn issuer(path: &Path, create: bool) -> Result<Issuer, IssuerFileError> {
    if create && !path.exists() {
        let not_made = |source| IssuerFileError::NotMade {
            path: path.to_owned(),
            source,
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(not_made)?;
        let text = format!("{}\n", Issuer::new(rand::random()).reveal());
        durable_file::create_secret(path, text.as_bytes()).map_err(not_made)?;
    }
    let unreadable = |source| IssuerFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    if let Some(mode) = too_wide(&fs::metadata(path).map_err(unreadable)?) {
        return Err(IssuerFileError::TooWide {
            path: path.to_owned(),
            mode,
        });
    }
    Issuer::parse(text.trim_end()).map_err(|source| IssuerFileError::Key {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("access/issuer.key");
        assert!(issuer(&path, false).is_err());
        let made = issuer(&path, true).expect("made");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(issuer(&path, true).expect("read").kid(), made.kid());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
        let error = issuer(&path, true).err().expect("too wide").to_string();
        assert!(error.contains("mode 644"), "{error}");
    }
}
