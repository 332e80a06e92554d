//! The logs over plain HTTP, read-only, by the paths of C2SP tlog-tiles: below
//! `/log/<partition>/` lie `checkpoint`, `tile/<L>/<N>[.p/<W>]` and
//! `tile/entries/<N>[.p/<W>]`. Tools for transparency logs read them.
//!
//! Only what the newest checkpoint covers is there. Tiles never change;
//! checkpoints do. Entries are made from the log when they are asked for.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use transparency::TilePath;

use crate::notary::proofs::{Proofs, Unproven};

/// The logs of a process; there are none while it still opens them.
#[derive(Clone, Default)]
pub struct LogPaths(Arc<OnceLock<BTreeMap<u32, Proofs>>>);

impl LogPaths {
    /// Shows the logs, once.
    pub fn show(&self, proofs: BTreeMap<u32, Proofs>) {
        // A second time would be a mistake of the host and changes nothing.
        let _ = self.0.set(proofs);
    }

    pub fn router(&self) -> Router {
        Router::new()
            .route("/log/{partition}/{*path}", get(answer))
            .with_state(self.clone())
    }

    /// The log of that name; none also where it is not written in the one
    /// right way.
    fn proofs(&self, partition: &str) -> Option<Proofs> {
        let number: u32 = partition.parse().ok()?;
        let logs = self.0.get()?;
        (number.to_string() == partition)
            .then(|| logs.get(&number).cloned())
            .flatten()
    }
}

async fn answer(
    State(logs): State<LogPaths>,
    Path((partition, path)): Path<(String, String)>,
) -> Response {
    if logs.0.get().is_none() {
        let message = "the service still opens its logs\n";
        return (StatusCode::SERVICE_UNAVAILABLE, message).into_response();
    }
    let Some(proofs) = logs.proofs(&partition) else {
        return missing("no such log here");
    };
    if path == "checkpoint" {
        return match proofs.checkpoint() {
            Some(checkpoint) => (
                [
                    (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
                    (header::CACHE_CONTROL, "no-cache"),
                ],
                checkpoint.to_string(),
            )
                .into_response(),
            None => missing("no checkpoint is let out yet"),
        };
    }
    match path.parse::<TilePath>() {
        Ok(path) => tile(proofs, path).await,
        Err(_) => missing("there are checkpoint, tile/<L>/<N> and tile/entries/<N>"),
    }
}

async fn tile(proofs: Proofs, path: TilePath) -> Response {
    let Ok(tile) = tokio::task::spawn_blocking(move || proofs.tile(&path)).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    match tile {
        Ok(Some(bytes)) => (
            [
                (header::CONTENT_TYPE, "application/octet-stream"),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ],
            bytes,
        )
            .into_response(),
        Ok(None) => missing("the newest checkpoint does not cover this tile"),
        Err(error @ Unproven::Damaged { .. }) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

fn missing(why: &str) -> Response {
    // What is not there yet may be there soon.
    let headers = [(header::CACHE_CONTROL, "no-cache")];
    (StatusCode::NOT_FOUND, headers, format!("{why}\n")).into_response()
}
