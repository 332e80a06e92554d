//! A notary for the logs of [`crate::suite`], with a witness: keys out of fixed
//! bytes, so that everything is the same in each run.

use std::{fs, path::Path};

use audit::LogName;
use bytes::Bytes;
use decider::Service;
use event_log::{EventLog, SledLog, SledOptions, Unit};
use transparency::{
    Checkpoint, CheckpointSigner, ConsistencyProof, KeyUse, MemoryTiles, Prover, SecretKey, Tree,
    UnixSeconds, cosign,
};

/// The records of several logs.
pub type Records = Vec<(LogName, Vec<Bytes>)>;

pub const WITNESS: &str = "regulator";
/// When the witness cosigns: 2022-09-02T00:40:00Z.
const COSIGNED: UnixSeconds = UnixSeconds(1_662_079_200);

pub struct Notary {
    /// Makes other keys of the same names.
    pub seed: u8,
    /// Extension lines.
    pub lines: Vec<String>,
    pub witnessed: bool,
}

impl Default for Notary {
    fn default() -> Self {
        Self {
            seed: 1,
            lines: Vec::new(),
            witnessed: true,
        }
    }
}

impl Notary {
    pub fn with_other_keys() -> Self {
        Self {
            seed: 100,
            ..Self::default()
        }
    }

    pub fn key(&self, name: LogName) -> SecretKey {
        let n = self.seed
            + u8::try_from(
                Service::ALL
                    .iter()
                    .position(|s| *s == name.service)
                    .expect("one of four"),
            )
            .expect("few");
        SecretKey::generate(&name.origin().to_string(), KeyUse::Log, [n; 32]).expect("a key")
    }

    pub fn witness(&self) -> SecretKey {
        let name = "regulator.example/witness";
        SecretKey::generate(name, KeyUse::Cosigner, [self.seed + 50; 32]).expect("a key")
    }

    /// What an auditor requires: the log's signature and the witness's.
    pub fn policy(&self) -> String {
        let mut policy = String::from("# the suite's logs\n");
        for service in Service::ALL {
            let key = self.key(LogName::new(service, 0));
            policy.push_str(&format!("log {}\n", key.public()));
        }
        policy.push_str(&format!("witness {WITNESS} {}\n", self.witness().public()));
        policy.push_str(&format!("quorum {WITNESS}\n"));
        policy
    }

    pub fn checkpoint(&self, name: LogName, records: &[Bytes]) -> Checkpoint {
        let mut signer =
            CheckpointSigner::new(name.origin(), self.key(name), None).expect("its key");
        let head = tree(records).head();
        let signed = signer.sign(head, &self.lines, &ConsistencyProof::default());
        let mut checkpoint = signed.expect("the first");
        if self.witnessed {
            let signature = cosign(&self.witness(), &checkpoint, COSIGNED);
            checkpoint.add(signature.expect("a cosigner's key"));
        }
        checkpoint
    }

    /// Logs, checkpoints and policy, as a suite keeps them. `covered` says how
    /// many of a log's records its checkpoint covers.
    pub fn write(&self, directory: &Path, logs: &Records, covered: impl Fn(usize) -> usize) {
        for (name, records) in logs {
            let service = directory.join(name.service.name());
            let (log, _) = SledLog::open(SledOptions::new(service.join("0"))).expect("a new log");
            let units = records.iter().map(|bytes| Unit(vec![bytes.clone()]));
            log.append(units.collect()).expect("appended");
            let checkpoint = self.checkpoint(*name, &records[..covered(records.len())]);
            let tree = service.join("0.tree");
            fs::create_dir_all(&tree).expect("made");
            fs::write(tree.join("checkpoint"), checkpoint.to_string()).expect("written");
        }
        fs::create_dir_all(directory.join("keys")).expect("made");
        fs::write(directory.join("keys").join("policy"), self.policy()).expect("written");
    }
}

fn tree(records: &[Bytes]) -> Tree {
    let mut tree = Tree::new();
    for record in records {
        tree.append(record);
    }
    tree
}

pub fn prover(records: &[Bytes]) -> Prover<MemoryTiles> {
    let mut tree = tree(records);
    let tiles = MemoryTiles::default();
    tree.save(&tiles).expect("stored");
    Prover::new(tiles, tree.head()).expect("its own tiles")
}
