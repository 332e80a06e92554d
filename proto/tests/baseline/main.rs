//! The protos may grow, and never change what was published: everything in
//! `proto/baseline.bin` must still mean the same. Records stay in the event
//! logs for ever and are read with the protos of the day, so a change that a
//! compiler accepts can still make history unreadable.
//!
//! `BAOGONG_WRITE_BASELINE=1` takes the protos as they are into the baseline,
//! after additions only. `BAOGONG_WRITE_BASELINE=force` overwrites it even so;
//! that is for protos which no log and no client has ever used.

mod cases;
mod compat;

use std::{env, fmt::Write as _, fs, path::PathBuf};

use prost::Message;
use prost_types::FileDescriptorSet;

const VARIABLE: &str = "BAOGONG_WRITE_BASELINE";
const COMMAND: &str = "cargo test -p baogong-proto --test baseline";

#[derive(Debug, PartialEq, Eq)]
enum Mode {
    Check,
    Write,
    Force,
}

fn mode() -> Mode {
    match env::var(VARIABLE).as_deref() {
        Err(_) | Ok("" | "0") => Mode::Check,
        Ok("1") => Mode::Write,
        Ok("force") => Mode::Force,
        Ok(other) => panic!("{VARIABLE}={other}: only 1 and force are known"),
    }
}

fn baseline_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("baseline.bin")
}

/// Comments and line numbers say nothing about compatibility.
fn without_source_info(mut set: FileDescriptorSet) -> FileDescriptorSet {
    for file in &mut set.file {
        file.source_code_info = None;
    }
    set
}

fn current() -> FileDescriptorSet {
    without_source_info(
        FileDescriptorSet::decode(proto::DESCRIPTORS).expect("the build wrote a descriptor set"),
    )
}

fn stored() -> Option<FileDescriptorSet> {
    let bytes = fs::read(baseline_file()).ok()?;
    Some(FileDescriptorSet::decode(&*bytes).expect("baseline.bin is a FileDescriptorSet"))
}

fn report(broken: &[compat::Incompatibility]) -> String {
    let mut text = format!("{} incompatible change(s) to the protos:\n", broken.len());
    for change in broken {
        let _ = writeln!(text, "- {change}");
    }
    let _ = write!(
        text,
        "What to do: take the change back and add a new field, message or method beside the old \
         one. Additions pass and enter the baseline with\n  {VARIABLE}=1 {COMMAND}\nIf no log and \
         no client has ever used these protos, {VARIABLE}=force replaces the baseline."
    );
    text
}

#[test]
fn the_protos_are_compatible_with_the_baseline() {
    let mode = mode();
    let current = current();
    let stored = stored();
    if mode != Mode::Force {
        let broken = match &stored {
            Some(stored) => compat::check(stored, &current),
            None if mode == Mode::Write => Vec::new(),
            None => panic!("proto/baseline.bin is missing; write it: {VARIABLE}=1 {COMMAND}"),
        };
        assert!(broken.is_empty(), "{}", report(&broken));
    }
    if mode != Mode::Check {
        fs::write(baseline_file(), current.encode_to_vec()).expect("baseline.bin can be written");
    } else if stored.as_ref() != Some(&current) {
        eprintln!("The protos have additions; take them into the baseline: {VARIABLE}=1 {COMMAND}");
    }
}

#[test]
fn the_baseline_holds_no_source_info() {
    // Another test may be replacing the file at this moment.
    if mode() == Mode::Check {
        let stored = stored().expect("proto/baseline.bin exists");
        assert!(
            stored
                .file
                .iter()
                .all(|file| file.source_code_info.is_none())
        );
    }
}
