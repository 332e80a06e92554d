//! The Yunhe day with the whole suite in one process: it is matched, confirmed,
//! carried and taken over, every invariant holds, and playing it again changes
//! nothing.

use std::{path::Path, process::Command};

/// Plays the day of a small village on the data, and gives its summary.
fn play(directory: &Path) -> serde_json::Value {
    let json = directory.join("summary.json");
    let output = Command::new(env!("CARGO_BIN_EXE_baogong"))
        .args(["up", "--any-port", "--scenario", "chengxi", "--once"])
        .args(["--growers", "18", "--seed", "5"])
        .arg("--data")
        .arg(directory.join("data"))
        .arg("--json")
        .arg(&json)
        .output()
        .expect("baogong runs");
    let told = String::from_utf8_lossy(&output.stderr);
    // 0 only if all is loaded, every invariant holds and logs equal streams.
    assert!(output.status.success(), "{told}");
    let text = std::fs::read_to_string(json).expect("a summary");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn what_growers_cannot_sell_is_matched_and_carried_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let summary = play(directory.path());
    let number = |name: &str| summary[name].as_i64().expect("a number");
    assert_eq!(summary["growers"].as_array().map(Vec::len), Some(18));
    assert_eq!(
        summary["buyers"].as_object().map(serde_json::Map::len),
        Some(5)
    );
    assert!(number("matched_grams") * 10 > number("offered_grams") * 8);
    assert!(number("matched_grams") <= number("offered_grams"));
    assert_eq!(number("shipped_grams"), number("matched_grams"));
    assert!(number("shipments") >= 5, "one for each firm at least");
    assert_eq!(number("stranded"), 0);
    // Something breaks on the way, and is no loss that was avoided.
    assert!(number("delivered_grams") < number("matched_grams"));
    assert!(number("delivered_grams") * 100 > number("matched_grams") * 95);
    assert!(number("avoided_fen") * 2 > number("at_risk_fen"));
    assert!(number("avoided_fen") < number("at_risk_fen"));

    let carriers = summary["carriers"].as_array().expect("firms");
    let sum = |name: &str| -> i64 {
        let counts = carriers.iter().map(|firm| firm[name].as_i64());
        counts.map(|count| count.expect("a number")).sum()
    };
    assert_eq!(sum("loads"), number("shipments"));
    assert_eq!(sum("grams"), number("shipped_grams"));
    assert!(sum("declined") >= 1, "the first firm declines a load");
    assert_eq!(sum("on_time"), number("shipments"));

    assert_eq!(play(directory.path()), summary);
}
