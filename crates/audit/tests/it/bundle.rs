//! Bundles: written from a suite's directories, verified with nothing else, and
//! refused by the name of the file that is not as it was written.

use std::{
    fs,
    path::{Path, PathBuf},
};

use audit::{AuditCommand, Verdict, run};
use clap::Parser;

use crate::{
    signed::Notary,
    suite::{ORDER, Suite, day},
};

#[derive(Parser)]
struct Audit {
    #[command(subcommand)]
    command: AuditCommand,
}

async fn said(words: &[&str]) -> anyhow::Result<Verdict> {
    let words = std::iter::once("audit").chain(words.iter().copied());
    run(Audit::try_parse_from(words).expect("valid").command).await
}

/// A bundle of a suite's directories, which are gone afterwards.
struct Bundle {
    directory: tempfile::TempDir,
}

impl Bundle {
    async fn of(suite: &Suite, notary: &Notary) -> Self {
        let copies = tempfile::tempdir().expect("a directory");
        notary.write(copies.path(), &suite.bytes(), |all| all);
        let bundle = Self {
            directory: tempfile::tempdir().expect("a directory"),
        };
        let logs = copies.path().to_str().expect("text");
        let verdict = said(&["export", "--logs", logs, "--out", &bundle.text("b")]).await;
        assert_eq!(verdict.expect("written"), Verdict::Holds);
        fs::write(bundle.path("policy"), Notary::default().policy()).expect("written");
        bundle
    }

    async fn whole() -> Self {
        Self::of(&day(), &Notary::default()).await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("text").to_owned()
    }

    /// With the auditor's own policy.
    async fn verified(&self) -> anyhow::Result<Verdict> {
        let (bundle, policy) = (self.text("b"), self.text("policy"));
        said(&["verify", "--bundle", &bundle, "--policy", &policy]).await
    }

    async fn refused(&self) -> String {
        self.verified().await.expect_err("refused").to_string()
    }
}

fn change(path: &Path, by: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("read");
    by(&mut bytes);
    fs::write(path, bytes).expect("written");
}

/// Writes the sums anew, as one would who alters a bundle on purpose.
fn sum_up(bundle: &Path, name: &str) {
    use sha2::{Digest, Sha256};
    let bytes = fs::read(bundle.join(name)).expect("read");
    let sum = format!("{:x}", Sha256::digest(bytes));
    let sums = fs::read_to_string(bundle.join("SHA256SUMS")).expect("read");
    let lines: String = sums
        .lines()
        .map(|line| match line.split_once("  ") {
            Some((_, file)) if file == name => format!("{sum}  {name}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    fs::write(bundle.join("SHA256SUMS"), lines).expect("written");
}

#[tokio::test]
async fn it_is_verified_with_nothing_else() {
    let bundle = Bundle::whole().await;
    assert_eq!(bundle.verified().await.expect("read"), Verdict::Holds);
    let b = bundle.text("b");
    for words in [
        &["replay", ORDER, "--bundle", &b][..],
        &["reconcile", "--bundle", &b],
        &["state", "household/H-1", "--bundle", &b],
        &[
            "prove",
            ORDER,
            "--bundle",
            &b,
            "--policy",
            &bundle.text("policy"),
        ],
    ] {
        assert_eq!(
            said(words).await.expect("read"),
            Verdict::Holds,
            "{words:?}"
        );
    }
    let policy = fs::read_to_string(bundle.path("b/policy")).expect("the suite's own");
    assert_eq!(policy, Notary::default().policy());
    let descriptors = fs::read(bundle.path("b/descriptors.binpb")).expect("there");
    assert!(prost_reflect::DescriptorPool::decode(&*descriptors).is_ok());
    // What was bundled goes on from what was seen, and is what is seen next time.
    let again = said(&["verify", "--bundle", &b, "--save", &bundle.text("seen")]).await;
    assert_eq!(again.expect("read"), Verdict::Holds);
    let since = said(&["verify", "--bundle", &b, "--since", &bundle.text("seen")]).await;
    assert_eq!(since.expect("read"), Verdict::Holds);
}

#[tokio::test]
async fn every_file_that_is_cut_off_altered_or_missing_is_named() {
    let whole = Bundle::whole().await;
    let sums = fs::read_to_string(whole.path("b/SHA256SUMS")).expect("there");
    let files: Vec<&str> = sums
        .lines()
        .map(|l| l.split_once("  ").expect("a sum").1)
        .collect();
    assert_eq!(files.len(), 4 + 4 + 4, "{files:?}");
    for file in files {
        let path = whole.path("b").join(file);
        let bytes = fs::read(&path).expect("read");
        change(&path, |bytes| bytes.truncate(bytes.len() - 1));
        let refused = whole.refused().await;
        assert!(
            refused.contains(file) && refused.contains("not as it was written"),
            "{refused}"
        );
        fs::write(&path, &bytes).expect("written");
        change(&path, |bytes| bytes[0] ^= 1);
        assert!(whole.refused().await.contains(file));
        fs::remove_file(&path).expect("removed");
        let refused = whole.refused().await;
        assert!(
            refused.contains(file) && refused.ends_with("it is missing"),
            "{refused}"
        );
        fs::write(&path, &bytes).expect("written");
    }
    assert_eq!(whole.verified().await.expect("read"), Verdict::Holds);
}

#[tokio::test]
async fn a_bundle_without_its_sums_or_with_more_than_they_list_is_refused() {
    let bundle = Bundle::whole().await;
    fs::write(bundle.path("b/records/extra"), "x").expect("written");
    let refused = bundle.refused().await;
    assert!(
        refused.contains("extra is refused: SHA256SUMS does not list it"),
        "{refused}"
    );
    fs::remove_file(bundle.path("b/records/extra")).expect("removed");

    let sums = bundle.path("b/SHA256SUMS");
    let text = fs::read_to_string(&sums).expect("read");
    fs::write(&sums, &text[..text.len() - 5]).expect("written");
    assert!(
        bundle
            .refused()
            .await
            .contains("it is cut off within line 12")
    );
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    fs::write(&sums, lines[..11].concat()).expect("written");
    assert!(bundle.refused().await.contains("does not list it"));
    fs::write(&sums, text.replacen("README.md", "../README.md", 1)).expect("written");
    assert!(bundle.refused().await.contains("a file of the bundle"));
    fs::remove_file(&sums).expect("removed");
    assert!(
        bundle
            .refused()
            .await
            .contains("the export was not finished")
    );
}

#[tokio::test]
async fn one_that_was_altered_together_with_its_sums_does_not_hold() {
    let bundle = Bundle::whole().await;
    let records = "records/order-0.entries";
    let path = bundle.path("b").join(records);
    let place = |bytes: &[u8]| {
        let wanted = b"static management";
        bytes
            .windows(wanted.len())
            .position(|part| part == wanted)
            .expect("there")
    };
    change(&path, |bytes| {
        let at = place(bytes);
        bytes[at] = b'S';
    });
    sum_up(&bundle.path("b"), records);
    assert_eq!(bundle.verified().await.expect("read"), Verdict::Broken);

    // A record less, and the manifest does not know.
    let other = Bundle::whole().await;
    let path = other.path("b").join(records);
    change(&path, |bytes| {
        let first = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        bytes.drain(..first + 2);
    });
    sum_up(&other.path("b"), records);
    let refused = other.refused().await;
    assert!(
        refused.contains("holds 9 records, manifest.json says 10"),
        "{refused}"
    );
    change(&path, |bytes| bytes.truncate(bytes.len() - 1));
    sum_up(&other.path("b"), records);
    assert!(other.refused().await.contains("it ends within a record"));
}

/// A whole log is left out, with its sums and its place in the manifest.
#[tokio::test]
async fn a_log_that_the_policy_names_is_not_missing_unseen() {
    let bundle = Bundle::whole().await;
    for file in [
        "records/notification-0.entries",
        "checkpoints/notification-0.checkpoint",
    ] {
        fs::remove_file(bundle.path("b").join(file)).expect("removed");
    }
    let manifest = bundle.path("b/manifest.json");
    let text = fs::read_to_string(&manifest).expect("read");
    let mut json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    json["logs"]
        .as_array_mut()
        .expect("logs")
        .retain(|log| log["log"] != "notification-0");
    fs::write(&manifest, json.to_string()).expect("written");
    sum_up(&bundle.path("b"), "manifest.json");
    let sums = fs::read_to_string(bundle.path("b/SHA256SUMS")).expect("read");
    let sums: Vec<&str> = sums
        .split_inclusive('\n')
        .filter(|l| !l.contains("notification-0"))
        .collect();
    fs::write(bundle.path("b/SHA256SUMS"), sums.concat()).expect("written");
    assert_eq!(bundle.verified().await.expect("read"), Verdict::Broken);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_in_a_bundle_is_refused() {
    let bundle = Bundle::whole().await;
    std::os::unix::fs::symlink(bundle.path("b"), bundle.path("b/round")).expect("linked");
    let refused = bundle.refused().await;
    assert!(
        refused.contains("round is refused: a bundle has plain files only"),
        "{refused}"
    );
}

#[tokio::test]
async fn other_keys_than_the_auditors_and_another_format_are_refused() {
    let bundle = Bundle::of(&day(), &Notary::with_other_keys()).await;
    assert_eq!(bundle.verified().await.expect("read"), Verdict::Broken);

    let manifest = bundle.path("b/manifest.json");
    change(&manifest, |bytes| {
        let text = String::from_utf8(std::mem::take(bytes)).expect("text");
        *bytes = text
            .replace("baogong-bundle/v1", "baogong-bundle/v9")
            .into_bytes();
    });
    sum_up(&bundle.path("b"), "manifest.json");
    let refused = bundle.refused().await;
    assert!(
        refused.contains("of format baogong-bundle/v9, this version reads"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_directory_that_holds_something_is_not_written_into() {
    let bundle = Bundle::whole().await;
    let b = bundle.text("b");
    let error = said(&["export", "--bundle", &b, "--out", &b])
        .await
        .expect_err("not empty");
    assert!(error.to_string().contains("is not empty"), "{error}");
}
