//! Ports are the same wherever they are written.

use std::path::PathBuf;

use crate::{Findings, SERVICES, tree};

/// First gRPC and first HTTP port on a laptop; each service has the next.
pub const GRPC: usize = 7401;
pub const HTTP: usize = 7501;
/// Where `baogong sandbox` takes a firm's calls.
const SANDBOX: usize = 7410;

/// Every port of ours that may be written: in containers, on a laptop, of
/// the NATS child and of the sandbox.
fn known(port: usize) -> bool {
    let services = SERVICES.len();
    port == 7400
        || port == 7500
        || port == 7422
        || port == SANDBOX
        || (GRPC..GRPC + services).contains(&port)
        || (HTTP..HTTP + services).contains(&port)
}

fn documents() -> Vec<PathBuf> {
    let mut files = tree::files();
    files.retain(|path| {
        let place = tree::relative(path);
        let kind = tree::has_extension(path, &["md", "yaml", "yml", "toml", "conf"]);
        let deployed = place.starts_with("deploy/") || place.starts_with("k8s/");
        kind && (deployed || tree::has_extension(path, &["md"]))
    });
    files
}

/// Numbers of four digits after a colon or a blank that begin like ours.
fn ports(line: &str) -> Vec<usize> {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| word.len() == 4);
    let ours = words.filter(|word| word.starts_with("74") || word.starts_with("75"));
    ours.filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn ports_are_the_suites() {
    let mut found = Findings::default();
    for path in documents() {
        for (index, line) in tree::read(&path).lines().enumerate() {
            for port in ports(line).into_iter().filter(|port| !known(*port)) {
                let place = format!("{}:{}", tree::relative(&path), index + 1);
                found.add(place, format!("{port} is no port of the suite"));
            }
        }
    }
    found.none();
}

#[test]
fn documents_give_each_service_its_own_ports() {
    let mut found = Findings::default();
    for path in documents() {
        for (index, line) in tree::read(&path).lines().enumerate() {
            // One service on the line, and addresses of a laptop.
            let mut named = SERVICES.iter().enumerate();
            let mut named = named
                .by_ref()
                .filter(|(_, name)| tree::has_word(line, name));
            let (Some((n, service)), None) = (named.next(), named.next()) else {
                continue;
            };
            let own = [GRPC + n, HTTP + n];
            for port in ports(line) {
                let shared = [7400, 7500, 7422].contains(&port);
                let place = format!("{}:{}", tree::relative(&path), index + 1);
                let report = format!("{service} has {} and {}, not {port}", own[0], own[1]);
                found.check(shared || own.contains(&port), place, report);
            }
        }
    }
    found.none();
}
