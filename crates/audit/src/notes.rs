//! Files with checkpoints: what an auditor kept from last time, and what a
//! service let out beside its log. Nothing is verified here.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use decider::Service;
use transparency::Checkpoint;

use crate::{error::AuditError, history::LogName};

/// Begins a signature line of a note.
const SIGNATURE: &str = "\u{2014} ";
/// Beside a log's directory `<service>/<partition>`: its tree.
const TREE_SUFFIX: &str = ".tree";
/// The newest checkpoint within it.
const PUBLISHED: &str = "checkpoint";
/// Files in a folder that an auditor keeps.
const KEPT_SUFFIX: &str = "checkpoint";

/// The checkpoints of several logs.
pub(crate) type Checkpoints = BTreeMap<LogName, Checkpoint>;

/// Reads a file with one or several notes, or a folder: one that [`save`]
/// wrote, or a suite's data.
pub(crate) fn read(path: &Path) -> Result<Checkpoints, AuditError> {
    let mut found = Checkpoints::new();
    if path.is_dir() {
        for file in files(path)? {
            read_file(&file, &mut found)?;
        }
        if found.is_empty() {
            return Err(AuditError::NoNotes {
                path: path.to_owned(),
                why: "a file <log>.checkpoint, or <service>/<partition>.tree/checkpoint, is wanted",
            });
        }
    } else {
        read_file(path, &mut found)?;
    }
    Ok(found)
}

/// The note that a log's directory has beside it, where there is one.
pub(crate) fn published(directory: &Path, name: LogName) -> Result<Option<String>, AuditError> {
    let path = published_path(directory, name);
    match fs::read_to_string(&path) {
        Ok(note) => Ok(Some(note)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AuditError::File { path, source }),
    }
}

pub(crate) fn published_path(directory: &Path, name: LogName) -> PathBuf {
    directory
        .join(name.service.name())
        .join(format!("{}{TREE_SUFFIX}", name.partition))
        .join(PUBLISHED)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, AuditError> {
    let list = |path: &Path| -> Result<Vec<PathBuf>, AuditError> {
        let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|source| AuditError::Directory {
            path: path.to_owned(),
            source,
        })?;
        let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
        paths.sort();
        Ok(paths)
    };
    let mut files = list(directory)?;
    files.retain(|file| file.extension().is_some_and(|e| e == KEPT_SUFFIX) && file.is_file());
    for service in Service::ALL {
        let folder = directory.join(service.name());
        if folder.is_dir() {
            let trees = list(&folder)?.into_iter();
            let trees =
                trees.filter(|path| path.extension().is_some_and(|e| e == &TREE_SUFFIX[1..]));
            files.extend(
                trees
                    .map(|tree| tree.join(PUBLISHED))
                    .filter(|f| f.is_file()),
            );
        }
    }
    Ok(files)
}

fn read_file(path: &Path, found: &mut Checkpoints) -> Result<(), AuditError> {
    let text = fs::read_to_string(path).map_err(|source| AuditError::File {
        path: path.to_owned(),
        source,
    })?;
    let notes = split(&text);
    if notes.is_empty() {
        return Err(AuditError::NoNotes {
            path: path.to_owned(),
            why: "there is no signed note in it",
        });
    }
    for (number, note) in (1..).zip(notes) {
        let checkpoint: Checkpoint = note.parse().map_err(|source| AuditError::Note {
            path: path.to_owned(),
            number,
            source,
        })?;
        let Some(log) = LogName::from_origin(checkpoint.origin()) else {
            let why = "the log that it names is of none of the four services";
            return Err(AuditError::NoNotes {
                path: path.to_owned(),
                why,
            });
        };
        if found.insert(log, checkpoint).is_some() {
            return Err(AuditError::NoteTwice {
                path: path.to_owned(),
                log,
            });
        }
    }
    Ok(())
}

/// The notes of a text, one behind another: each ends with its last signature
/// line. What is left at the end is one too, for its reader to refuse.
fn split(text: &str) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = String::new();
    let mut signed = false;
    for line in text.split_inclusive('\n') {
        let signature = line.starts_with(SIGNATURE);
        if signed && !signature {
            notes.push(std::mem::take(&mut note));
        }
        signed = signature;
        // Between two notes there may be empty lines.
        if !(note.is_empty() && line.trim().is_empty()) {
            note.push_str(line);
        }
    }
    if !note.is_empty() {
        notes.push(note);
    }
    notes
}

/// Keeps checkpoints for next time: in a folder, one file for each log, or in
/// one file. Either is whole or as before.
pub(crate) fn save(path: &Path, checkpoints: &Checkpoints) -> Result<(), AuditError> {
    let wanted = path.to_string_lossy();
    if path.is_dir() || wanted.ends_with(std::path::is_separator) {
        fs::create_dir_all(path).map_err(|source| write_failed(path, source))?;
        for (log, checkpoint) in checkpoints {
            let file = path.join(format!("{log}.{KEPT_SUFFIX}"));
            write(&file, &checkpoint.to_string())?;
        }
        return Ok(());
    }
    let notes: Vec<String> = checkpoints.values().map(ToString::to_string).collect();
    write(path, &notes.join("\n"))
}

fn write_failed(path: &Path, source: io::Error) -> AuditError {
    AuditError::Write {
        path: path.to_owned(),
        source,
    }
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), AuditError> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let written = fs::write(&draft, text).and_then(|()| {
        fs::File::open(&draft)?.sync_all()?;
        fs::rename(&draft, path)
    });
    written.map_err(|source| write_failed(path, source))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn notes_stand_one_behind_another() {
        let one = "a\n1\nr\n\n\u{2014} k s\n\u{2014} l t\n";
        let other = "b\n2\nr\next\n\n\u{2014} k s\n";
        assert_eq!(split(one), [one]);
        assert_eq!(split(&format!("{one}\n{other}")), [one, other]);
        assert_eq!(split(&format!("\n{one}{other}\n")), [one, other]);
        assert_eq!(split("\n\n"), [""; 0]);
        assert_eq!(split(&format!("{one}b\n2\n")), [one, "b\n2\n"]);
    }
}
