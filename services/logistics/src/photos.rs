//! Photos of partner firms: files beside the log, named by the hash of what is
//! in them and by nothing else. They are not in the log, so that they can be
//! deleted; they are not in its stream either, so that a lost disk loses them.
//!
//! `<data>/logistics/<partition>.blobs/ab/cdef…` holds a whole photo, `…/part/`
//! what came of uploads that were cut off. Each partition has its own, as it has
//! its own log: both move together.

mod format;
pub mod keeper;
mod refusal;
mod upload;

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{self, Seek},
    path::{Path, PathBuf},
    sync::Arc,
};

use logistics_domain::Logistics;
use parking_lot::Mutex;
use service_kit::{config::ServiceOptions, partition::Partition};
use sha2::{Digest, Sha256};

use crate::config::PhotoLimits;

pub use refusal::Refusal;
pub use upload::{Upload, UploadId};

/// Bytes of one photo.
pub const PHOTO_BYTES_MAX: i64 = 5 * 1024 * 1024;
/// Bytes of one chunk.
pub const CHUNK_BYTES_MAX: usize = 64 * 1024;

pub type Hash = [u8; 32];

/// The photos of all partitions of this process.
pub struct Photos {
    stores: BTreeMap<u32, Arc<Store>>,
    pub limits: PhotoLimits,
}

impl Photos {
    /// # Errors
    /// A folder cannot be made.
    pub fn open(
        options: &ServiceOptions,
        partitions: &[Partition<Logistics>],
        limits: PhotoLimits,
    ) -> io::Result<Self> {
        let folder = options.data_dir.join("logistics");
        let mut stores = BTreeMap::new();
        for number in partitions.iter().map(Partition::number) {
            let store = Store::open(&folder.join(format!("{number}.blobs")))?;
            stores.insert(number, Arc::new(store));
        }
        Ok(Self { stores, limits })
    }

    /// # Errors
    /// The partition was not named when these were opened.
    pub fn of(&self, partition: &Partition<Logistics>) -> io::Result<Arc<Store>> {
        let store = self.stores.get(&partition.number()).cloned();
        store.ok_or_else(|| io::Error::other("the partition has no folder for photos"))
    }
}

/// The photos of one partition.
pub struct Store {
    folder: PathBuf,
    /// Uploads under way, each with what ends it.
    running: Mutex<HashMap<UploadId, upload::Running>>,
    /// Photos that are in their place and not yet in the log.
    pinned: Mutex<HashMap<Hash, usize>>,
}

/// Keeps a photo from being taken for one that nobody needs.
pub struct Pin {
    store: Arc<Store>,
    hash: Hash,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pinned = self.store.pinned.lock();
        if let Some(count) = pinned.get_mut(&self.hash) {
            *count -= 1;
            if *count == 0 {
                pinned.remove(&self.hash);
            }
        }
    }
}

impl Store {
    fn open(folder: &Path) -> io::Result<Self> {
        create_private(&folder.join("part"))?;
        Ok(Self {
            folder: folder.to_owned(),
            running: Mutex::default(),
            pinned: Mutex::default(),
        })
    }

    fn pin(self: &Arc<Self>, hash: Hash) -> Pin {
        *self.pinned.lock().entry(hash).or_insert(0) += 1;
        let store = Arc::clone(self);
        Pin { store, hash }
    }

    /// Where a photo lies, which its hash alone says.
    fn path(&self, hash: &Hash) -> PathBuf {
        let name = hex(hash);
        self.folder.join(&name[..2]).join(&name[2..])
    }

    /// Whether the photo is there.
    pub fn has(&self, hash: &Hash) -> bool {
        self.path(hash).is_file()
    }

    /// The photo at its beginning, if it is there and still what it was. Whoever
    /// has it open reads it to its end, also when it is deleted meanwhile.
    ///
    /// # Errors
    /// The disk fails.
    pub async fn read(self: Arc<Self>, hash: Hash) -> io::Result<Option<File>> {
        let path = self.path(&hash);
        let checked = tokio::task::spawn_blocking(move || checked(&path, &hash)).await;
        match checked.map_err(io::Error::other)? {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            checked => checked,
        }
    }
}

fn checked(path: &Path, hash: &Hash) -> io::Result<Option<File>> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    io::copy(&mut file, &mut hasher)?;
    if hasher.finalize()[..] != *hash {
        tracing::error!(photo = hex(hash), "a photo is not what it was any more");
        return Ok(None);
    }
    file.rewind()?;
    Ok(Some(file))
}

/// A folder that only its owner reads.
fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
