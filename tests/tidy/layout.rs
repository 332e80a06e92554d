//! Where things are: who knows one service knows all.

use crate::{Findings, SERVICES, tree};

const SERVICE_FILES: [&str; 6] = [
    "main.rs",
    "lib.rs",
    "config.rs",
    "grpc.rs",
    "query.rs",
    "error.rs",
];
const DOMAIN_FILES: [&str; 6] = [
    "lib.rs",
    "state.rs",
    "command.rs",
    "rejection.rs",
    "react.rs",
    "timers.rs",
];
const LINES_MAX: usize = 700;

#[test]
fn every_service_has_the_same_files() {
    let mut found = Findings::default();
    for service in SERVICES {
        let service = tree::root().join("services").join(service);
        for (folder, files) in [("src", &SERVICE_FILES), ("domain/src", &DOMAIN_FILES)] {
            for file in files {
                let path = service.join(folder).join(file);
                found.check(
                    path.is_file(),
                    tree::relative(&path),
                    "every service has this file",
                );
            }
        }
    }
    found.none();
}

#[test]
fn modules_are_files_named_after_them() {
    let mut found = Findings::default();
    for path in tree::rust_files_below(&tree::root()) {
        let good = path.file_name().is_some_and(|name| name != "mod.rs");
        found.check(
            good,
            tree::relative(&path),
            "name it after the module, beside its folder",
        );
    }
    found.none();
}

#[test]
fn no_file_is_a_warehouse() {
    let mut found = Findings::default();
    for path in tree::rust_files_below(&tree::root()) {
        let lines = tree::read(&path).lines().count();
        let report = format!("{lines} lines, and {LINES_MAX} are the limit; split it by idea");
        found.check(lines <= LINES_MAX, tree::relative(&path), report);
    }
    found.none();
}
