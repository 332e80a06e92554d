//! Keys over a real bucket: made, destroyed, rotated, taken over.

use std::path::Path;

use bus::{
    BusOptions,
    server::{NatsServer, ServerOptions},
};

use super::{master::MasterKey, wrapping::wrap_as_first, *};
use crate::config::SealingOptions;

const KEY_ID: &str = "household/632725100/H1";

struct Site {
    nats: NatsServer,
    directory: tempfile::TempDir,
}

impl Site {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let nats = NatsServer::start(ServerOptions {
            store_dir: directory.path().join("nats"),
            ..ServerOptions::default()
        });
        Self {
            nats: nats.expect("nats-server"),
            directory,
        }
    }

    async fn bus(&self) -> Bus {
        let options = BusOptions {
            url: self.nats.url(),
            name: "test".into(),
            replicas: 1,
        };
        Bus::connect(options).await.expect("a bus")
    }

    /// The master keys of these names; the first is the current one.
    fn masters(&self, names: &[&str]) -> MasterKeys {
        let file = |name: &&str| self.directory.path().join(format!("{name}.key"));
        let mut paths = names.iter().map(file);
        for path in paths.clone() {
            create_master_key(&path).expect("a master key");
        }
        let options = SealingOptions {
            master_key_file: paths.next().expect("a name"),
            previous_master_keys: paths.collect(),
            ..SealingOptions::default()
        };
        MasterKeys::load(&options).expect("master keys")
    }

    async fn open(&self, names: &[&str]) -> Result<Opened, SealingError> {
        KeyRing::open(&self.bus().await, self.masters(names)).await
    }

    async fn keys(&self, names: &[&str]) -> KeyRing {
        self.open(names).await.expect("a key ring").keys
    }

    async fn refusal(&self, names: &[&str]) -> String {
        self.open(names).await.err().expect("refused").to_string()
    }
}

async fn opened(keys: &KeyRing, sealed: &Sealed) -> Option<Vec<u8>> {
    keys.open_sealed(sealed).await.expect("reachable")
}

/// How the bucket holds a key.
async fn wrapping_of(keys: &KeyRing, key_id: &str) -> Vec<u8> {
    let kept = keys.bucket.get(&bucket_key(key_id)).await;
    kept.expect("reachable").expect("a key").to_vec()
}

fn on_disk(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            return on_disk(&path, bytes);
        }
        let content = std::fs::read(&path).unwrap_or_default();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[tokio::test]
async fn a_mac_is_the_same_everywhere_and_another_for_another_key_or_use() {
    let site = Site::start();
    let (here, there) = (site.keys(&["a"]).await, site.keys(&["a"]).await);
    let mac = |keys: KeyRing, key_id: &'static str, purpose: &'static str| async move {
        keys.mac(key_id, purpose, b"123456").await
    };
    let first = mac(here.clone(), "shipment/1", "pin").await.expect("made");
    let same = mac(there.clone(), "shipment/1", "pin").await;
    assert_eq!(same.expect("made"), first);
    for (key_id, purpose) in [("shipment/2", "pin"), ("shipment/1", "pins")] {
        let other = mac(here.clone(), key_id, purpose).await.expect("made");
        assert_ne!(other, first, "{key_id} {purpose}");
    }
    here.destroy("shipment/1").await.expect("destroyed");
    let gone = mac(here, "shipment/1", "pin").await;
    assert!(matches!(gone, Err(SealingError::Erased(_))));
}

#[tokio::test]
async fn what_is_sealed_here_opens_there_until_the_key_is_destroyed() {
    let site = Site::start();
    let (here, there) = (site.keys(&["a"]).await, site.keys(&["a"]).await);
    let sealed = here.seal(KEY_ID, b"phone").await.expect("sealed");
    assert_eq!(
        opened(&there, &sealed).await.as_deref(),
        Some(&b"phone"[..])
    );
    let wrapped = wrapping_of(&here, KEY_ID).await;
    assert!(
        on_disk(site.directory.path(), &wrapped),
        "nothing can be found"
    );

    for _ in 0..2 {
        here.destroy(KEY_ID).await.expect("destroyed");
    }
    there.forget(KEY_ID);
    for keys in [&here, &there, &site.keys(&["a"]).await] {
        assert_eq!(opened(keys, &sealed).await, None);
        let late = keys.seal(KEY_ID, b"late").await.expect_err("barred");
        assert!(matches!(late, SealingError::Erased(_)), "{late}");
    }
    assert!(!on_disk(site.directory.path(), &wrapped));
}

#[tokio::test]
async fn a_key_that_never_was_is_barred_too() {
    let site = Site::start();
    let keys = site.keys(&["a"]).await;
    keys.destroy(KEY_ID).await.expect("barred");
    let late = keys.seal(KEY_ID, b"late").await.expect_err("barred");
    assert!(matches!(late, SealingError::Erased(_)), "{late}");
}

#[tokio::test]
async fn a_rotation_leaves_nothing_under_the_old_master_key() {
    let site = Site::start();
    let old = site.open(&["old"]).await.expect("a key ring");
    let mut sealed = Vec::new();
    for n in 0..20 {
        let id = format!("household/632725100/H{n}");
        let value = old.keys.seal(&id, id.as_bytes()).await.expect("sealed");
        sealed.push((id, value));
    }
    let wrapped = wrapping_of(&old.keys, &sealed[7].0).await;
    let check = wrapping_of(&old.keys, CHECK).await;

    // A service that knows both works before, during and after; what it makes
    // before is under the old key, so that the others can read it.
    let both = site.open(&["new", "old"]).await.expect("both are known");
    assert!(!both.rotating, "nothing begins by itself");
    let newcomer = "household/632725100/newcomer";
    let early = both.keys.seal(newcomer, b"early").await.expect("sealed");
    assert!(opened(&old.keys, &early).await.is_some());

    let rotated = both.keys.rotate(false).await.expect("rotated");
    // The households, the newcomer, and the key for digests.
    assert_eq!((rotated.rewrapped, rotated.already), (22, 0), "{rotated:?}");
    assert!(!on_disk(site.directory.path(), &wrapped));
    assert!(!on_disk(site.directory.path(), &check));

    let new = site.open(&["new"]).await.expect("the new one is enough");
    assert_eq!(
        new.digest_key, old.digest_key,
        "repeated requests stay known"
    );
    for (id, value) in &sealed {
        let plain = opened(&new.keys, value).await;
        assert_eq!(plain.as_deref(), Some(id.as_bytes()));
    }
    let replaced = site.refusal(&["old"]).await;
    assert!(replaced.contains("not in force any more"), "{replaced}");
    let late = old.keys.seal("household/632725100/late", b"late").await;
    let late = late.expect_err("the old one is not in force");
    assert!(late.to_string().contains("not in force any more"), "{late}");

    let again = both.keys.rotate(false).await.expect("nothing to do");
    assert_eq!((again.rewrapped, again.already), (0, 22), "{again:?}");
}

/// Every step of a rotation as the last one before a crash.
#[tokio::test]
async fn a_rotation_that_was_cut_short_is_finished() {
    let site = Site::start();
    let old = site.keys(&["old"]).await;
    let value = old.seal(KEY_ID, b"phone").await.expect("sealed");
    let both = site.keys(&["new", "old"]).await;
    let (old_id, new_id) = (both.masters.previous[0].id(), both.masters.current.id());

    // Begun, the old one still in force.
    let begun = rotation::Rotation {
        old: old_id,
        new: new_id,
        done: false,
    };
    both.note_rotation(begun).await.expect("noted");
    let still = site.open(&["old"]).await.expect("the old one is in force");
    assert!(!still.rotating);
    assert!(!site.open(&["new", "old"]).await.expect("both").rotating);

    // The new one in force, no key under it yet.
    both.put_in_force(&both.masters.current)
        .await
        .expect("in force");
    let unfinished = site.refusal(&["new"]).await;
    assert!(unfinished.contains("not finished"), "{unfinished}");
    assert!(unfinished.contains(&old_id.to_string()), "{unfinished}");
    let restarted = site.open(&["new", "old"]).await.expect("both");
    assert!(restarted.rotating, "goes on by itself");
    assert!(opened(&restarted.keys, &value).await.is_some());

    let rotated = restarted.keys.rotate(false).await.expect("rotated");
    assert_eq!(rotated.rewrapped, 2, "{rotated:?}");
    let new = site.open(&["new"]).await.expect("finished");
    assert!(!new.rotating);
    assert!(opened(&new.keys, &value).await.is_some());
}

#[tokio::test]
async fn a_rotation_and_an_erasure_at_once_end_with_the_key_gone() {
    let site = Site::start();
    let old = site.keys(&["old"]).await;
    for n in 0..30 {
        let id = format!("household/632725100/H{n}");
        old.seal(&id, b"phone").await.expect("sealed");
    }
    let both = site.keys(&["new", "old"]).await;
    let erasing = async {
        for n in 0..30 {
            let id = format!("household/632725100/H{n}");
            old.destroy(&id).await.expect("destroyed");
        }
    };
    let (rotated, ()) = tokio::join!(both.rotate(false), erasing);
    rotated.expect("rotated");
    for n in 0..30 {
        let id = format!("household/632725100/H{n}");
        let late = both.seal(&id, b"late").await.expect_err("barred");
        assert!(matches!(late, SealingError::Erased(_)), "{late}");
    }
}

#[tokio::test]
async fn a_key_that_nobody_can_read_stops_a_rotation_before_it_begins() {
    let site = Site::start();
    let old = site.keys(&["old"]).await;
    old.seal(KEY_ID, b"phone").await.expect("sealed");
    let stranger = site.masters(&["stranger"]);
    let lost = bucket_key("household/632725100/lost");
    let wrapped = wrapping::wrap(&stranger.current, &lost, &[7; 32]);
    old.bucket.create(&lost, wrapped.into()).await.expect("put");

    let both = site.keys(&["new", "old"]).await;
    let refused = both.rotate(false).await.expect_err("one is unreadable");
    let id = stranger.current.id().to_string();
    assert!(refused.to_string().contains(&id), "{refused}");
    site.open(&["old"]).await.expect("nothing was changed");
    let rotated = both.rotate(true).await.expect("passed over");
    assert_eq!((rotated.unreadable, rotated.rewrapped), (1, 2));
}

#[tokio::test]
async fn another_master_key_is_refused_at_the_start() {
    let site = Site::start();
    site.keys(&["a"]).await;
    let refused = site.refusal(&["b"]).await;
    assert!(refused.contains("b.key"), "{refused}");
    assert!(refused.contains("previous_master_keys"), "{refused}");
}

/// A bucket as the first release left it.
async fn first_release(site: &Site, master: &MasterKey) -> Sealed {
    let bucket = site.bus().await.key_bucket(BUCKET).await.expect("a bucket");
    let key_id = "household/H1";
    let (check, key) = (
        wrap_as_first(master, CHECK, CHECK.as_bytes()),
        aead::random_key(),
    );
    let wrapped = wrap_as_first(master, key_id, &key);
    for (id, value) in [(CHECK, check), (key_id, wrapped)] {
        let put = bucket.create(&bucket_key(id), value.into()).await;
        assert!(put.expect("put"));
    }
    let (nonce, ciphertext) = aead::encrypt(&key, key_id, b"phone");
    Sealed {
        key_id: key_id.into(),
        nonce: nonce.to_vec(),
        ciphertext,
    }
}

#[tokio::test]
async fn a_suite_of_the_first_release_goes_on_and_can_be_rotated() {
    let site = Site::start();
    let master = site.masters(&["old"]).current;
    let sealed = first_release(&site, &master).await;

    let old = site.open(&["old"]).await.expect("taken over");
    assert!(!old.is_new);
    // As `host` derived it then: the digests in the logs stay comparable.
    let then: [u8; 32] = Sha256::new()
        .chain_update(master.bytes())
        .chain_update(b"request-digest")
        .finalize()
        .into();
    assert_eq!(old.digest_key, then);
    assert_eq!(
        opened(&old.keys, &sealed).await.as_deref(),
        Some(&b"phone"[..])
    );

    let both = site.keys(&["new", "old"]).await;
    let early = both
        .rotate(true)
        .await
        .expect_err("its id is not known here");
    assert!(
        matches!(early, SealingError::RotationTooEarly(1)),
        "{early}"
    );
    let known = || [sealed.key_id.clone()];
    for upgraded in [1, 0] {
        let done = old.keys.upgrade("order-0", known()).await;
        assert_eq!(done.expect("upgraded"), upgraded);
    }
    both.rotate(false).await.expect("rotated");
    let new = site.open(&["new"]).await.expect("the new one is enough");
    assert_eq!(new.digest_key, then);
    assert_eq!(
        opened(&new.keys, &sealed).await.as_deref(),
        Some(&b"phone"[..])
    );
}

#[tokio::test]
async fn two_services_that_start_together_on_a_new_bucket_agree() {
    let site = Site::start();
    let masters = site.masters(&["a"]);
    let bus = site.bus().await;
    let open = || KeyRing::open(&bus, masters.clone());
    let all = futures::future::join_all((0..8).map(|_| open())).await;
    let all: Vec<_> = all.into_iter().map(|one| one.expect("opened")).collect();
    assert_eq!(all.iter().filter(|one| one.is_new).count(), 1);
    assert!(
        all.windows(2)
            .all(|two| two[0].digest_key == two[1].digest_key)
    );
    let derived = masters.current.derive(DIGEST);
    assert_ne!(all[0].digest_key, derived, "a new suite has one of its own");
}

#[tokio::test]
async fn a_service_keeps_its_digest_key_when_the_bucket_is_lost() {
    let site = Site::start();
    let copy = site.directory.path().join("request-digest.key");
    let first = site.open(&["a"]).await.expect("opened");
    let own = first.keys.own_digest_key(&copy, first.digest_key).await;
    assert_eq!(own.expect("made"), first.digest_key);

    // Another suite's bucket stands for one that was made anew.
    let other = Site::start();
    let masters = |names: &[&str]| site.masters(names);
    let opened = KeyRing::open(&other.bus().await, masters(&["a"])).await;
    let anew = opened.expect("opened");
    assert_ne!(anew.digest_key, first.digest_key);
    let own = anew.keys.own_digest_key(&copy, anew.digest_key).await;
    assert_eq!(own.expect("kept"), first.digest_key);

    let third = Site::start();
    let opened = KeyRing::open(&third.bus().await, masters(&["b"])).await;
    let stranger = opened.expect("opened");
    let own = stranger.keys.own_digest_key(&copy, stranger.digest_key);
    let refused = own.await.expect_err("another master key");
    assert!(matches!(refused, SealingError::WrongMasterKey { .. }));
    std::fs::write(&copy, b"erased").expect("written");
    let own = anew.keys.own_digest_key(&copy, anew.digest_key).await;
    assert!(matches!(own, Err(SealingError::DigestKeyFile { .. })));
}
