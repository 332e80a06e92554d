//! Domain crates are pure: the same commands and events give the same state,
//! on every machine, at every replay. So they may not even name what differs.

use crate::{Findings, SERVICES, tree};

const DEPENDENCIES: [&str; 4] = ["proto", "decider", "thiserror", "serde"];
const FOR_TESTS: [&str; 2] = ["postcard", "proptest"];

/// Never in a domain's sources, as whole words.
const WORDS: [&str; 15] = [
    "SystemTime",
    "Instant",
    "rand",
    "tokio",
    "async",
    "await",
    "futures",
    "println",
    "eprintln",
    "print",
    "eprint",
    "tracing",
    "metrics",
    "static",
    "unsafe",
];

/// Modules of the standard library that reach outside.
const STD_MODULES: [&str; 8] = ["time", "fs", "net", "env", "thread", "process", "io", "os"];

/// Modules named after `std::`, in groups of `use` too.
fn std_modules(code: &str) -> Vec<&str> {
    let word_end = |text: &str| {
        text.find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(text.len())
    };
    let mut found = Vec::new();
    for (at, prefix) in code.match_indices("std::") {
        let rest = &code[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push(&rest[..word_end(rest)]);
            continue;
        };
        let (mut depth, mut item) = (1, true);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' => item = depth == 1,
                c if c.is_alphanumeric() && item && depth == 1 => {
                    found.push(&group[at..at + word_end(&group[at..])]);
                    item = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

#[test]
fn modules_are_found_in_groups() {
    let code =
        "use std::{\n    collections::{BTreeMap, fs},\n    time::Duration,\n};\nstd::env::var";
    assert_eq!(std_modules(code), ["collections", "time", "env"]);
}

#[test]
fn domain_sources_reach_nothing_outside() {
    let mut found = Findings::default();
    for service in SERVICES {
        let sources = tree::root()
            .join("services")
            .join(service)
            .join("domain/src");
        for path in tree::rust_files_below(&sources) {
            let (place, source) = (tree::relative(&path), tree::read(&path));
            for (number, line) in tree::code_lines(&source) {
                // A lifetime is no global.
                let line = line.replace("'static", "");
                for word in WORDS.iter().filter(|word| tree::has_word(&line, word)) {
                    found.add(
                        format!("{place}:{number}"),
                        format!("a domain must not use `{word}`"),
                    );
                }
            }
            let code: Vec<_> = tree::code_lines(&source).map(|(_, line)| line).collect();
            for module in std_modules(&code.join("\n")) {
                found.check(
                    !STD_MODULES.contains(&module),
                    &place,
                    format!("a domain must not use `std::{module}`"),
                );
            }
        }
    }
    found.none();
}

#[test]
fn domain_crates_depend_on_the_vocabulary_only() {
    let mut found = Findings::default();
    for service in SERVICES {
        let path = tree::root()
            .join("services")
            .join(service)
            .join("domain/Cargo.toml");
        let manifest = tree::toml(&path);
        for (table, allowed) in [
            ("dependencies", &DEPENDENCIES[..]),
            (
                "dev-dependencies",
                &[&DEPENDENCIES[..], &FOR_TESTS].concat(),
            ),
            ("build-dependencies", &[]),
            ("target", &[]),
        ] {
            let names = manifest.get(table).and_then(toml::Value::as_table);
            for name in names.into_iter().flat_map(toml::Table::keys) {
                found.check(
                    allowed.contains(&name.as_str()),
                    tree::relative(&path),
                    format!("[{table}] must not have {name}; allowed: {allowed:?}"),
                );
            }
        }
    }
    found.none();
}
