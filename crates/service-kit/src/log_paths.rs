//! The logs over plain HTTP, read-only, by the paths of C2SP tlog-tiles: below
//! `/log/<partition>/` lie `checkpoint`, `tile/<L>/<N>[.p/<W>]` and
//! `tile/entries/<N>[.p/<W>]`. Tools for transparency logs read them.
//!
//! Checkpoints and hashes tell nothing of what was recorded and are for all.
//! Entries are the records themselves, and for those who may read the log:
//! where callers must show tokens, they need one here too.
//!
//! Only what the newest checkpoint covers is there. Tiles never change;
//! checkpoints do. Entries are made from the log when they are asked for.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    extract::{ConnectInfo, Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tonic::{Code, Status};
use transparency::{TileKind, TilePath};

use crate::{
    access::Guard,
    notary::proofs::{Proofs, Unproven},
};

/// The logs of a process; there are none while it still opens them.
#[derive(Clone, Default)]
pub struct LogPaths(Arc<OnceLock<BTreeMap<u32, Proofs>>>);

impl LogPaths {
    /// Shows the logs, once.
    pub fn show(&self, proofs: BTreeMap<u32, Proofs>) {
        // A second time would be a mistake of the host and changes nothing.
        let _ = self.0.set(proofs);
    }

    /// `guard` decides who may have entries.
    pub fn router(&self, guard: Arc<Guard>) -> Router {
        Router::new()
            .route("/log/{partition}/{*path}", get(answer))
            .with_state((self.clone(), guard))
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
    State((logs, guard)): State<(LogPaths, Arc<Guard>)>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path((partition, path)): Path<(String, String)>,
    headers: HeaderMap,
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
    let Ok(path) = path.parse::<TilePath>() else {
        return missing("there are checkpoint, tile/<L>/<N> and tile/entries/<N>");
    };
    if path.kind() != TileKind::Entries {
        return tile(proofs, path, FOR_ALL).await;
    }
    match guard.may_read_records(&headers, from.ip()).await {
        Err(status) => refused(&status),
        Ok(()) if guard.asks() => tile(proofs, path, FOR_ONE).await,
        Ok(()) => tile(proofs, path, FOR_ALL).await,
    }
}

/// Tiles never change. One that was given to the bearer of a token is not kept
/// for others.
const FOR_ALL: &str = "public, max-age=31536000, immutable";
const FOR_ONE: &str = "private, max-age=31536000, immutable";

fn refused(status: &Status) -> Response {
    let code = match status.code() {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let message = format!("{}\n", status.message());
    let mut answer = (code, [(header::CACHE_CONTROL, "no-store")], message).into_response();
    if code == StatusCode::UNAUTHORIZED {
        let asked = header::HeaderValue::from_static("Bearer");
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, asked);
    }
    answer
}

async fn tile(proofs: Proofs, path: TilePath, cached: &'static str) -> Response {
    let Ok(tile) = tokio::task::spawn_blocking(move || proofs.tile(&path)).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    match tile {
        Ok(Some(bytes)) => (
            [
                (header::CONTENT_TYPE, "application/octet-stream"),
                (header::CACHE_CONTROL, cached),
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
