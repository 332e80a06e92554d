//! The order service: its gRPC face before the pure core in `order_domain`.

pub mod config;
mod eraser;
mod error;
mod grpc;
mod parse;
mod query;
#[doc(hidden)]
pub mod readers;

use order_domain::Orders;
use proto::order::v1::order_service_server::OrderServiceServer;
use service_kit::{
    host::{self, Addresses, Sealing},
    supervisor::Stage,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use config::Config;
use eraser::Eraser;

/// Runs the service until `shutdown`; `ready` is told once it takes requests.
///
/// # Errors
/// The service cannot start, or a task of it failed.
pub async fn run(
    config: Config,
    ready: Option<oneshot::Sender<Addresses>>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    host::run::<Orders, _, _>(
        &config,
        Sealing::Needed,
        error::code,
        |host| {
            let keys = host
                .keys
                .clone()
                .ok_or_else(|| anyhow::anyhow!("the host gives keys where they are needed"))?;
            let partitions: Vec<_> = host.partitions.iter().cloned().collect();
            for partition in partitions {
                let eraser = Eraser::new(partition, keys.clone());
                host.owes(eraser.owed());
                let stop = host.supervisor.token(Stage::Consuming);
                host.supervisor
                    .spawn("eraser", Stage::Consuming, eraser.run(stop));
            }
            let service = grpc::Service {
                partitions: host.partitions.clone(),
                keys,
            };
            host.serve(OrderServiceServer::new(service));
            Ok(())
        },
        ready,
        shutdown,
    )
    .await
}
