//! The protos are documentation too: callers read them first.

use crate::{Findings, tree};

#[test]
fn services_say_what_they_are_for() {
    let mut found = Findings::default();
    for path in tree::files_below(&tree::root().join("proto/baogong")) {
        let text = tree::read(&path);
        let mut previous = "";
        for (index, line) in text.lines().map(str::trim_start).enumerate() {
            if line.starts_with("service ") {
                let name = line.split(['{', '(']).next().unwrap_or(line).trim();
                let place = format!("{}:{}", tree::relative(&path), index + 1);
                found.check(
                    previous.starts_with("//"),
                    place,
                    format!("`{name}` has no comment"),
                );
            }
            previous = line;
        }
    }
    found.none();
}

#[test]
fn packages_follow_folders() {
    let mut found = Findings::default();
    let root = tree::root().join("proto");
    for path in tree::files_below(&root.join("baogong")) {
        let folder = path
            .parent()
            .and_then(|folder| folder.strip_prefix(&root).ok());
        let package = folder
            .unwrap_or(&path)
            .display()
            .to_string()
            .replace('/', ".");
        let text = tree::read(&path);
        let has = |line: &str| text.lines().any(|found| found == line);
        found.check(
            has("syntax = \"proto3\";"),
            tree::relative(&path),
            "not proto3",
        );
        let line = format!("package {package};");
        found.check(
            has(&line),
            tree::relative(&path),
            format!("must have `{line}`"),
        );
    }
    found.none();
}
