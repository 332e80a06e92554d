//! What every file of text keeps to.

use std::path::{Path, PathBuf};

use crate::{Findings, tree};

/// Never in code: work that is not done, tests that are not run. Written in
/// two halves, so that this file passes.
const UNFINISHED: [&str; 5] = [
    concat!("todo", "!"),
    concat!("unimplemented", "!"),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("#[ign", "ore"),
];

/// Paths of somebody's machine, hosts of package registries.
const FOREIGN: [&str; 8] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("arti", "factory"),
    concat!("index.cra", "tes.io"),
    concat!("registry.np", "mjs.org"),
    concat!("py", "pi.org"),
];

fn texts() -> Vec<PathBuf> {
    let written = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        name != "Cargo.lock" && name != "LICENSE" && name != "baseline.bin"
    };
    let mut files = tree::files();
    files.retain(|path| {
        let known = [
            "rs", "toml", "md", "proto", "yaml", "yml", "conf", "sh", "json", "csv", "py", "txt",
        ];
        let named = ["Makefile", "Dockerfile", "run"]
            .iter()
            .any(|name| path.ends_with(name));
        written(path) && (named || tree::has_extension(path, &known))
    });
    files
}

fn none_contains(words: &[&str], why: &str) {
    let mut found = Findings::default();
    for path in texts() {
        for (index, line) in tree::read(&path).lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                let place = format!("{}:{}", tree::relative(&path), index + 1);
                found.add(place, format!("`{word}`: {why}"));
            }
        }
    }
    found.none();
}

#[test]
fn nothing_is_left_unfinished() {
    none_contains(&UNFINISHED, "finish it, or take it out");
}

#[test]
fn nothing_depends_on_one_machine() {
    none_contains(&FOREIGN, "it means nothing on another machine");
}

#[test]
fn every_module_says_what_it_is() {
    let mut found = Findings::default();
    for path in tree::rust_files_below(&tree::root()) {
        let good = tree::read(&path).starts_with("//!");
        found.check(
            good,
            tree::relative(&path),
            "begin with `//!`: what it is, what it is not",
        );
    }
    found.none();
}

#[test]
fn lines_are_clean() {
    let mut found = Findings::default();
    for path in texts() {
        let (place, text) = (tree::relative(&path), tree::read(&path));
        found.check(
            text.is_empty() || text.ends_with('\n'),
            &place,
            "no line end at the end",
        );
        for (index, line) in text.lines().enumerate() {
            let place = format!("{place}:{}", index + 1);
            found.check(
                !line.ends_with([' ', '\t', '\r']),
                &place,
                "blanks at the line's end",
            );
            // A recipe in a Makefile begins with a tab.
            let tab = line.contains('\t') && !path.ends_with("Makefile");
            found.check(!tab, &place, "a tab");
        }
    }
    found.none();
}
