//! The inventory service: its gRPC face before the pure core in
//! `inventory_domain`.

pub mod config;
mod error;
mod grpc;
mod parse;
mod query;
#[doc(hidden)]
pub mod readers;

use inventory_domain::Stock;
use proto::inventory::v1::inventory_service_server::InventoryServiceServer;
use service_kit::host::{self, Addresses, Sealing};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use config::Config;

/// Runs the service until `shutdown`; `ready` is told once it takes requests.
///
/// # Errors
/// The service cannot start, or a task of it failed.
pub async fn run(
    config: Config,
    ready: Option<oneshot::Sender<Addresses>>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    host::run::<Stock, _, _>(
        &config,
        // It knows households by their ids and doors only.
        Sealing::NotNeeded,
        error::code,
        |host| {
            let service = grpc::Service {
                partitions: host.partitions.clone(),
            };
            host.serve(InventoryServiceServer::new(service));
            Ok(())
        },
        ready,
        shutdown,
    )
    .await
}
