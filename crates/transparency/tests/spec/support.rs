//! Logs, keys and records for the tests; everything follows from numbers.

use sha2::{Digest, Sha256};
use transparency::{
    Checkpoint, CheckpointSigner, ConsistencyProof, Hash, KeyUse, LogKeys, MemoryTiles, Origin,
    Prover, SecretKey, Tree, TreeHead, Validity,
};

pub fn record(n: u64) -> Vec<u8> {
    format!("record {n}").into_bytes()
}

pub fn origin(service: &str) -> Origin {
    Origin::new(service, 0).unwrap()
}

/// A log's key, one for each number.
pub fn log_key(service: &str, number: u8) -> SecretKey {
    let name = origin(service).to_string();
    SecretKey::generate(&name, KeyUse::Log, [number; 32]).unwrap()
}

pub fn witness_key(name: &str, number: u8) -> SecretKey {
    SecretKey::generate(name, KeyUse::Cosigner, [number; 32]).unwrap()
}

pub fn keys_of(service: &str, key: &SecretKey) -> LogKeys {
    let mut keys = LogKeys::new(origin(service));
    keys.set(key.public().clone(), Validity::ALWAYS).unwrap();
    keys
}

/// A tree of `size` numbered records and its stored tiles.
pub fn stored_tree(size: u64) -> (Tree, MemoryTiles) {
    let (mut tree, tiles) = (Tree::new(), MemoryTiles::default());
    for n in 0..size {
        tree.append(&record(n));
    }
    tree.save(&tiles).unwrap();
    (tree, tiles)
}

/// A log with numbered records, its tiles and its key.
pub struct Log {
    pub service: &'static str,
    pub tree: Tree,
    pub tiles: MemoryTiles,
    pub key: SecretKey,
}

impl Log {
    pub fn of(service: &'static str, key: u8, size: u64) -> Self {
        let (tree, tiles) = stored_tree(size);
        let key = log_key(service, key);
        Self {
            service,
            tree,
            tiles,
            key,
        }
    }

    pub fn grow(&mut self, records: u64) {
        for n in self.tree.size()..self.tree.size() + records {
            self.tree.append(&record(n));
        }
        self.tree.save(&self.tiles).unwrap();
    }

    pub fn keys(&self) -> LogKeys {
        keys_of(self.service, &self.key)
    }

    pub fn prover(&self) -> Prover<&MemoryTiles> {
        Prover::new(&self.tiles, self.tree.head()).unwrap()
    }

    pub fn checkpoint(&self) -> Checkpoint {
        sign(self.service, &self.key, self.tree.head())
    }
}

/// Signs a head as the first of its log, whatever was signed before.
pub fn sign(service: &str, key: &SecretKey, head: TreeHead) -> Checkpoint {
    let mut signer = CheckpointSigner::new(origin(service), key.clone(), None).unwrap();
    let nothing = ConsistencyProof::default();
    signer.sign(head, &[], &nothing).unwrap()
}

/// The root by the definition of RFC 6962, section 2.1, hashing everything.
pub fn root_by_definition(records: &[Vec<u8>]) -> Hash {
    let hash = |parts: &[&[u8]]| {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Hash(hasher.finalize().into())
    };
    match records {
        [] => hash(&[]),
        [record] => hash(&[&[0], record]),
        records => {
            let left = records.len().next_power_of_two() / 2;
            let (left, right) = records.split_at(left);
            let (left, right) = (root_by_definition(left), root_by_definition(right));
            hash(&[&[1], &left.0, &right.0])
        }
    }
}
