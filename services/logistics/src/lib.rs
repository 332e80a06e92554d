//! The logistics service: its gRPC face before the pure core in
//! `logistics_domain`.

pub mod config;
mod error;
mod grpc;
mod parse;
mod query;

use std::sync::Arc;

use logistics_domain::Logistics;
use proto::logistics::v1::{
    freight_service_server::FreightServiceServer, logistics_service_server::LogisticsServiceServer,
    partner_service_server::PartnerServiceServer,
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
    host::run::<Logistics, _, _>(
        &config,
        Sealing::NotNeeded,
        error::code,
        |host| {
            let service = Arc::new(grpc::Service {
                partitions: host.partitions.clone(),
                stop: host.supervisor.token(Stage::Serving),
            });
            host.serve(LogisticsServiceServer::from_arc(Arc::clone(&service)));
            host.serve(PartnerServiceServer::from_arc(Arc::clone(&service)));
            host.serve(FreightServiceServer::from_arc(service));
            Ok(())
        },
        ready,
        shutdown,
    )
    .await
}
