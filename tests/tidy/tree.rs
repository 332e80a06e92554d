//! The repository's files. What builds and runs leave behind is no part of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Left out: build output (it holds a `CACHEDIR.TAG`), the data of a suite,
/// and hidden folders but for `.ci`.
fn is_ours(directory: &Path) -> bool {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    let hidden = name.starts_with('.') && name != ".ci";
    let data = directory == root().join("data");
    !hidden && !data && !directory.join("CACHEDIR.TAG").exists()
}

pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("the package is a folder of the workspace")
        .to_owned()
}

/// Path from the root, for reports.
pub fn relative(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// All files below a folder, sorted; none where it does not exist.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(directory) else {
        return found;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if !path.is_dir() {
            found.push(path);
        } else if is_ours(&path) {
            found.extend(files_below(&path));
        }
    }
    found.sort();
    found
}

pub fn files() -> Vec<PathBuf> {
    files_below(&root())
}

pub fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension()
        .is_some_and(|own| extensions.iter().any(|extension| own == *extension))
}

pub fn rust_files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = files_below(directory);
    files.retain(|path| has_extension(path, &["rs"]));
    files
}

/// A file that vanished since it was listed is empty.
pub fn read(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_else(|_| panic!("{} is not UTF-8", path.display()))
}

pub fn toml(path: &Path) -> toml::Table {
    toml::from_str(&read(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Rust source without its comments, line by line with numbers from 1.
pub fn code_lines(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = |line| str::split_once(line, "//").map_or(line, |(code, _)| code);
    source
        .lines()
        .enumerate()
        .map(move |(index, line)| (index + 1, code(line)))
}

/// Whether a line has `word` as a whole: no letter, digit or `_` around it.
pub fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

#[test]
fn words_are_found_whole_and_outside_of_comments() {
    assert!(has_word("let x = rand::random();", "rand"));
    assert!(!has_word("let x = operand + brand;", "rand"));
    let source = "a // tokio\n/// tokio\nb";
    assert!(code_lines(source).all(|(_, line)| !has_word(line, "tokio")));
    assert_eq!(code_lines(source).last(), Some((3, "b")));
}
