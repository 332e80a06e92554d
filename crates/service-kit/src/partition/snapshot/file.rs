//! The file of one snapshot: a line of JSON, and behind it the state.

use std::{fs, io, io::Write, path::Path};

use decider::{Position, Service, Timestamp};
use event_log::LogError;
use serde::{Deserialize, Serialize};

use super::CODE;
use crate::partition::machine::CanonicalError;

pub(super) const FORMAT: u32 = 1;
/// Longest first line.
const HEADER_BYTES_MAX: usize = 4096;

/// The first line of a snapshot. All of it is checked before the rest is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub format: u32,
    pub code: String,
    pub service: Service,
    pub partition: u32,
    /// Last record folded.
    pub position: Position,
    /// Its time.
    pub recorded: Timestamp,
    /// SHA-256 of that record's bytes, in hexadecimal.
    pub record: String,
    /// SHA-256 of what stands behind this line, in hexadecimal.
    pub digest: String,
    /// Bytes behind this line.
    pub bytes: u64,
}

/// Why a snapshot is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it does not begin with a header: {0}")]
    NoHeader(String),
    #[error("it has format {0}, and this version reads format {FORMAT}")]
    Format(u32),
    #[error("it was taken by code {0}, and this is {CODE}")]
    Code(String),
    #[error("it is one of {0}-{1}")]
    Other(Service, u32),
    #[error("it is damaged: it should hold {expected} bytes with digest {digest}")]
    Damaged { expected: u64, digest: String },
    #[error("it goes to position {0}, and the log ends before that")]
    Ahead(Position),
    #[error("the record at position {0} in the log is another one")]
    OtherLog(Position),
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    #[error("the log cannot be read to compare it: {0}")]
    Log(#[from] LogError),
}

pub(super) fn write_durably(path: &Path, header: &Header, body: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    let mut line = serde_json::to_vec(header)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.write_all(body)?;
    file.sync_all()
}

pub(super) fn read_header(path: &Path) -> Result<(Header, Vec<u8>), Unusable> {
    let mut bytes = fs::read(path)?;
    let end = bytes
        .iter()
        .take(HEADER_BYTES_MAX)
        .position(|byte| *byte == b'\n')
        .ok_or_else(|| Unusable::NoHeader("it has no first line".to_owned()))?;
    let no_header = |error: serde_json::Error| Unusable::NoHeader(error.to_string());
    // Another format may have another header.
    let format = serde_json::from_slice::<Format>(&bytes[..end]).map_err(no_header)?;
    if format.format != FORMAT {
        return Err(Unusable::Format(format.format));
    }
    let header = serde_json::from_slice(&bytes[..end]).map_err(no_header)?;
    bytes.drain(..=end);
    Ok((header, bytes))
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
