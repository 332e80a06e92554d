//! A suite that speaks TLS alone and asks callers for a certificate and a token:
//! services, a day, and the audit of it, each as a process of its own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use system_tests::{Suite, access::Access, json, laptop::last_words};

/// An authority, and a certificate of it for this machine.
struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    fn create(folder: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &authority).expect("signed");
        let certificates = Self {
            folder: folder.to_owned(),
        };
        certificates.put("ca.crt", &authority.pem());
        certificates.put("tls.crt", &certificate.pem());
        certificates.put("tls.key", &key.serialize_pem());
        certificates
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("BAOGONG_TLS__CERT", self.path("tls.crt")),
            ("BAOGONG_TLS__KEY", self.path("tls.key")),
            ("BAOGONG_TLS__CLIENT_CA", self.path("ca.crt")),
            ("BAOGONG_TLS__PEER_CA", self.path("ca.crt")),
        ]
    }
}

#[test]
fn a_day_and_its_audit_over_mutual_tls() {
    let directory = tempfile::tempdir().expect("a directory");
    let certificates = Certificates::create(directory.path());
    let access = Access::create(directory.path()).expect("an issuer");
    let environment = [certificates.environment(), access.environment()].concat();
    let suite = Suite::start_with(&environment).expect("a suite");
    access.tell(&suite).expect("told");
    let (ca, cert, key) = (
        certificates.path("ca.crt"),
        certificates.path("tls.crt"),
        certificates.path("tls.key"),
    );
    let secured = |arguments: &[&str]| -> Output {
        let tls = ["--ca", &ca, "--cert", &cert, "--key", &key];
        suite.baogong(&[arguments, &tls].concat()).expect("it runs")
    };
    let well = |arguments: &[&str]| -> Output {
        let output = secured(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            last_words(&output)
        );
        output
    };

    well(&["scenario", "run", "zhichaka", "--households", "20"]);
    well(&["audit", "reconcile"]);
    let verified = well(&["audit", "verify", "--json"]);
    let verified = json(&verified).expect("a report");
    assert_eq!(
        verified["logs"].as_array().map(Vec::len),
        Some(4),
        "{verified}"
    );

    // A receipt of one delivery, and its check with public keys alone.
    let timeline = well(&[
        "audit",
        "timeline",
        "--from",
        "2022-09-02T00:00:00+08:00",
        "--to",
        "2022-09-03T00:00:00+08:00",
    ]);
    let timeline = String::from_utf8(timeline.stdout).expect("text");
    let (_, behind) = timeline.split_once("order/").expect("an order");
    let order_id: String = behind
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    well(&["audit", "replay", &order_id]);
    let receipt = directory.path().join("receipt");
    let receipt = receipt.to_str().expect("text");
    well(&["audit", "prove", &order_id, "--out", receipt]);
    let policy = suite.policy_file();
    let checked = system_tests::laptop::baogong(&["audit", "check", receipt, "--policy"])
        .arg(policy)
        .output()
        .expect("it runs");
    assert!(checked.status.success(), "{}", last_words(&checked));

    // Who does not speak TLS, trusts nobody, or shows nothing is told what is
    // missing, in bounded time.
    let refused = |arguments: &[&str]| {
        let output = suite.baogong(arguments).expect("it runs");
        assert!(!output.status.success(), "{arguments:?}");
        last_words(&output)
    };
    let plain = refused(&["audit", "verify"]);
    assert!(plain.contains("One that speaks TLS needs --ca"), "{plain}");
    let nobody = refused(&["audit", "verify", "--ca", &ca]);
    assert!(nobody.contains("needs --cert and --key"), "{nobody}");
    let scenario = refused(&[
        "scenario",
        "run",
        "zhichaka",
        "--households",
        "20",
        "--patience-s",
        "1",
    ]);
    assert!(
        scenario.contains("One that speaks TLS needs --ca"),
        "{scenario}"
    );
}
