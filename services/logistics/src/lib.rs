//! The logistics service: its gRPC face before the pure core in
//! `logistics_domain`.

pub mod config;
mod error;
mod forgetter;
mod grpc;
mod masking;
mod parse;
mod photos;
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
use forgetter::Forgetter;
use photos::{Photos, keeper::Keeper};

/// Runs the service until `shutdown`; `ready` is told once it takes requests.
///
/// # Errors
/// The service cannot start, or a task of it failed.
pub async fn run(
    config: Config,
    ready: Option<oneshot::Sender<Addresses>>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let limits = config.app.photo_limits()?;
    host::run::<Logistics, _, _>(
        &config,
        Sealing::Needed,
        error::code,
        |host| {
            let keys = host
                .keys
                .clone()
                .ok_or_else(|| anyhow::anyhow!("the host gives keys where they are needed"))?;
            let partitions: Vec<_> = host.partitions.iter().cloned().collect();
            let photos = Photos::open(&config.service, &partitions, limits)?;
            for partition in partitions {
                let forgetter = Forgetter::new(partition.clone(), keys.clone());
                host.owes(forgetter.owed());
                host.supervisor
                    .spawn_dropped("forgetter", Stage::Consuming, forgetter.run());
                let keeper = Keeper::new(partition.clone(), photos.of(&partition)?);
                host.supervisor
                    .spawn_dropped("photos", Stage::Consuming, keeper.run());
            }
            let service = Arc::new(grpc::Service {
                partitions: host.partitions.clone(),
                keys,
                photos,
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
