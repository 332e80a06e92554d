//! Writes a bundle. The sums come last: without them it is no bundle.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use sha2::{Digest, Sha256};
use transparency::{Policy, encode_entries};

use super::{
    CHECKPOINTS, DESCRIPTORS, FORMAT, MANIFEST, Manifest, ManifestLog, POLICY, README, SUMS,
    records_file,
};
use crate::{
    error::AuditError,
    history::{History, Log},
    notes::Checkpoints,
    progress::Progress,
};

/// Records put into the file at once: an entry bundle of C2SP tlog-tiles.
const CHUNK_RECORDS: usize = 256;

const README_TEXT: &str = include_str!("README.md");

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    pub directory: PathBuf,
    pub logs: usize,
    pub records: u64,
    pub checkpoints: usize,
    pub policy: bool,
    pub bytes: u64,
}

/// Writes a bundle into a new or empty directory.
///
/// # Errors
/// The directory holds something, or cannot be written to.
pub fn export(
    directory: &Path,
    history: &History,
    checkpoints: &Checkpoints,
    policy: Option<&str>,
    progress: &dyn Progress,
) -> Result<Exported, AuditError> {
    let mut bundle = Writer::new(directory)?;
    let mut exported = Exported {
        directory: directory.to_owned(),
        logs: history.logs.len(),
        records: 0,
        checkpoints: checkpoints.len(),
        policy: policy.is_some(),
        bytes: 0,
    };
    let mut logs = Vec::new();
    for (name, log) in &history.logs {
        progress.writing(&name.to_string(), log.entries.len() as u64);
        let file = records_file(*name);
        bundle.file(&file, |out| records(log, out))?;
        exported.records += log.entries.len() as u64;
        logs.push(ManifestLog {
            log: name.to_string(),
            origin: name.origin().to_string(),
            records: log.entries.len() as u64,
            damage: log.damage.as_ref().map(Into::into),
        });
    }
    for (name, checkpoint) in checkpoints {
        let file = format!("{CHECKPOINTS}/{name}.checkpoint");
        bundle.text(&file, &checkpoint.to_string())?;
    }
    if let Some(policy) = policy {
        bundle.text(POLICY, policy)?;
    }
    let manifest = Manifest {
        format: FORMAT.into(),
        program: env!("CARGO_PKG_VERSION").into(),
        logs,
    };
    let manifest = serde_json::to_string_pretty(&manifest).unwrap_or_default();
    bundle.text(MANIFEST, &format!("{manifest}\n"))?;
    bundle.file(DESCRIPTORS, |out| out.write_all(proto::DESCRIPTORS))?;
    bundle.text(README, README_TEXT)?;
    exported.bytes = bundle.finish()?;
    Ok(exported)
}

fn records(log: &Log, out: &mut dyn Write) -> io::Result<()> {
    for entries in log.entries.chunks(CHUNK_RECORDS) {
        let bundle = encode_entries(entries.iter().map(|entry| &entry.bytes[..]));
        out.write_all(&bundle.map_err(io::Error::other)?)?;
    }
    Ok(())
}

struct Writer {
    directory: PathBuf,
    sums: BTreeMap<String, String>,
    bytes: u64,
}

/// Passes on what it hashes.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Writer {
    fn new(directory: &Path) -> Result<Self, AuditError> {
        let failed = |source| AuditError::Write {
            path: directory.to_owned(),
            source,
        };
        fs::create_dir_all(directory).map_err(failed)?;
        if fs::read_dir(directory).map_err(failed)?.next().is_some() {
            return Err(AuditError::NotEmpty(directory.to_owned()));
        }
        Ok(Self {
            directory: directory.to_owned(),
            sums: BTreeMap::new(),
            bytes: 0,
        })
    }

    fn text(&mut self, name: &str, text: &str) -> Result<(), AuditError> {
        self.file(name, |out| out.write_all(text.as_bytes()))
    }

    fn file(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), AuditError> {
        let path = self.directory.join(name);
        let written = || -> io::Result<Hashing<File>> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let hashing = Hashing {
                inner: File::create_new(&path)?,
                hash: Sha256::new(),
                bytes: 0,
            };
            let mut out = BufWriter::new(hashing);
            write(&mut out)?;
            let hashing = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            hashing.inner.sync_all()?;
            Ok(hashing)
        };
        let hashing = written().map_err(|source| AuditError::Write {
            path: path.clone(),
            source,
        })?;
        self.bytes += hashing.bytes;
        let sum = format!("{:x}", hashing.hash.finalize());
        self.sums.insert(name.to_owned(), sum);
        Ok(())
    }

    fn finish(mut self) -> Result<u64, AuditError> {
        let sums: String = self
            .sums
            .iter()
            .map(|(name, sum)| format!("{sum}  {name}\n"))
            .collect();
        self.text(SUMS, &sums)?;
        Ok(self.bytes)
    }
}

/// A policy's text that reads as one.
pub(crate) fn policy_text(path: &Path) -> Result<String, AuditError> {
    let text = fs::read_to_string(path).map_err(|source| AuditError::File {
        path: path.to_owned(),
        source,
    })?;
    let policy: Result<Policy, _> = text.parse();
    policy.map_err(|source| AuditError::Policy {
        path: path.to_owned(),
        source,
    })?;
    Ok(text)
}
