//! The check of the log when it is opened, and the cut of a torn tail.
//!
//! Every key and every batch from the start of the scan on is checked:
//! checksum, record lengths, and that each batch begins where the one before
//! ended. The first place where this fails is a fault. What it means depends on what lies behind it:
//!
//! - Some intact batch there belongs to a group that began *after* the fault.
//!   When that group was written the faulty place was durable and may have been
//!   acknowledged: the log is damaged in the middle, and is not opened.
//! - The file `acknowledged` says more than is there: the same for the end.
//! - In both cases, where the journal still has all that should be there from
//!   the fault on, it is taken from the journal.
//! - Otherwise everything from the fault on belongs to a group that a crash
//!   interrupted: a torn tail. It is written to a file of its own and cut off.
//!
//! After a power cut that file may be some seconds old. What it cannot see then
//! shows in the comparison with the JetStream stream.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use decider::Position;

use crate::batch::{self, Batch, Invalid};
use crate::checked::Checked;
use crate::disk::{Durable, guarded, passed, sync_path};
use crate::error::LogError;
use crate::head;
use crate::journal::Recovered;
use crate::report::Cut;

/// A log whose batches are all in order, and what is left behind them.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub last: Position,
    pub batches: u64,
    pub bytes: u64,
    pub checked: Option<Checked>,
    pub tail: Option<Tail>,
}

#[derive(Debug)]
pub(crate) struct Tail {
    why: String,
    /// The journal has what should be here.
    covered: bool,
    /// The last record in an intact batch of it.
    pub last: Position,
    items: Vec<(sled::IVec, sled::IVec)>,
}

/// Checks from `start` on, where a batch begins.
pub(crate) fn scan(
    db: &sled::Db,
    path: &Path,
    start: Position,
    journal: &Recovered,
) -> Result<Scan, LogError> {
    let before = Position(start.0 - 1);
    let io = |e| LogError::io("opening", path, e);
    let mut scan = Scan {
        last: before,
        checked: Some(Checked::new(path, before).map_err(io)?),
        ..Scan::default()
    };
    let mut items = db.range(batch::key(start)..);
    loop {
        let next = scan.last.next();
        let item = guarded(|| next_of(db, &mut items))
            .map_err(|e| unreadable("checking", path, next, e))?;
        let Some((key, value)) = item else {
            return Ok(scan);
        };
        let Ok(position) = <[u8; 8]>::try_from(&key[..]) else {
            let why = format!("it has a key of {} bytes", key.len());
            return Err(LogError::NotALog {
                path: path.to_owned(),
                why,
            });
        };
        let first = Position(u64::from_be_bytes(position));
        scan.take(path, first, (key, value), journal)?;
    }
}

/// The next key and value of a scan.
pub(crate) fn next_of(
    db: &sled::Db,
    items: &mut sled::Iter,
) -> sled::Result<Option<(sled::IVec, sled::IVec)>> {
    let item = items.next().transpose()?;
    if let Some((key, value)) = &item {
        passed(db, key, value.len())?;
    }
    Ok(item)
}

/// sled's own error at `position`; one that is no I/O error means damage.
pub(crate) fn unreadable(
    doing: &'static str,
    path: &Path,
    position: Position,
    error: sled::Error,
) -> LogError {
    match error {
        sled::Error::ReportableBug(what) => LogError::Damaged {
            path: path.to_owned(),
            position,
            what,
        },
        other => LogError::sled(doing, path, position, other),
    }
}

impl Scan {
    /// A batch was taken from the journal.
    pub fn take_over(&mut self, batch: &Batch) {
        self.last = batch.last();
        self.batches += 1;
        self.bytes += batch.value.len() as u64;
        if let Some(mark) = &mut self.checked {
            mark.passed(self.last, batch.value.len() as u64);
        }
    }

    /// The end of the log that was found is short of what was acknowledged.
    pub fn lost(&self, path: &Path, acknowledged: Position, journal: &Recovered) -> LogError {
        let position = self.last.next();
        let tail = self.tail.as_ref().map(|tail| tail.why.clone());
        let why = match (tail, journal.why(position)) {
            (Some(tail), Some(fault)) => format!("{tail}, {fault}"),
            (None, Some(why)) | (Some(why), None) => why,
            (None, None) => "there is nothing in `db` nor in the journal".to_owned(),
        };
        LogError::Damaged {
            path: path.to_owned(),
            position,
            what: format!(
                "{why}, and the log was acknowledged up to position {acknowledged} (a copy \
                 taken while the service was running looks the same: stop it, copy again)"
            ),
        }
    }

    fn take(
        &mut self,
        path: &Path,
        first: Position,
        item: (sled::IVec, sled::IVec),
        journal: &Recovered,
    ) -> Result<(), LogError> {
        let next = self.last.next();
        let checked = batch::check(first, &item.1);
        if let Err(Invalid::Format(found)) = checked {
            return Err(LogError::NewerFormat {
                path: path.to_owned(),
                found: found.into(),
                supported: LogError::SUPPORTED_FORMAT,
            });
        }
        match (&mut self.tail, checked) {
            (None, Ok(batch)) if first == next => {
                self.last = Position(self.last.0 + batch.records);
                self.batches += 1;
                self.bytes += item.1.len() as u64;
                if let Some(mark) = &mut self.checked {
                    mark.passed(self.last, item.1.len() as u64);
                }
            }
            (None, Ok(batch)) => {
                let why = format!("`db`: the next batch begins at position {first}");
                let covered = journal.covers(next);
                if !covered {
                    acknowledged(path, next, batch.group, &why)?;
                }
                let last = Position(first.0.saturating_add(batch.records - 1));
                self.tail = Some(Tail {
                    why,
                    covered,
                    last,
                    items: vec![item],
                });
            }
            (None, Err(invalid)) => {
                let why = format!("`db`: {invalid}");
                self.tail = Some(Tail {
                    why,
                    covered: journal.covers(next),
                    last: Position::ZERO,
                    items: vec![item],
                });
            }
            (Some(tail), checked) => {
                if let Ok(batch) = checked {
                    if !tail.covered {
                        acknowledged(path, next, batch.group, &tail.why)?;
                    }
                    let last = Position(first.0.saturating_add(batch.records - 1));
                    tail.last = tail.last.max(last);
                }
                tail.items.push(item);
            }
        }
        Ok(())
    }
}

/// An error when a batch behind the fault at `fault` belongs to a later group.
fn acknowledged(path: &Path, fault: Position, group: Position, why: &str) -> Result<(), LogError> {
    if group <= fault {
        return Ok(());
    }
    Err(LogError::Damaged {
        path: path.to_owned(),
        position: fault,
        what: format!("{why}, and there are intact records behind it"),
    })
}

/// Takes the tail off the log, after keeping it in `cut-<position>.bin`: for
/// each key its 8 bytes, the length of the value (4 bytes, big-endian), the
/// value. The cut is durable on return.
pub(crate) fn cut(
    db: &sled::Db,
    durable: &Durable,
    first_position: Position,
    tail: Tail,
) -> Result<Cut, LogError> {
    let path = &durable.path;
    let kept_in = keep(path, first_position, &tail)
        .map_err(|e| LogError::io("keeping the torn tail of", path, e))?;
    // From the end, so that an interrupted cut leaves a shorter tail.
    for (key, _) in tail.items.iter().rev() {
        guarded(|| db.remove(key))
            .map_err(|e| LogError::sled("cutting", path, first_position, e))?;
    }
    durable.flush(db, first_position)?;
    Ok(Cut {
        first_position,
        batches: tail.items.len() as u64,
        bytes: tail.items.iter().map(|(_, value)| value.len() as u64).sum(),
        why: tail.why,
        kept_in,
    })
}

fn keep(path: &Path, first: Position, tail: &Tail) -> io::Result<PathBuf> {
    let mut bytes = Vec::new();
    for (key, value) in &tail.items {
        let length = u32::try_from(value.len()).map_err(io::Error::other)?;
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(value);
    }
    let mut name = format!("cut-{first}.bin");
    let mut n = 1;
    loop {
        let kept_in = path.join(&name);
        match File::create_new(&kept_in) {
            Ok(mut file) => {
                file.write_all(&bytes)?;
                file.sync_all()?;
                sync_path(path)?;
                return Ok(kept_in);
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                n += 1;
                name = format!("cut-{first}-{n}.bin");
            }
            Err(e) => return Err(e),
        }
    }
}

/// What key 0 says of the database in `path`.
pub(crate) fn is_new(db: &sled::Db, path: &Path) -> Result<bool, LogError> {
    let head = guarded(|| db.get(head::KEY))
        .map_err(|e| unreadable("opening", path, Position::ZERO, e))?;
    let path = path.to_owned();
    match head.map(|value| head::decode(&value)) {
        Some(head::Head::Current) => Ok(false),
        Some(head::Head::Newer(found)) => Err(LogError::NewerFormat {
            path,
            found,
            supported: LogError::SUPPORTED_FORMAT,
        }),
        Some(head::Head::Unknown) => Err(LogError::NotALog {
            path,
            why: "its first key is not an event log's, or is damaged".to_owned(),
        }),
        None if db.is_empty() => Ok(true),
        None => Err(LogError::NotALog {
            path,
            why: "the sled database in it holds something else".to_owned(),
        }),
    }
}
