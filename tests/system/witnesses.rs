//! The services witness each other's logs, and a partner witnesses them from
//! outside.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use system_tests::{Suite, binaries, http_get};
use transparency::{Checkpoint, Policy, PublicKey, Signature};

const PATIENCE: Duration = Duration::from_secs(60);

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// The newest checkpoint of a service, once there is one.
fn checkpoint(address: SocketAddr) -> Checkpoint {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let answer = http_get(address, "/log/0/checkpoint").unwrap_or_default();
        if answer.starts_with("HTTP/1.1 200") {
            return body(&answer).parse().expect("a checkpoint");
        }
        assert!(Instant::now() < give_up, "no checkpoint: {answer}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A witness of another firm, as a process of its own.
struct Partner {
    child: Child,
    address: SocketAddr,
    key: PublicKey,
}

impl Partner {
    fn start(suite: &Suite) -> Self {
        let folder = suite.directory.path().join("partner");
        fs::create_dir_all(&folder).expect("a folder");
        let key_file = folder.join("witness.key");
        let made = Command::new(binaries().join("baogong"))
            .args(["keys", "witness", "--name", "partner.example", "--file"])
            .arg(&key_file)
            .output()
            .expect("runs");
        let line = String::from_utf8_lossy(&made.stdout).into_owned();
        let key = line
            .split_whitespace()
            .nth(2)
            .expect("witness <name> <key>");
        let mut child = Command::new(binaries().join("baogong"))
            .arg("witness")
            .args(["--listen", "127.0.0.1:0", "--key"])
            .arg(&key_file)
            .arg("--policy")
            .arg(suite.policy_file())
            .arg("--state")
            .arg(folder.join("state"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address = lines
            .find_map(|line| {
                let line = line.expect("text");
                let url = line.strip_prefix("answers http://")?;
                url.split('/').next()?.parse().ok()
            })
            .expect("it says where it answers");
        Self {
            child,
            address,
            key: key.parse().expect("a key"),
        }
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        let length = request.len();
        write!(
            stream,
            "POST /witness/add-checkpoint HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n{request}"
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        // It may have ended, which `wait` then tells.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_log_is_cosigned_by_two_others_and_by_whoever_else_wants_to() {
    let suite = Suite::start().expect("a suite");
    let played = suite
        .baogong(&["scenario", "run", "zhichaka", "--households", "12"])
        .expect("runs");
    assert!(played.status.success(), "{played:?}");
    let policy = fs::read_to_string(suite.policy_file()).expect("a policy");
    let policy: Policy = policy.parse().expect("a policy");
    for service in &suite.services {
        let met = policy.evaluate(&checkpoint(service.http)).expect("met");
        assert_eq!(met.origin.service(), service.name);
        let others = met.cosigned.iter().filter(|by| by.witness != service.name);
        assert!(others.count() >= 2, "{met:?}");
        let tree = suite.data().join(service.name).join("0.tree");
        assert!(tree.join("checkpoint").exists());
    }

    let mut partner = Partner::start(&suite);
    let shown = checkpoint(suite.services[0].http);
    let request = format!("old 0\n\n{shown}");
    let answer = partner.ask(&request);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let line = body(&answer).lines().next().expect("a line");
    let cosignature = Signature::from_bytes(line.as_bytes()).expect("a signature");
    assert!(partner.key.signed(shown.text().as_bytes(), &cosignature));

    let size = shown.claimed_head().size;
    let again = partner.ask(&request);
    assert!(again.starts_with("HTTP/1.1 409"), "{again}");
    assert!(again.contains("content-type: text/x.tlog.size"), "{again}");
    assert_eq!(body(&again), format!("{size}\n"));
    let nonsense = partner.ask("nonsense");
    assert!(nonsense.starts_with("HTTP/1.1 400"), "{nonsense}");

    let pid = nix::unistd::Pid::from_raw(partner.child.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("sent");
    assert!(partner.child.wait().expect("an end").success());
}
