//! The suite as a partner firm's client in another language sees it: the
//! conformance suite against one process and against the services one by one,
//! and the example client on the sandbox's course. Needs python3, which
//! `REQUIRE_PYTHON` makes sure of.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use system_tests::{
    Suite,
    access::Access,
    binaries,
    laptop::{Laptop, Running, baogong, last_words, root, wait_for},
};

const AREA: &str = "632725100";

/// Whether there is a Python to run it with; says so where there is none.
fn has_python() -> bool {
    let has = Command::new("python3")
        .args(["-c", "import venv, ensurepip"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let required = std::env::var_os("REQUIRE_PYTHON").is_some();
    assert!(
        has || !required,
        "python3 with venv is needed: on Debian and Ubuntu install python3-venv"
    );
    if !has {
        eprintln!("SKIPPED: there is no python3 with venv (Debian: python3-venv)");
    }
    has
}

fn check(suite: &Path) {
    let output = Command::new(root().join("tests/conformance/run.sh"))
        .arg("--suite")
        .arg(suite)
        .arg("--baogong")
        .arg(binaries().join("baogong"))
        .output()
        .expect("it runs");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", last_words(&output));
}

#[test]
fn conformance_of_one_process() {
    if !has_python() {
        return;
    }
    check(&Laptop::up("test").suite_file());
}

#[test]
fn conformance_of_the_services_one_by_one() {
    if !has_python() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let access = Access::create(directory.path()).expect("an issuer");
    let suite = Suite::start_with(&access.environment()).expect("a suite");
    access.tell(&suite).expect("told");
    check(&suite.suite_file());
}

/// From the guide's first step to a certificate, with every fault of the menu.
#[test]
fn the_example_client_is_certified() {
    if !has_python() {
        return;
    }
    let laptop = Laptop::up("system");
    let work = laptop.path("client");
    let example = root().join("examples/partner-python");
    let output = Command::new(example.join("setup.sh"))
        .arg(&work)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", last_words(&output));
    let token = laptop.path("acme.token");
    let report = laptop.path("report.json");
    let address = free_address();
    let sandbox = baogong(&["sandbox", "--carrier", "acme", "--area", AREA])
        .args(["--listen", &address, "--patience", "60s"])
        .arg("--suite")
        .arg(laptop.suite_file())
        .arg("--token-out")
        .arg(&token)
        .arg("--json")
        .arg(&report)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    wait_for("the token", || token.exists());
    let client = Command::new(work.join(".venv/bin/python"))
        .arg(example.join("carrier.py"))
        .args(["--address", &address, "--area", AREA, "--loads", "0"])
        .arg("--token-file")
        .arg(&token)
        .env("PYTHONPATH", work.join("generated"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdout(fs::File::create(laptop.path("client.log")).expect("a file"))
        .stderr(Stdio::inherit())
        .spawn()
        .expect("it starts");
    let client = Running(client);
    let output = sandbox.wait_with_output().expect("it ends");
    drop(client);
    let said = fs::read_to_string(laptop.path("client.log")).unwrap_or_default();
    assert!(
        output.status.success(),
        "{}\nclient:\n{said}",
        last_words(&output)
    );
    let report = fs::read_to_string(&report).expect("written");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["certified"], true);
    assert_eq!(report["steps"].as_array().expect("steps").len(), 10);
}

/// Firms whose connections are cut all the time miss nothing, and nothing that
/// they report is lost or recorded twice.
#[test]
fn firms_with_bad_connections_see_what_the_suite_sees() {
    let load = binaries().join("examples/partner_load");
    let output = Command::new(&load)
        .args([
            "--firms",
            "20",
            "--rate",
            "100",
            "--warm-up",
            "0s",
            "--time",
            "10s",
            "--cut",
            "1s",
        ])
        .args(["--positions", "20", "--baogong"])
        .arg(binaries().join("baogong"))
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", load.display()));
    assert!(output.status.success(), "{}", last_words(&output));
}

/// A client that does nothing at all is told so, and not certified.
#[test]
fn who_does_not_come_is_not_certified() {
    let laptop = Laptop::up("system");
    let report = laptop.path("report.json");
    let output = baogong(&["sandbox", "--carrier", "acme", "--area", AREA])
        .args(["--listen", &free_address(), "--patience", "1s"])
        .arg("--suite")
        .arg(laptop.suite_file())
        .arg("--token-out")
        .arg(laptop.path("acme.token"))
        .arg("--json")
        .arg(&report)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", last_words(&output));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("NOT CERTIFIED"), "{said}");
    assert!(said.contains("no call came"), "{said}");
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}
