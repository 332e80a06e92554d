//! The audit, on small histories made record by record, and on what breaks
//! them.

mod breaks;
mod bundle;
mod commands;
mod directories;
mod entities;
mod moments;
mod proofs;
mod receipts;
mod replay;
mod replica;
mod running;
mod scale;
mod signed;
mod suite;
mod trunk;
mod units;

/// Compares with what people are to read.
#[track_caller]
fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).expect("written");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, golden,
        "set UPDATE_GOLDEN=1 if this is as it should be"
    );
}
