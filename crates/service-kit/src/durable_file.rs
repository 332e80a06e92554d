//! Small files that are there as a whole or not at all, also after a power cut.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    time::SystemTime,
};

/// What tells that a file was changed: the time of it and its length.
pub(crate) type Mark = (Option<SystemTime>, u64);

/// Of a file that is not there, nothing and 0.
pub(crate) fn mark(path: &Path) -> Mark {
    fs::metadata(path).map_or((None, 0), |data| (data.modified().ok(), data.len()))
}

/// Puts a file in place of an older one, if any: written under another name,
/// synced, renamed, and the folder synced. Whoever writes the same file twice
/// at once must take turns.
///
/// # Errors
/// The disk fails; the older file is still there.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = std::path::PathBuf::from(draft);
    let mut file = File::create(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    sync_folder(path)
}

/// As [`replace`], for a file that only its owner may read.
///
/// # Errors
/// The disk fails; the older file is still there.
pub fn replace_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(format!("next-{:08x}", rand::random::<u32>()));
    create_secret(&draft, bytes)?;
    fs::rename(&draft, path)?;
    sync_folder(path)
}

/// Makes a file that only its owner may read, unless it exists: gives whether
/// it was made. Written under another name and linked into place, so that two
/// processes that start together end with the same file.
///
/// # Errors
/// The disk fails, or the folder does not exist.
pub fn create_secret(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let draft = path.with_extension(format!("new-{:08x}", rand::random::<u32>()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
        // A name that a power cut takes back would be made anew, with other
        // content.
        Ok(()) => sync_folder(path).map(|()| true),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_a_secret_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("checkpoint");
        replace(&path, b"one").expect("written");
        replace(&path, b"two").expect("written");
        assert_eq!(fs::read(&path).expect("there"), b"two");
        assert!(!create_secret(&path, b"three").expect("looked"));
        assert_eq!(fs::read(&path).expect("there"), b"two");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn only_the_owner_reads_a_secret() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("order-0.key");
        assert!(create_secret(&path, b"secret").expect("made"));
        let mode = || fs::metadata(&path).expect("there").mode();
        assert_eq!(mode() & 0o777, 0o600);
        replace_secret(&path, b"another").expect("replaced");
        assert_eq!(fs::read(&path).expect("there"), b"another");
        assert_eq!(mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
