//! What is on a disk after the power failed: of each file what was synced, and
//! of the rest whatever the caller chooses; of the names those that their
//! directory's sync has made durable.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

use crate::trace::Event;

/// The unit in which a write may be torn.
const SECTOR_BYTES: u64 = 512;

/// What becomes of writes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    Lost,
    Written,
    /// Each sector by itself: this many of a hundred are written.
    Torn(u32),
}

type File = usize;

#[derive(Debug, Default)]
struct Content {
    synced: Vec<u8>,
    /// With the number of the event.
    unsynced: Vec<(usize, Change)>,
}

#[derive(Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

#[derive(Debug, Default)]
pub struct Disk {
    files: Vec<Content>,
    names: BTreeMap<String, File>,
    durable_names: BTreeMap<String, File>,
    pub acknowledged: u64,
}

impl Disk {
    pub fn apply(&mut self, number: usize, event: &Event) {
        match event {
            Event::Open { path, truncate } => {
                if !self.names.contains_key(path) {
                    self.names.insert(path.clone(), self.files.len());
                    self.files.push(Content::default());
                }
                if *truncate {
                    self.change(number, path, Change::Length(0));
                }
            }
            Event::Write { path, at, bytes } => {
                self.change(number, path, Change::Write(*at, bytes.clone()));
            }
            Event::Truncate { path, length } => {
                self.change(number, path, Change::Length(*length));
            }
            Event::Rename { from, to } => {
                if let Some(file) = self.names.remove(from) {
                    self.names.insert(to.clone(), file);
                }
            }
            Event::Remove { path } => drop(self.names.remove(path)),
            Event::Sync { path, began } => self.sync(path, *began),
            Event::Acknowledged(position) => self.acknowledged = *position,
        }
    }

    fn change(&mut self, number: usize, path: &str, change: Change) {
        if let Some(file) = self.names.get(path) {
            self.files[*file].unsynced.push((number, change));
        }
    }

    fn sync(&mut self, path: &str, began: usize) {
        let Some(file) = self.names.get(path) else {
            // A directory.
            let inside = |name: &String| Path::new(name).parent() == Some(Path::new(path));
            self.durable_names.retain(|name, _| !inside(name));
            let names = self.names.iter().filter(|(name, _)| inside(name));
            let names: Vec<_> = names.map(|(n, f)| (n.clone(), *f)).collect();
            self.durable_names.extend(names);
            return;
        };
        let content = &mut self.files[*file];
        let (before, after) = std::mem::take(&mut content.unsynced)
            .into_iter()
            .partition(|(number, _)| *number < began);
        content.unsynced = after;
        let before: Vec<(usize, Change)> = before;
        for (_, change) in before {
            apply(&mut content.synced, &change, &mut |_| true);
        }
    }

    /// Writes the directory `from` as it is after a cut into `to`.
    pub fn write(&self, from: &str, to: &Path, unsynced: Unsynced, rng: &mut impl rand::Rng) {
        for (name, file) in &self.durable_names {
            let Some(name) = name.strip_prefix(from).and_then(|n| n.strip_prefix('/')) else {
                continue;
            };
            let content = &self.files[*file];
            let mut bytes = content.synced.clone();
            for (_, change) in &content.unsynced {
                apply(&mut bytes, change, &mut |_| match unsynced {
                    Unsynced::Lost => false,
                    Unsynced::Written => true,
                    Unsynced::Torn(percent) => rng.random_ratio(percent, 100),
                });
            }
            let path = to.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    /// Names whose directory was synced: nothing else survives.
    pub fn durable(&self) -> HashSet<&str> {
        self.durable_names.keys().map(String::as_str).collect()
    }

    /// How many bytes each file has waiting for a sync.
    pub fn unsynced(&self) -> HashMap<&str, usize> {
        let bytes = |file: &File| {
            let changes = self.files[*file].unsynced.iter();
            changes
                .map(|(_, change)| match change {
                    Change::Write(_, bytes) => bytes.len(),
                    Change::Length(_) => 0,
                })
                .sum()
        };
        let names = self.names.iter();
        names
            .map(|(name, file)| (name.as_str(), bytes(file)))
            .collect()
    }
}

fn apply(content: &mut Vec<u8>, change: &Change, wanted: &mut impl FnMut(u64) -> bool) {
    match change {
        Change::Length(length) => {
            if wanted(0) {
                content.resize(usize::try_from(*length).unwrap(), 0);
            }
        }
        Change::Write(at, bytes) => {
            let mut done = 0;
            while done < bytes.len() {
                let start = at + done as u64;
                let sector_end = (start / SECTOR_BYTES + 1) * SECTOR_BYTES;
                let some = usize::try_from(sector_end - start).unwrap();
                let some = some.min(bytes.len() - done);
                if wanted(start) {
                    let start = usize::try_from(start).unwrap();
                    if content.len() < start + some {
                        content.resize(start + some, 0);
                    }
                    content[start..start + some].copy_from_slice(&bytes[done..done + some]);
                }
                done += some;
            }
        }
    }
}
