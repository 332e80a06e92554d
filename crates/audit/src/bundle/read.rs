//! Reads a bundle, and refuses one that is not as it was written.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Component, Path},
};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{CHECKPOINTS, FORMAT, MANIFEST, Manifest, ManifestLog, SUMS, records_file, refused};
use crate::{
    error::AuditError,
    history::{History, Log, LogName},
    notes::{self, Checkpoints},
    progress::Progress,
};

const BUFFER_BYTES: usize = 256 * 1024;

/// The logs of a bundle, once every file of it is as it was written.
pub(crate) fn history(directory: &Path, progress: &dyn Progress) -> Result<History, AuditError> {
    whole(directory, progress)?;
    let mut history = History::default();
    for listed in manifest(directory)?.logs {
        let Ok(name) = listed.log.parse::<LogName>() else {
            let why = format!("`{}` is no log of this version", listed.log);
            return Err(refused(directory, MANIFEST, why));
        };
        let log = records(directory, name, listed)?;
        progress.reading(&name.to_string(), log.entries.len() as u64);
        history.logs.insert(name, log);
    }
    Ok(history)
}

/// The checkpoints of a bundle; none is fine, a policy then says so.
pub(crate) fn checkpoints(directory: &Path) -> Result<Checkpoints, AuditError> {
    let folder = directory.join(CHECKPOINTS);
    if folder.is_dir() {
        notes::read(&folder)
    } else {
        Ok(Checkpoints::new())
    }
}

fn manifest(directory: &Path) -> Result<Manifest, AuditError> {
    let text = text(directory, MANIFEST)?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| refused(directory, MANIFEST, e.to_string()))?;
    // The format decides how the rest reads, so it is looked at first.
    match value.get("format").and_then(|format| format.as_str()) {
        Some(FORMAT) => {}
        found => {
            let found = found.unwrap_or("none");
            let why = format!(
                "it is of format {found}, this version reads {FORMAT}: use the version that \
                 wrote it"
            );
            return Err(refused(directory, MANIFEST, why));
        }
    }
    serde_json::from_value(value).map_err(|e| refused(directory, MANIFEST, e.to_string()))
}

fn text(directory: &Path, name: &str) -> Result<String, AuditError> {
    match fs::read_to_string(directory.join(name)) {
        Ok(text) => Ok(text),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let why = "it is missing: the export was not finished, or not all of it was copied";
            Err(refused(directory, name, why))
        }
        Err(source) => Err(AuditError::File {
            path: directory.join(name),
            source,
        }),
    }
}

/// Every file is listed, there, and as it was written.
fn whole(directory: &Path, progress: &dyn Progress) -> Result<(), AuditError> {
    let sums = sums(directory)?;
    for name in files(directory)? {
        if name != SUMS && !sums.contains_key(&name) {
            return Err(refused(
                directory,
                &name,
                format!("{SUMS} does not list it"),
            ));
        }
    }
    if !sums.contains_key(MANIFEST) {
        return Err(refused(
            directory,
            SUMS,
            format!("it does not list {MANIFEST}"),
        ));
    }
    for (name, sum) in &sums {
        progress.reading(name, 0);
        match sha256(&directory.join(name)) {
            Ok(found) if found == *sum => {}
            Ok(_) => {
                let why = format!("it is not as it was written: its SHA-256 is not that of {SUMS}");
                return Err(refused(directory, name, why));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(refused(directory, name, "it is missing"));
            }
            Err(source) => {
                let path = directory.join(name);
                return Err(AuditError::File { path, source });
            }
        }
    }
    Ok(())
}

fn sums(directory: &Path) -> Result<BTreeMap<String, String>, AuditError> {
    let text = text(directory, SUMS)?;
    let mut sums = BTreeMap::new();
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let wrong = || {
            let why =
                format!("line {number} is not <SHA-256>, two spaces and a file of the bundle");
            refused(directory, SUMS, why)
        };
        let line = line.strip_suffix('\n').ok_or_else(|| {
            refused(
                directory,
                SUMS,
                format!("it is cut off within line {number}"),
            )
        })?;
        let (sum, name) = line.split_once("  ").ok_or_else(wrong)?;
        let hex = sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit());
        let mut parts = Path::new(name).components();
        let inside = !name.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)));
        if !hex || !inside {
            return Err(wrong());
        }
        sums.insert(name.to_owned(), sum.to_owned());
    }
    Ok(sums)
}

/// All files below, by their paths in the bundle.
fn files(directory: &Path) -> Result<Vec<String>, AuditError> {
    let mut found = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |source| AuditError::Directory {
            path: folder.clone(),
            source,
        };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
            let name = path.strip_prefix(directory).unwrap_or(&path);
            let name = name.to_string_lossy().replace('\\', "/");
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                found.push(name);
            } else {
                // A link may lead anywhere, and round in a circle.
                return Err(refused(directory, &name, "a bundle has plain files only"));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("{:x}", hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

fn records(directory: &Path, name: LogName, listed: ManifestLog) -> Result<Log, AuditError> {
    let file = records_file(name);
    let path = directory.join(&file);
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::UnexpectedEof => refused(directory, &file, "it ends within a record"),
        io::ErrorKind::NotFound => refused(directory, &file, "it is missing"),
        _ => AuditError::File {
            path: path.clone(),
            source,
        },
    };
    let opened = File::open(&path).map_err(failed)?;
    let mut input = BufReader::with_capacity(BUFFER_BYTES, opened);
    let mut log = Log::default();
    while let Some(bytes) = next(&mut input).map_err(failed)? {
        log.push(bytes);
    }
    let found = log.entries.len() as u64;
    if found != listed.records {
        let why = format!(
            "it holds {found} records, {MANIFEST} says {}",
            listed.records
        );
        return Err(refused(directory, &file, why));
    }
    log.damage = listed.damage.map(Into::into);
    Ok(log)
}

/// The next record; none at the end of the file.
fn next(input: &mut impl Read) -> io::Result<Option<Bytes>> {
    let mut length = [0; 2];
    if input.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    input.read_exact(&mut length[1..])?;
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    input.read_exact(&mut bytes)?;
    Ok(Some(bytes.into()))
}
