//! Compiles the protos without protoc and keeps the descriptor set, which the
//! gRPC reflection, the audit tools and the compatibility test read.

use std::{env, fs, path::PathBuf};

const ROOT: &str = "baogong";

/// Messages that stand in the services' states, which are written as
/// snapshots.
const IN_STATES: &[&str] = &[
    "baogong.types.v1.Door",
    "baogong.types.v1.Line",
    "baogong.types.v1.Sealed",
    "baogong.order.v1.Offer",
    "baogong.inventory.v1.Allocation",
    "baogong.inventory.v1.Bag",
    "baogong.logistics.v1.BagReceipt",
    "baogong.inventory.v1.Spot",
    "baogong.logistics.v1.Custodian",
    "baogong.logistics.v1.LineCount",
    "baogong.logistics.v1.LineReceipt",
    "baogong.logistics.v1.LoadLine",
    "baogong.logistics.v1.ParcelBag",
    "baogong.logistics.v1.Place",
    "baogong.logistics.v1.Stop",
    "baogong.notification.v1.Parameter",
];

/// Enumerations that stand in them.
const VALUES_IN_STATES: &[&str] = &[
    "baogong.types.v1.Need",
    "baogong.order.v1.Channel",
    "baogong.order.v1.GroupBuyState",
    "baogong.order.v1.OrderState",
    "baogong.inventory.v1.Category",
    "baogong.inventory.v1.DemandState",
    "baogong.inventory.v1.BulkDemandState",
    "baogong.inventory.v1.CapPolicy",
    "baogong.inventory.v1.Grade",
    "baogong.inventory.v1.ListingState",
    "baogong.inventory.v1.MatchFailure",
    "baogong.inventory.v1.MatchSide",
    "baogong.inventory.v1.MatchState",
    "baogong.logistics.v1.ExceptionCode",
    "baogong.logistics.v1.IncidentKind",
    "baogong.logistics.v1.Milestone",
    "baogong.logistics.v1.PassState",
    "baogong.logistics.v1.PhotoErasure",
    "baogong.logistics.v1.PhotoFormat",
    "baogong.logistics.v1.ProofKind",
    "baogong.logistics.v1.ProofOutcome",
    "baogong.logistics.v1.ParcelState",
    "baogong.logistics.v1.RunState",
    "baogong.logistics.v1.ShipmentState",
    "baogong.logistics.v1.WebhookState",
    "baogong.notification.v1.ChannelKind",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={ROOT}");
    let files = protos(ROOT.into())?;
    let mut compiler = protox::Compiler::new(["."])?;
    compiler
        .include_source_info(true)
        .include_imports(true)
        .open_files(&files)?;
    let descriptors = compiler.file_descriptor_set();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Encoded by the compiler: prost's own types would drop the options of
    // the methods (baogong.access.v1.rule).
    fs::write(
        out.join("descriptors.bin"),
        compiler.encode_file_descriptor_set(),
    )?;

    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    for message in IN_STATES {
        config.message_attribute(message, "#[derive(serde::Serialize, serde::Deserialize)]");
    }
    for values in VALUES_IN_STATES {
        config.enum_attribute(values, "#[derive(serde::Serialize, serde::Deserialize)]");
        // By number, so that a new value changes nothing that was written.
        config.enum_attribute(values, r#"#[serde(into = "i32", try_from = "i32")]"#);
    }
    tonic_prost_build::configure()
        .codec_path("crate::codec::Codec")
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}

fn protos(directory: PathBuf) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(protos(path)?);
        } else if path.extension().is_some_and(|e| e == "proto") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
