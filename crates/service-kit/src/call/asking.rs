//! Who reads, and what is recorded before he is shown something. A query has no
//! request id: what it makes the service record has one of its own.

use decider::{Actor, Area, Domain};
use sha2::{Digest, Sha256};
use tonic::{Request, Status};

use super::{Caller, Partitions, actor, checked_actor, text};
use crate::{
    fields::Fields,
    partition::{Committed, machine::RequestMeta},
    status, telemetry,
};

/// Who asks, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    pub actor: Actor,
    /// `baogong-purpose` in the request's metadata; empty where it is not said.
    pub purpose: String,
}

impl<D: Domain> Partitions<D> {
    /// Reads who asks.
    ///
    /// # Errors
    /// The metadata are malformed.
    pub fn asker<T>(&self, request: &Request<T>) -> Result<Asker, Status> {
        let mut fields = Fields::new();
        let metadata = request.metadata();
        let actor = match request.extensions().get::<Caller>() {
            Some(caller) => checked_actor(caller),
            None => actor(metadata, &mut fields),
        };
        let purpose = match text(metadata, "baogong-purpose") {
            None => String::new(),
            Some(code) => fields.reason_code("metadata baogong-purpose", code),
        };
        fields.finish(D::SERVICE)?;
        Ok(Asker { actor, purpose })
    }

    /// Records something that a query brings about; it is durable when this
    /// gives back.
    ///
    /// # Errors
    /// It was refused or cannot be written: then nothing may be shown that was
    /// to be shown because of it.
    pub async fn note(
        &self,
        area: &Area,
        asker: &Asker,
        what: &str,
        command: D::Command,
    ) -> Result<Committed<D::Event>, Status> {
        // The slash keeps these ids apart from those of callers, which have
        // none.
        let request_id = format!("{what}/{:032x}", rand::random::<u128>());
        let hash = Sha256::digest(request_id.as_bytes());
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash[..16]);
        let meta = RequestMeta {
            correlation_id: request_id.clone(),
            request_id,
            digest,
            area: area.clone(),
            actor: asker.actor.clone(),
            if_revision: None,
            traceparent: telemetry::traceparent(&tracing::Span::current()),
        };
        let done = self.hosting(area)?.submit(command, meta).await;
        done.map_err(|error| status::submit(D::SERVICE, &error, self.code))
    }
}
