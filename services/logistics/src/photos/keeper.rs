//! Deletes what is not to be kept: photos that the log says are erased, files
//! that no photo of the log needs, and what was cut off an hour ago. And counts
//! photos that the log has and the disk does not.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use decider::{Position, Service};
use logistics_domain::{Logistics, State};
use service_kit::partition::{Partition, machine::Machine};
use tokio::time::Instant;

use super::{Hash, Store};

/// How often it looks at least; records wake it.
const TICK: Duration = Duration::from_secs(5);
/// From one look to the next.
const PAUSE: Duration = Duration::from_millis(100);
/// How often everything is compared, also where nothing was erased.
const COMPARE_EVERY: Duration = Duration::from_secs(600);
/// How long something stays that no photo of the log needs.
const STRAY_AFTER: Duration = Duration::from_secs(3_600);

pub struct Keeper {
    partition: Partition<Logistics>,
    store: Arc<Store>,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub photos: usize,
    pub missing: usize,
    pub deleted: usize,
}

impl Keeper {
    pub fn new(partition: Partition<Logistics>, store: Arc<Store>) -> Self {
        Self { partition, store }
    }

    /// Never ends.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut recorded = self.partition.log().watch();
        let mut erased = None;
        let mut compared: Option<Instant> = None;
        loop {
            let erasures = |machine: &Machine<Logistics>| machine.state().photo_erasures();
            let now = self.partition.peek(erasures);
            let due = compared.is_none_or(|at| at.elapsed() >= COMPARE_EVERY);
            if due || erased != Some(now) {
                match self.compare().await {
                    Ok(()) => {
                        erased = Some(now);
                        compared = Some(Instant::now());
                    }
                    Err(error) => {
                        tracing::error!(%error, "photos cannot be looked through; trying again");
                    }
                }
            }
            // Of many records at once only the last wakes it.
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                changed = recorded.changed() => {
                    if changed.is_err() {
                        // The service is about to end, and says why itself.
                        std::future::pending::<()>().await;
                    }
                }
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    async fn compare(&self) -> anyhow::Result<()> {
        let read = |state: &State| (state.living_photos(), state.dead_photos());
        let looked = self.partition.query(Position::ZERO, |m| read(m.state()));
        // An erasure that a crash could take back deletes nothing.
        let ((living, dead), _) = looked.await?;
        let store = Arc::clone(&self.store);
        let partition = self.partition.clone();
        let still_dead =
            move |hash: &Hash| !partition.peek(|machine| machine.state().has_living_photo(hash));
        let compare = move || store.compare(&living, &dead, SystemTime::now(), still_dead);
        let found = tokio::task::spawn_blocking(compare).await??;
        if found.deleted > 0 {
            tracing::info!(deleted = found.deleted, "photos were deleted");
        }
        if found.missing > 0 {
            tracing::error!(
                missing = found.missing,
                "photos that the log names are not on this disk: restore the folder from a copy, \
                 or let the firms upload them again"
            );
        }
        self.report(&found);
        Ok(())
    }

    fn report(&self, found: &Found) {
        let partition = self.partition.number().to_string();
        for (name, count) in [
            ("baogong_photos", found.photos),
            ("baogong_photos_missing", found.missing),
        ] {
            let service = Service::Logistics.name();
            metrics::gauge!(name, "service" => service, "partition" => partition.clone())
                .set(count as f64);
        }
    }
}

impl Store {
    /// Deletes what nobody needs: at once where the log says that it is erased,
    /// after an hour where no record names it, since its record may be on its
    /// way.
    pub(super) fn compare(
        &self,
        living: &BTreeSet<Hash>,
        dead: &BTreeSet<Hash>,
        now: SystemTime,
        still_dead: impl Fn(&Hash) -> bool,
    ) -> io::Result<Found> {
        let mut found = Found::default();
        let mut there = BTreeSet::new();
        for (hash, path) in self.files()? {
            if living.contains(&hash) {
                there.insert(hash);
                continue;
            }
            if !dead.contains(&hash) && !is_stray(&path, now)? {
                continue;
            }
            let pinned = self.pinned.lock();
            if !pinned.contains_key(&hash) && still_dead(&hash) {
                fs::remove_file(&path)?;
                found.deleted += 1;
            }
        }
        found.photos = there.len();
        found.missing = living.len() - there.len();
        self.drop_parts(now)?;
        Ok(found)
    }

    /// What has the name of a photo.
    fn files(&self) -> io::Result<Vec<(Hash, PathBuf)>> {
        let mut files = Vec::new();
        for folder in fs::read_dir(&self.folder)? {
            let folder = folder?;
            let begin = folder.file_name();
            if !folder.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(folder.path())? {
                let file = file?;
                let name = [
                    begin.as_encoded_bytes(),
                    file.file_name().as_encoded_bytes(),
                ]
                .concat();
                if let Some(hash) = unhex(&name) {
                    files.push((hash, file.path()));
                }
            }
        }
        Ok(files)
    }

    fn drop_parts(&self, now: SystemTime) -> io::Result<()> {
        for firm in fs::read_dir(self.folder.join("part"))? {
            for part in fs::read_dir(firm?.path())? {
                let path = part?.path();
                let dropped = match is_stray(&path, now) {
                    Ok(true) => fs::remove_file(&path),
                    other => other.map(|_| ()),
                };
                match dropped {
                    // It has become a photo meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    dropped => dropped?,
                }
            }
        }
        Ok(())
    }
}

fn is_stray(path: &Path, now: SystemTime) -> io::Result<bool> {
    let age = now.duration_since(fs::metadata(path)?.modified()?);
    Ok(age.is_ok_and(|age| age >= STRAY_AFTER))
}

fn unhex(name: &[u8]) -> Option<Hash> {
    let mut hash = [0; 32];
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if name.len() != 64 || !name.iter().all(is_digit) {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(name.chunks(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photos::hex;

    /// A store with these photos.
    fn store(folder: &Path, hashes: &[Hash]) -> Arc<Store> {
        let store = Store::open(folder).expect("a store");
        for hash in hashes {
            let path = store.path(hash);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, b"photo").expect("written");
        }
        Arc::new(store)
    }

    fn set(hashes: &[Hash]) -> BTreeSet<Hash> {
        hashes.iter().copied().collect()
    }

    #[test]
    fn what_is_erased_goes_at_once_and_what_nobody_knows_after_an_hour() {
        let folder = tempfile::tempdir().expect("a folder");
        let [living, dead, stray, lost] = [1, 2, 3, 4].map(|n| [n; 32]);
        let store = store(folder.path(), &[living, dead, stray]);
        let cut = folder.path().join("part/firm");
        fs::create_dir_all(&cut).expect("made");
        fs::write(cut.join("cut-off"), b"half").expect("written");
        fs::write(folder.path().join("note.txt"), b"no photo").expect("written");
        let compare = |now| {
            let (living, dead) = (set(&[living, lost]), set(&[dead]));
            store
                .compare(&living, &dead, now, |_| true)
                .expect("compared")
        };
        let now = SystemTime::now();
        let found = Found {
            photos: 1,
            missing: 1,
            deleted: 1,
        };
        assert_eq!(compare(now), found);
        assert!(!store.has(&dead) && store.has(&stray));
        assert!(cut.join("cut-off").exists());
        assert_eq!(compare(now + STRAY_AFTER * 2), found);
        assert!(store.has(&living) && !store.has(&stray));
        assert!(!cut.join("cut-off").exists());
        assert!(folder.path().join("note.txt").exists());
    }

    #[test]
    fn what_is_on_its_way_into_the_log_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let again = [2; 32];
        let store = store(folder.path(), &[again]);
        let compare = |dead_now: bool| {
            let dead = set(&[again]);
            let now = SystemTime::now();
            let found = store.compare(&set(&[]), &dead, now, |_| dead_now);
            found.expect("compared").deleted
        };
        let pin = store.pin(again);
        assert_eq!(compare(true), 0);
        drop(pin);
        // Recorded since the log was looked at.
        assert_eq!(compare(false), 0);
        assert_eq!(compare(true), 1);
    }

    #[test]
    fn only_names_of_hashes_are_names_of_photos() {
        let hash = [0xa7; 32];
        assert_eq!(unhex(hex(&hash).as_bytes()), Some(hash));
        for wrong in [
            "",
            "a7",
            &"g".repeat(64),
            &"é".repeat(32),
            &"+7".repeat(32),
            &"AB".repeat(32),
        ] {
            assert_eq!(unhex(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
