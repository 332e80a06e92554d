//! Adding to the corpus. A file that is there is never written again: what was
//! once written in a log stays in logs.

use std::{
    collections::BTreeSet,
    env, fs,
    io::Write as _,
    path::Path,
    sync::{Mutex, OnceLock},
};

use audit::LogName;
use bytes::Bytes;

use crate::{
    corpus::{self, hex_files, lines, stem, to_hex, to_json},
    fold, story,
};

pub const COMMAND: &str = "BAOGONG_WRITE_CORPUS=1 cargo test -p baogong-audit --test corpus";
const VARIABLE: &str = "BAOGONG_WRITE_CORPUS";

/// Before the first test of this process reads, where the variable says so.
pub fn complete() {
    static DONE: OnceLock<()> = OnceLock::new();
    // Other tests wait: they must not read half of it.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _waiting = ONE_AT_A_TIME.lock();
    DONE.get_or_init(|| match env::var(VARIABLE).as_deref() {
        Err(_) | Ok("" | "0") => {}
        Ok("1") => add_what_is_missing(),
        Ok(other) => panic!("{VARIABLE}={other}: only 1 is known"),
    });
}

fn add_what_is_missing() {
    let town = story::day();
    let records = corpus::directory().join("records");
    fs::create_dir_all(&records).expect("the corpus can be written");
    let have: BTreeSet<String> = hex_files(&records).iter().map(|path| stem(path)).collect();
    let logs: Vec<_> = town.logs().collect();
    let mut new = BTreeSet::new();
    for bytes in logs.iter().flat_map(|(_, log)| log) {
        let name = corpus::name_of(bytes);
        if !have.contains(&name) && new.insert(name.clone()) {
            add(
                &records.join(format!("{name}.hex")),
                &(to_hex(bytes) + "\n"),
            );
        }
    }
    // A day that went otherwise than the last one is a history of its own.
    let last = corpus::numbers().last().copied().unwrap_or_default();
    let known = |name: &LogName| {
        let path = format!("histories/{last}/{}.hex", name.service);
        lines(&corpus::directory().join(path))
    };
    if last == 0 || logs.iter().any(|(name, log)| known(name) != *log) {
        let number = last + 1;
        let history = corpus::directory().join(format!("histories/{number}"));
        fs::create_dir_all(&history).expect("the corpus can be written");
        for (name, log) in &logs {
            let text: String = log.iter().map(|bytes| to_hex(bytes) + "\n").collect();
            add(&history.join(format!("{}.hex", name.service)), &text);
        }
    }
    add_readings(&records);
}

/// What is read in the files that nothing says it of yet.
fn add_readings(records: &Path) {
    for path in hex_files(records) {
        let golden = path.with_extension("json");
        if !golden.exists() {
            let json = lines(&path).first().map(|bytes| to_json(bytes));
            add(&golden, &json.expect("a record").expect("that is readable"));
        }
    }
    for number in corpus::numbers() {
        for path in hex_files(&corpus::directory().join(format!("histories/{number}"))) {
            let digest = path.with_extension("digest");
            if !digest.exists() {
                let service = corpus::HistoryName(number, stem(&path)).service();
                let records: Vec<Bytes> = lines(&path);
                add(&digest, &(fold::digest_of_log(service, &records) + "\n"));
            }
        }
    }
}

fn add(path: &Path, text: &str) {
    let file = fs::File::create_new(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
