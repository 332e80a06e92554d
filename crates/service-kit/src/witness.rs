//! A witness over HTTP, C2SP tlog-witness: `POST /witness/add-checkpoint`.
//! Services run one for each other's logs; `baogong witness` runs one alone.
//!
//! What it saw of a log is on the disk before a cosignature is out, so that it
//! never cosigns two histories, whatever happens to it. A request that shows a
//! rewritten log is kept as evidence, with the checkpoint that it contradicts.

use std::{path::Path, sync::Arc};

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use parking_lot::Mutex;
use transparency::{
    AddCheckpoint, KeyError, LogKeys, Pending, PublicKey, Refusal, RequestError, SecretKey,
    Signature, UnixSeconds, Witness,
};

use crate::clock::Clock;
use files::WitnessFiles;

mod files;

pub use files::WitnessFileError;

/// Where requests are answered, below the URL of a policy's witness.
pub const PATH: &str = "/witness/add-checkpoint";

/// A proof of 63 hashes and a checkpoint with a hundred signatures fit.
const BODY_BYTES_MAX: usize = 32 * 1024;

/// Why a witness cannot work.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    #[error("the key of the witness cannot be used")]
    Key(#[from] KeyError),
    #[error(transparent)]
    Files(#[from] WitnessFileError),
}

/// Why a request gets no cosignature.
#[derive(Debug, thiserror::Error)]
pub enum NotCosigned {
    #[error("the request does not read")]
    Malformed(#[from] RequestError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("what was seen cannot be stored")]
    Storage(#[from] WitnessFileError),
}

impl NotCosigned {
    fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Storage(_) => "storage",
            Self::Refused(refusal) => match refusal {
                Refusal::UnknownLog { .. } => "unknown_log",
                Refusal::BadSignature(_) => "bad_signature",
                Refusal::OldBeyondNew { .. } => "old_beyond_new",
                Refusal::Stale { .. } => "stale",
                Refusal::Forked { .. } => "forked",
                Refusal::Inconsistent { .. } => "inconsistent",
            },
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Storage(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Refused(refusal) => {
                StatusCode::from_u16(refusal.http_status()).expect("it is a status of HTTP")
            }
        }
    }

    /// With the reasons behind it, for whoever asked.
    fn explain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        text
    }
}

/// A witness with its files. Clones are the same witness.
#[derive(Clone)]
pub struct WitnessService(Arc<Inner>);

struct Inner {
    /// Of its metrics: a service's name, or `witness`.
    label: String,
    /// Held while a request is considered, stored and answered.
    witness: Mutex<Witness>,
    files: WitnessFiles,
}

impl WitnessService {
    /// Goes on with what it saw before. `directory` is its own: no second
    /// process may use it.
    ///
    /// # Errors
    /// The key is no cosigner's, or the directory cannot be used.
    pub fn open(
        label: &str,
        key: SecretKey,
        logs: impl IntoIterator<Item = LogKeys>,
        directory: &Path,
    ) -> Result<Self, WitnessError> {
        let (files, seen) = WitnessFiles::open(directory)?;
        let witness = Witness::new(key, logs, seen)?;
        Ok(Self(Arc::new(Inner {
            label: label.to_owned(),
            witness: Mutex::new(witness),
            files,
        })))
    }

    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.0.witness.lock().public_key().clone()
    }

    pub fn router(&self) -> Router {
        Router::new()
            .route(PATH, post(answer))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(self.clone())
    }

    /// Answers one request. Blocks on the disk.
    ///
    /// # Errors
    /// See [`NotCosigned`]; it is counted, and kept where it is evidence.
    pub fn add_checkpoint(&self, body: &str, now: UnixSeconds) -> Result<Signature, NotCosigned> {
        let cosigned = self.cosign(body, now);
        let outcome = match &cosigned {
            Ok(_) => {
                let labels = [("service", self.0.label.clone())];
                metrics::counter!("baogong_witness_cosigned_total", &labels).increment(1);
                return cosigned;
            }
            Err(not) => not,
        };
        let labels = [
            ("service", self.0.label.clone()),
            ("reason", outcome.reason().to_owned()),
        ];
        metrics::counter!("baogong_witness_refused_total", &labels).increment(1);
        if let NotCosigned::Refused(refusal) = outcome
            && refusal.is_suspicious()
        {
            self.keep(body, outcome);
        }
        cosigned
    }

    fn cosign(&self, body: &str, now: UnixSeconds) -> Result<Signature, NotCosigned> {
        let request: AddCheckpoint = body.parse()?;
        let mut witness = self.0.witness.lock();
        let pending: Pending = witness.consider(&request, now)?;
        if pending.head() != witness.seen(pending.origin()) {
            self.0.files.store(&request.checkpoint)?;
        }
        Ok(witness.commit(pending)?)
    }

    /// Somebody with the log's key, or somebody in between, shows another
    /// history: people must look at it.
    fn keep(&self, body: &str, outcome: &NotCosigned) {
        let Ok(request) = body.parse::<AddCheckpoint>() else {
            return;
        };
        let log = request.checkpoint.origin();
        match self.0.files.keep(&request.checkpoint, body) {
            Ok(kept) => tracing::error!(
                %log, evidence = %kept.display(),
                "a checkpoint gets no cosignature: {}. The log was rewritten, or the proof was \
                 altered on its way. Keep the evidence, and compare the log with a copy by \
                 `baogong audit`", outcome.explain()
            ),
            Err(error) => tracing::error!(
                %log,
                "a checkpoint gets no cosignature: {}; and the request cannot be kept: {error}. \
                 It was: {body}", outcome.explain()
            ),
        }
    }
}

async fn answer(State(witness): State<WitnessService>, body: String) -> Response {
    let now = UnixSeconds(u64::try_from(Clock::System.now().0 / 1000).unwrap_or_default());
    let answered = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body, now)).await;
    let text = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    match answered {
        Ok(Ok(signature)) => {
            let line = String::from_utf8_lossy(&signature.to_bytes()).into_owned();
            (text, line).into_response()
        }
        Ok(Err(NotCosigned::Refused(Refusal::Stale { seen, .. }))) => (
            StatusCode::CONFLICT,
            [(header::CONTENT_TYPE, "text/x.tlog.size")],
            format!("{seen}\n"),
        )
            .into_response(),
        Ok(Err(refused)) => {
            let explained = format!("{}\n", refused.explain());
            (refused.status(), text, explained).into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
