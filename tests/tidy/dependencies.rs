//! Who may know what: `deny.toml` names crates that only one of ours may use,
//! and crates that nobody may. The sources must not name them either. Versions
//! stand in one place, and every lock is up to date.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use crate::{Findings, licences::Metadata, tree};

/// A crate, its name in sources, and the folder of the only one that knows it.
const CONFINED: [(&str, &str, &str); 3] = [
    ("sled", "sled", "crates/event-log"),
    ("fjall", "fjall", "crates/stream-index"),
    ("async-nats", "async_nats", "crates/bus"),
];

/// Tables of what users of a crate depend on, too.
const FOR_USERS: &[&str] = &["dependencies", "build-dependencies"];
const ALL: &[&str] = &["dependencies", "build-dependencies", "dev-dependencies"];

fn manifests() -> Vec<PathBuf> {
    let mut files = tree::files();
    files.retain(|path| path.ends_with("Cargo.toml") && *path != tree::root().join("Cargo.toml"));
    files
}

/// What a manifest's tables of dependencies declare.
fn entries<'a>(
    manifest: &'a toml::Table,
    tables: &'a [&str],
) -> impl Iterator<Item = (&'a String, &'a toml::Value)> {
    let tables = tables
        .iter()
        .filter_map(|name| manifest.get(*name)?.as_table());
    tables.flatten()
}

#[test]
fn only_one_crate_knows_each_store_and_bus() {
    let mut found = Findings::default();
    for (name, in_sources, folder) in CONFINED {
        let home = tree::root().join(folder);
        for path in manifests().iter().filter(|path| !path.starts_with(&home)) {
            let manifest = tree::toml(path);
            let named = entries(&manifest, ALL).any(|(dependency, _)| dependency == name);
            let report = format!("only {folder} may depend on {name}");
            found.check(!named, tree::relative(path), report);
        }
        for path in tree::rust_files_below(&tree::root()) {
            if path.starts_with(&home) || path.starts_with(tree::root().join("tests/tidy")) {
                continue;
            }
            for (number, line) in tree::code_lines(&tree::read(&path)) {
                let named = [format!("{in_sources}::"), format!("use {in_sources}")];
                let named = named.iter().any(|text| {
                    line.match_indices(text.as_str()).any(|(at, _)| {
                        let before = line[..at].chars().next_back();
                        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
                    })
                });
                let place = format!("{}:{number}", tree::relative(&path));
                found.check(
                    !named,
                    place,
                    format!("only {folder} may name {in_sources}"),
                );
            }
        }
    }
    found.none();
}

#[test]
fn versions_are_declared_once() {
    let mut found = Findings::default();
    for path in manifests() {
        let manifest = tree::toml(&path);
        // The peers that we are measured against have a workspace of their own.
        if manifest.contains_key("workspace") {
            continue;
        }
        for (name, value) in entries(&manifest, ALL) {
            let inherited = value.get("workspace").and_then(toml::Value::as_bool);
            let report = format!("{name}: declare it in the root and say `workspace = true`");
            found.check(inherited == Some(true), tree::relative(&path), report);
        }
    }
    found.none();
}

/// The bench and the fuzz targets are workspaces of their own, which no other
/// check builds: their locks are forgotten when a crate of ours takes on or
/// drops a dependency, and `--locked` refuses them then.
#[test]
fn every_lock_knows_what_our_crates_depend_on() {
    let root = tree::toml(&tree::root().join("Cargo.toml"));
    let declared = &root["workspace"]["dependencies"];
    let packages = |manifest: &toml::Table, tables| -> BTreeSet<String> {
        let package = |name: &str| {
            let package = declared
                .get(name)
                .and_then(|it| it.get("package")?.as_str());
            package.unwrap_or(name).to_owned()
        };
        let names = entries(manifest, tables).map(|(name, _)| package(name));
        names.collect()
    };
    let mut ours = BTreeMap::new();
    for path in manifests() {
        let manifest = tree::toml(&path);
        if !manifest.contains_key("workspace") {
            let name = manifest["package"]["name"].as_str().expect("a name");
            let depends = (packages(&manifest, FOR_USERS), packages(&manifest, ALL));
            ours.insert(name.to_owned(), depends);
        }
    }
    let mut locks = tree::files();
    locks.retain(|path| path.ends_with("Cargo.lock"));
    assert!(locks.len() > 1, "the bench has a lock of its own");

    let mut found = Findings::default();
    for path in locks {
        let lock = tree::toml(&path);
        for package in lock["package"].as_array().expect("packages") {
            let name = package["name"].as_str().expect("a name");
            let Some((needed, allowed)) = ours.get(name) else {
                continue;
            };
            let locked = package.get("dependencies").and_then(toml::Value::as_array);
            // "name", or "name version" where there is more than one.
            let locked: BTreeSet<String> = locked
                .into_iter()
                .flatten()
                .filter_map(|it| Some(it.as_str()?.split(' ').next()?.to_owned()))
                .collect();
            let manifest = tree::relative(&path.with_file_name("Cargo.toml"));
            let report = format!("{name}: run cargo metadata --manifest-path {manifest}");
            // Those for tests are locked in a crate's own workspace alone.
            let good = needed.is_subset(&locked) && locked.is_subset(allowed);
            found.check(good, tree::relative(&path), report);
        }
    }
    found.none();
}

#[test]
fn bans_hold_in_the_dependency_graph() {
    let deny = tree::toml(&tree::root().join("deny.toml"));
    let metadata = Metadata::load();
    let mut found = Findings::default();
    let bans = deny["bans"]["deny"]
        .as_array()
        .expect("bans.deny is a list");
    for ban in bans {
        let banned = ban["crate"].as_str().expect("a ban names a crate");
        let wrappers = ban.get("wrappers").and_then(toml::Value::as_array);
        let allowed = |user: &str| {
            wrappers.is_some_and(|all| all.iter().any(|name| name.as_str() == Some(user)))
        };
        for user in metadata.direct_users_of(banned) {
            found.check(
                allowed(&user),
                banned,
                format!("{user} must not depend on it"),
            );
        }
    }
    found.none();
}
