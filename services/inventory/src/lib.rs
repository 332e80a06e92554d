//! The inventory service: its gRPC face before the pure core in
//! `inventory_domain`.

pub mod config;
mod error;
mod gauges;
mod grpc;
mod parse;
mod query;
#[doc(hidden)]
pub mod readers;

use std::sync::Arc;

use inventory_domain::Stock;
use proto::inventory::v1::{
    inventory_service_server::InventoryServiceServer, surplus_service_server::SurplusServiceServer,
};
use service_kit::{
    host::{self, Addresses, Sealing},
    supervisor::Stage,
};
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
            let service = Arc::new(grpc::Service {
                partitions: host.partitions.clone(),
            });
            for partition in service.partitions.iter() {
                let gauges = gauges::keep(partition.clone());
                host.supervisor
                    .spawn_dropped("price gauges", Stage::Consuming, gauges);
            }
            host.serve(InventoryServiceServer::from_arc(Arc::clone(&service)));
            host.serve(SurplusServiceServer::from_arc(service));
            Ok(())
        },
        ready,
        shutdown,
    )
    .await
}
