//! The proof side of `LogService`: checkpoints and proofs over gRPC.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use decider::Service;
use proto::log::v1::{
    GetCheckpointRequest, GetCheckpointResponse, GetConsistencyProofRequest,
    GetConsistencyProofResponse, GetInclusionProofRequest, GetInclusionProofResponse,
};
use tonic::{Code, Status};
use transparency::{Checkpoint, Hash};

use crate::{
    fields::Fields,
    notary::proofs::{Proofs, Proven, Unproven},
    status::{retry, status},
};

/// The notaries of the partitions that are hosted here.
#[derive(Clone)]
pub struct ProofDesk {
    service: Service,
    proofs: Arc<BTreeMap<u32, Proofs>>,
    /// How long a caller waits for a checkpoint that covers what it asks for.
    wait: Duration,
}

impl ProofDesk {
    #[must_use]
    pub fn new(service: Service, proofs: BTreeMap<u32, Proofs>, wait: Duration) -> Self {
        Self {
            service,
            proofs: Arc::new(proofs),
            wait,
        }
    }

    /// # Errors
    /// NOT_FOUND: the partition is elsewhere. FAILED_PRECONDITION: no such
    /// checkpoint comes in time. UNAVAILABLE: the service is shutting down.
    pub async fn checkpoint(
        &self,
        request: &GetCheckpointRequest,
    ) -> Result<GetCheckpointResponse, Status> {
        let proofs = self.proofs(request.partition)?;
        if request.min_size == 0 {
            let newest = proofs.checkpoint();
            let none = || self.refuse(&Unproven::NoCheckpoint(proofs.origin().clone()));
            let newest = newest.ok_or_else(none)?;
            return Ok(answer(&newest));
        }
        let covering = proofs.covering(request.min_size);
        match tokio::time::timeout(self.wait, covering).await {
            Ok(Some(checkpoint)) => Ok(answer(&checkpoint)),
            Ok(None) => Err(self.stopping()),
            Err(_) => Err(status(
                self.service,
                Code::FailedPrecondition,
                "NO_CHECKPOINT_YET",
                format!(
                    "no checkpoint of {} covers {} records within {} ms; the newest that was let \
                     out covers {}",
                    proofs.origin(),
                    request.min_size,
                    self.wait.as_millis(),
                    proofs.checkpoint().map_or(0, |c| c.claimed_head().size),
                ),
            )),
        }
    }

    /// # Errors
    /// INVALID_ARGUMENT: position 0. NOT_FOUND: the partition is elsewhere.
    /// OUT_OF_RANGE: position or size beyond the newest checkpoint.
    /// FAILED_PRECONDITION: no checkpoint yet. UNAVAILABLE: the tree is being
    /// rebuilt.
    pub async fn inclusion(
        &self,
        request: GetInclusionProofRequest,
    ) -> Result<GetInclusionProofResponse, Status> {
        let proofs = self.proofs(request.partition)?;
        let mut fields = Fields::new();
        if request.position == 0 {
            fields.wrong("position", "positions begin at 1");
        }
        fields.finish(self.service)?;
        let make = move || proofs.inclusion(request.position, request.tree_size);
        let proven = self.blocking(make).await?;
        Ok(GetInclusionProofResponse {
            index: request.position - 1,
            tree_size: proven.size,
            hashes: bytes(&proven.proof.0),
            checkpoint: note(&proven),
        })
    }

    /// # Errors
    /// INVALID_ARGUMENT: `from_size` above `to_size`. Otherwise as
    /// [`ProofDesk::inclusion`].
    pub async fn consistency(
        &self,
        request: GetConsistencyProofRequest,
    ) -> Result<GetConsistencyProofResponse, Status> {
        let proofs = self.proofs(request.partition)?;
        let mut fields = Fields::new();
        if request.to_size != 0 && request.from_size > request.to_size {
            fields.wrong("from_size", "it must not be above to_size");
        }
        fields.finish(self.service)?;
        let make = move || proofs.consistency(request.from_size, request.to_size);
        let proven = self.blocking(make).await?;
        Ok(GetConsistencyProofResponse {
            from_size: request.from_size,
            to_size: proven.size,
            hashes: bytes(&proven.proof.0),
            checkpoint: note(&proven),
        })
    }

    fn proofs(&self, partition: u32) -> Result<Proofs, Status> {
        let proofs = self.proofs.get(&partition);
        proofs
            .cloned()
            .ok_or_else(|| elsewhere(self.service, partition))
    }

    async fn blocking<P: Send + 'static>(
        &self,
        make: impl FnOnce() -> Result<Proven<P>, Unproven> + Send + 'static,
    ) -> Result<Proven<P>, Status> {
        let made = tokio::task::spawn_blocking(make).await;
        let made = made.map_err(|_| self.stopping())?;
        made.map_err(|error| self.refuse(&error))
    }

    fn refuse(&self, error: &Unproven) -> Status {
        let message = error.to_string();
        let service = self.service;
        match error {
            Unproven::NoCheckpoint(_) => status(
                service,
                Code::FailedPrecondition,
                "NO_CHECKPOINT_YET",
                message,
            ),
            Unproven::Beyond { .. } => {
                status(service, Code::OutOfRange, "BEYOND_CHECKPOINT", message)
            }
            Unproven::Damaged { .. } => {
                retry(service, Code::Unavailable, "TREE_REBUILDING", message)
            }
            Unproven::Log(..) => status(service, Code::DataLoss, "LOG_UNREADABLE", message),
        }
    }

    fn stopping(&self) -> Status {
        let message = "the service is shutting down; ask again when it is back";
        retry(self.service, Code::Unavailable, "SHUTTING_DOWN", message)
    }
}

/// A partition that another process hosts, or nobody.
pub fn elsewhere(service: Service, partition: u32) -> Status {
    status(
        service,
        Code::NotFound,
        "PARTITION_ELSEWHERE",
        format!("partition {partition} is not hosted here"),
    )
}

fn answer(checkpoint: &Checkpoint) -> GetCheckpointResponse {
    GetCheckpointResponse {
        checkpoint: checkpoint.to_string(),
    }
}

fn bytes(hashes: &[Hash]) -> Vec<Vec<u8>> {
    hashes.iter().map(|hash| hash.0.to_vec()).collect()
}

fn note<P>(proven: &Proven<P>) -> String {
    let checkpoint = proven.checkpoint.as_ref();
    checkpoint.map_or(String::new(), |checkpoint| checkpoint.to_string())
}
