//! One upload: what comes is written to a file of its own, hashed on the way,
//! and put into its place only when it is there as a whole, has the hash and
//! looks like a photo. What was cut off stays for an hour.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use proto::logistics::v1::PhotoFormat;
use sha2::{Digest, Sha256};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::{
    CHUNK_BYTES_MAX, Hash, Pin, Refusal, Store, create_private,
    format::{self, HEAD_BYTES},
    hex,
};

/// Uploads of one firm at the same time.
pub const RUNNING_MAX: usize = 8;
/// Uploads of one firm that were cut off and are kept.
const PARTS_MAX: usize = 32;

/// Of whom and of what an upload is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UploadId {
    pub area: String,
    pub carrier_id: String,
    pub shipment_id: String,
    pub hash: Hash,
}

impl UploadId {
    /// Names of files are made of hashes alone, never of what somebody sent.
    fn folder(&self) -> String {
        let firm = [self.area.as_bytes(), b"\0", self.carrier_id.as_bytes()].concat();
        hex(&Sha256::digest(firm)[..16])
    }

    fn file(&self) -> String {
        let shipment = [self.shipment_id.as_bytes(), b"\0", &self.hash].concat();
        hex(&Sha256::digest(shipment)[..16])
    }

    fn is_of_the_same_firm(&self, other: &Self) -> bool {
        self.carrier_id == other.carrier_id && self.area == other.area
    }
}

/// An upload under way.
pub struct Running {
    number: u64,
    /// Ends it when another takes over.
    over: CancellationToken,
    /// Held by the one that writes.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Its place among those under way, also while it waits for its turn.
struct Place {
    store: Arc<Store>,
    id: UploadId,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut running = self.store.running.lock();
        // Another that took over has its own entry.
        let own = running
            .get(&self.id)
            .is_some_and(|one| one.number == self.number);
        if own {
            running.remove(&self.id);
        }
    }
}

/// Held until the last write has ended: that goes on for a moment when the
/// upload is dropped, and nobody else may write meanwhile.
struct Turn {
    place: Place,
    _guard: OwnedMutexGuard<()>,
}

pub struct Upload {
    turn: Arc<Turn>,
    over: CancellationToken,
    path: PathBuf,
    written: Option<Written>,
    size: u64,
    format: PhotoFormat,
}

/// What is there of it.
struct Written {
    file: File,
    hasher: Sha256,
    head: Vec<u8>,
    bytes: u64,
}

impl Store {
    /// Begins an upload, or goes on with one at an offset. One of the same
    /// photo that is under way ends.
    ///
    /// # Errors
    /// The firm has too many under way, there is less than the offset, or the
    /// disk fails.
    pub async fn begin(
        self: &Arc<Self>,
        id: UploadId,
        format: PhotoFormat,
        size: u64,
        offset: u64,
    ) -> Result<Upload, Refusal> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let over = CancellationToken::new();
        let turn = {
            let mut running = self.running.lock();
            let of_firm = |other: &&UploadId| id.is_of_the_same_firm(other);
            let known = running.get(&id);
            if known.is_none() && running.keys().filter(of_firm).count() >= RUNNING_MAX {
                return Err(Refusal::TooMany);
            }
            let turn = known.map(|one| {
                one.over.cancel();
                Arc::clone(&one.turn)
            });
            let turn = turn.unwrap_or_default();
            let running_now = Running {
                number,
                over: over.clone(),
                turn: Arc::clone(&turn),
            };
            running.insert(id.clone(), running_now);
            turn
        };
        let part = self.folder.join("part").join(id.folder());
        let path = part.join(id.file());
        let place = Place {
            store: Arc::clone(self),
            id,
            number,
        };
        let turn = Turn {
            place,
            _guard: turn.lock_owned().await,
        };
        let mut upload = Upload {
            turn: Arc::new(turn),
            over,
            path,
            written: None,
            size,
            format,
        };
        let path = upload.path.clone();
        let opened = blocking(&upload.turn, move || {
            create_private(&part)?;
            make_room(&part, &path)?;
            open(&path, offset)
        });
        match opened.await? {
            Opened::At(written) => {
                upload.written = Some(written);
                upload.check_head()?;
                Ok(upload)
            }
            Opened::Shorter(received) => Err(Refusal::Offset { received, offset }),
        }
    }

    /// Bytes that came of an upload that is not complete.
    pub fn received(&self, id: &UploadId) -> u64 {
        let part = self.folder.join("part").join(id.folder());
        fs::metadata(part.join(id.file())).map_or(0, |data| data.len())
    }
}

impl Upload {
    /// Ends when another upload of the same photo takes over.
    pub fn over(&self) -> CancellationToken {
        self.over.clone()
    }

    fn check_head(&mut self) -> Result<(), Refusal> {
        let head = self.written.as_ref().map_or(&[][..], |w| &w.head);
        if format::can_be(self.format, head) {
            return Ok(());
        }
        self.discard();
        Err(Refusal::Format {
            format: format_word(self.format),
        })
    }

    /// Nothing of it is kept.
    fn discard(&mut self) {
        self.written = None;
        remove(&self.path);
    }

    /// Takes the next part of it.
    ///
    /// # Errors
    /// It is too much, or not of the format; or the disk fails.
    pub async fn write(&mut self, chunk: Vec<u8>) -> Result<(), Refusal> {
        let bytes = chunk.len();
        if bytes == 0 || bytes > CHUNK_BYTES_MAX {
            return Err(Refusal::Chunk { bytes });
        }
        let Some(mut written) = self.written.take() else {
            return Err(Refusal::Disk);
        };
        if written.bytes + bytes as u64 > self.size {
            self.discard();
            return Err(Refusal::TooMuch { size: self.size });
        }
        let written = blocking(&self.turn, move || {
            written.file.write_all(&chunk)?;
            written.take_in(&chunk);
            Ok(written)
        });
        self.written = Some(written.await?);
        self.check_head()
    }

    /// Puts the photo into its place, if it is whole and what it was to be.
    ///
    /// # Errors
    /// It is not, or the disk fails.
    pub async fn finish(mut self) -> Result<Pin, Refusal> {
        let Some(written) = self.written.take() else {
            return Err(Refusal::Disk);
        };
        if written.bytes < self.size {
            return Err(Refusal::Incomplete {
                received: written.bytes,
                size: self.size,
            });
        }
        if written.head.len() < format::least(self.format) {
            self.discard();
            return Err(Refusal::Format {
                format: format_word(self.format),
            });
        }
        if written.hasher.finalize()[..] != self.turn.place.id.hash {
            self.discard();
            return Err(Refusal::Hash);
        }
        let pin = self.turn.place.store.pin(self.turn.place.id.hash);
        let (from, to) = (
            self.path.clone(),
            self.turn.place.store.path(&self.turn.place.id.hash),
        );
        let root = self.turn.place.store.folder.clone();
        let file = written.file;
        blocking(&self.turn, move || place(&file, &from, &to, &root)).await?;
        Ok(pin)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self
            .written
            .as_ref()
            .is_some_and(|written| written.bytes == 0)
        {
            self.discard();
        }
    }
}

impl Written {
    fn take_in(&mut self, bytes: &[u8]) {
        let missing = HEAD_BYTES - self.head.len();
        self.head.extend(bytes.iter().take(missing));
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

enum Opened {
    At(Written),
    /// There is less than the offset.
    Shorter(u64),
}

/// What is there up to the offset is kept and read again for the hash.
fn open(path: &Path, offset: u64) -> io::Result<Opened> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    let received = file.metadata()?.len();
    if received < offset {
        return Ok(Opened::Shorter(received));
    }
    file.set_len(offset)?;
    let mut written = Written {
        file,
        hasher: Sha256::new(),
        head: Vec::new(),
        bytes: 0,
    };
    let mut buffer = vec![0; CHUNK_BYTES_MAX];
    loop {
        let read = written.file.read(&mut buffer)?;
        if read == 0 {
            return Ok(Opened::At(written));
        }
        written.take_in(&buffer[..read]);
    }
}

/// Of too many that were cut off the oldest goes.
fn make_room(folder: &Path, wanted: &Path) -> io::Result<()> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path() != wanted {
            parts.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    parts.sort();
    let over = (parts.len() + 1).saturating_sub(PARTS_MAX);
    for (_, path) in parts.into_iter().take(over) {
        remove(&path);
    }
    Ok(())
}

/// From here on a power cut does not lose it.
fn place(file: &File, from: &Path, to: &Path, root: &Path) -> io::Result<()> {
    file.sync_all()?;
    let folder = to.parent().unwrap_or(root);
    create_private(folder)?;
    fs::rename(from, to)?;
    File::open(folder)?.sync_all()?;
    File::open(root)?.sync_all()
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "a part of a photo is left over; it is removed in an hour");
        }
        _ => {}
    }
}

/// `JPEG`.
fn format_word(format: PhotoFormat) -> &'static str {
    format.as_str_name().trim_start_matches("PHOTO_FORMAT_")
}

async fn blocking<T: Send + 'static>(
    turn: &Arc<Turn>,
    run: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    let turn = Arc::clone(turn);
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        run()
    });
    done.await
        .map_err(io::Error::other)
        .flatten()
        .map_err(|error| {
            tracing::error!(%error, "a photo cannot be stored");
            Refusal::Disk
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_begins_before_the_last_write_of_another_has_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(Store::open(folder.path()).expect("a store"));
        let id = UploadId {
            area: "632725100".into(),
            carrier_id: "acme".into(),
            shipment_id: "s-1".into(),
            hash: [1; 32],
        };
        let begin = || store.begin(id.clone(), PhotoFormat::Jpeg, 100, 0);
        let Ok(first) = begin().await else {
            panic!("nobody is there")
        };
        // As a write has it that goes on when its call was cut off.
        let writing = Arc::clone(&first.turn);
        drop(first);
        let mut second = Box::pin(begin());
        assert!(futures::poll!(&mut second).is_pending());
        drop(writing);
        assert!(second.await.is_ok());
        assert!(store.running.lock().is_empty());
    }
}
