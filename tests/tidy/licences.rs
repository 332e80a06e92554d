//! Licences and origins of all crates that are built, as `deny.toml` allows.
//! The metadata comes from the lock file and the crates that are downloaded.

use std::{collections::BTreeMap, env, process::Command};

use serde::Deserialize;

use crate::{Findings, tree};

#[derive(Debug, Deserialize)]
pub struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

impl Metadata {
    /// For this machine only: crates for other systems are not downloaded.
    pub fn load() -> Self {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let run = |program: &std::ffi::OsStr, arguments: &[&str]| {
            let output = Command::new(program)
                .args(arguments)
                .current_dir(tree::root())
                .output();
            let output = output.expect("cargo can be run");
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{arguments:?}: {errors}");
            output.stdout
        };
        let version = String::from_utf8(run(&cargo, &["-vV"])).expect("cargo writes UTF-8");
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.expect("cargo -vV names the host");
        let json = run(
            &cargo,
            &[
                "metadata",
                "--format-version=1",
                "--offline",
                "--filter-platform",
                host,
            ],
        );
        serde_json::from_slice(&json).expect("cargo metadata writes JSON")
    }

    /// Names of the crates that use another one directly.
    pub fn direct_users_of(&self, name: &str) -> Vec<String> {
        let names: BTreeMap<_, _> = self
            .packages
            .iter()
            .map(|package| (&package.id, &package.name))
            .collect();
        let uses = |node: &&Node| node.dependencies.iter().any(|id| names[id] == name);
        self.resolve
            .nodes
            .iter()
            .filter(uses)
            .map(|node| names[&node.id].clone())
            .collect()
    }
}

/// Whether an SPDX expression is satisfied by the allowed licences. `/` is
/// how `OR` was written in the past.
fn allowed(expression: &str, list: &[&str]) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    any_of(&mut words, list)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, list: &[&str]) -> bool {
    let mut good = all_of(words, list);
    while words.next_if_eq(&"OR").is_some() {
        good |= all_of(words, list);
    }
    good
}

fn all_of(words: &mut Words<'_>, list: &[&str]) -> bool {
    let mut good = one(words, list);
    while words.next_if_eq(&"AND").is_some() {
        good &= one(words, list);
    }
    good
}

fn one(words: &mut Words<'_>, list: &[&str]) -> bool {
    match words.next() {
        Some("(") => {
            let good = any_of(words, list);
            words.next();
            good
        }
        Some(licence) => match words.next_if_eq(&"WITH").and_then(|_| words.next()) {
            Some(exception) => list.contains(&format!("{licence} WITH {exception}").as_str()),
            None => list.contains(&licence),
        },
        None => false,
    }
}

#[test]
fn expressions_are_read_as_spdx_says() {
    let list = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];
    assert!(allowed("MIT OR GPL-3.0", &list));
    assert!(allowed("Unlicense/MIT", &list));
    assert!(allowed("(MIT OR GPL-3.0) AND ISC", &list));
    assert!(allowed("Apache-2.0 WITH LLVM-exception OR GPL-3.0", &list));
    assert!(!allowed("MIT AND GPL-3.0", &list));
    assert!(!allowed("GPL-3.0 OR MIT AND GPL-2.0", &list));
    assert!(!allowed("Apache-2.0", &list));
}

#[test]
fn licences_and_origins_are_allowed() {
    let deny = tree::toml(&tree::root().join("deny.toml"));
    let strings = |value: &toml::Value| -> Vec<String> {
        let list = value.as_array().expect("a list").iter();
        list.map(|item| item.as_str().expect("a text").to_owned())
            .collect()
    };
    let licences = strings(&deny["licenses"]["allow"]);
    let licences: Vec<_> = licences.iter().map(String::as_str).collect();
    let registries = strings(&deny["sources"]["allow-registry"]);
    let mut found = Findings::default();
    for package in Metadata::load().packages {
        let place = format!("{} {}", package.name, package.version);
        let licence = package.license.as_deref().unwrap_or("none");
        let report = format!("its licence is {licence}");
        found.check(allowed(licence, &licences), &place, report);
        if let Some(source) = package.source {
            let known = registries
                .iter()
                .any(|url| source == format!("registry+{url}"));
            found.check(known, &place, format!("it comes from {source}"));
        }
    }
    found.none();
}
