//! Takes the fingerprint of the sources that decide what a record means: the
//! domains, the vocabulary, the protos and the machine. A snapshot of state is
//! used only by the code that took it.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

/// Below the repository's root.
const SOURCES: [&str; 9] = [
    "crates/decider/src",
    "crates/service-kit/src/partition",
    "crates/service-kit/src/partition.rs",
    "proto/baogong",
    "proto/src",
    "services/inventory/domain/src",
    "services/logistics/domain/src",
    "services/notification/domain/src",
    "services/order/domain/src",
];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../..");
    let mut files = Vec::new();
    for source in SOURCES {
        let path = root.join(source);
        println!("cargo::rerun-if-changed={}", path.display());
        collect(&path, &mut files)?;
    }
    let mut hash = Sha256::new();
    for path in files {
        let content = fs::read(&path)?;
        let name = path.strip_prefix(&root).expect("below the root");
        for part in [name.to_string_lossy().as_bytes(), &content] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    let fingerprint: String = hash.finalize()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("cargo::rustc-env=BAOGONG_CODE_FINGERPRINT={fingerprint}");
    Ok(())
}

/// Files in an order that does not depend on the file system.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut inside = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    inside.sort();
    inside.iter().try_for_each(|path| collect(path, files))
}
