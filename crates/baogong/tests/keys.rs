//! `baogong keys`, as an operator uses it: what is made, what stays, what is
//! refused.

use std::{fs, path::Path};

use baogong::keys::{self, KeysCommand};
use clap::Parser;
use service_kit::notary::keys::{log_key, witness_key};
use transparency::{CheckpointSigner, ConsistencyProof, Origin, Policy, TreeHead, record_hash};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: KeysCommand,
}

fn run(dir: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let line = ["keys", arguments[0], "--dir", dir.to_str().expect("text")];
    let line = line.iter().chain(&arguments[1..]);
    let command = Cli::try_parse_from(line)?.command;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(keys::run(command))
}

fn policy(dir: &Path) -> Policy {
    let text = fs::read_to_string(dir.join("policy")).expect("a policy");
    text.parse()
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn order() -> Origin {
    Origin::new("order", 0).expect("a name")
}

/// A tree folder with a checkpoint of so many records by the present key.
fn sign(dir: &Path, size: u64) -> String {
    let key = log_key(dir, &order(), false).expect("a key");
    let mut signer = CheckpointSigner::new(order(), key, None).expect("a signer");
    let root = record_hash(b"any");
    let checkpoint = signer.sign(TreeHead { size, root }, &[], &ConsistencyProof::default());
    let tree = dir.join("0.tree");
    fs::create_dir_all(&tree).expect("a folder");
    fs::write(
        tree.join("checkpoint"),
        checkpoint.expect("signed").to_string(),
    )
    .expect("written");
    tree.to_str().expect("text").to_owned()
}

fn checkpoint(tree: &str) -> transparency::Checkpoint {
    let note = fs::read_to_string(Path::new(tree).join("checkpoint")).expect("there");
    note.parse().expect("a checkpoint")
}

#[test]
fn a_suite_gets_all_its_keys_and_a_policy_that_names_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = "order=http://order-{partition}.order:7500";
    let arguments = ["create", "--partitions", "2", "--url", url];
    run(folder.path(), &arguments).expect("made");
    let policy = policy(folder.path());
    assert_eq!(policy.logs().count(), 8);
    assert_eq!(policy.witnesses().count(), 4);
    let second = Origin::new("order", 1).expect("a name");
    assert_eq!(
        policy.log_url(&second),
        Some("http://order-1.order:7500/log/1")
    );
    let asked: Vec<_> = policy
        .witness_urls()
        .map(|(name, _, url)| (name, url))
        .collect();
    assert_eq!(asked, [("order", "http://order-0.order:7500/witness")]);
    let own = witness_key(folder.path(), "order", false).expect("made");
    assert!(policy.witnesses().any(|(_, key)| key == own.public()));

    let before = fs::read(folder.path().join("policy")).expect("there");
    run(folder.path(), &arguments).expect("nothing to do");
    assert_eq!(
        fs::read(folder.path().join("policy")).expect("there"),
        before
    );
    run(folder.path(), &["list"]).expect("listed");
}

#[test]
fn a_lost_key_is_not_made_anew_beside_its_policy() {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), &["create"]).expect("made");
    fs::remove_file(folder.path().join("order-0.key")).expect("removed");
    let error = run(folder.path(), &["create"])
        .expect_err("refused")
        .to_string();
    assert!(error.contains("order-0.key is missing"), "{error}");
}

#[test]
fn a_rotated_key_keeps_the_past_and_signs_the_future() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    run(dir, &["create"]).expect("made");
    let text = fs::read_to_string(dir.join("policy")).expect("there");
    // Witnesses are not the point here.
    fs::write(
        dir.join("policy"),
        text.replace("quorum suite", "quorum none"),
    )
    .expect("written");
    let tree = sign(dir, 17);
    let first = checkpoint(&tree);
    run(dir, &["rotate", "--log", "order/0", "--tree", &tree]).expect("rotated");
    let policy_now = policy(dir);
    policy_now.evaluate(&first).expect("the past counts");
    let second = checkpoint(&sign(dir, 18));
    policy_now.evaluate(&second).expect("the future counts");
    assert_ne!(first.signatures()[0].id(), second.signatures()[0].id());
    let backdated = checkpoint(&sign(dir, 17));
    let error = policy_now.evaluate(&backdated).expect_err("not the past");
    assert!(error.to_string().contains("valid for 18"), "{error}");

    run(dir, &["rotate", "--log", "order/0", "--revoke"]).expect("rotated");
    let error = policy(dir).evaluate(&second).expect_err("revoked");
    assert!(error.to_string().contains("revoked"), "{error}");
    assert!(!dir.join("order-0.key.next").exists());
}

#[test]
fn what_cannot_be_rotated_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    run(dir, &["create"]).expect("made");
    let tree = sign(dir, 17);
    for (arguments, named) in [
        (&["--log", "order/7", "--tree", &tree][..], "order-7.key"),
        (&["--log", "orders", "--tree", &tree], "baogong/orders"),
        (&["--log", "stock/0", "--revoke"], "stock-0.key"),
        (
            &["--log", "inventory/0", "--tree", &tree],
            "is of baogong/order/0",
        ),
        (&["--log", "order/0"], "--tree"),
    ] {
        let error = run(dir, &[&["rotate"], arguments].concat()).expect_err(named);
        assert!(format!("{error:#}").contains(named), "{error:#}");
    }
}
