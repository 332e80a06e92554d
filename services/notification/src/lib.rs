//! The notification service: its gRPC face before the pure core in
//! `notification_domain`, and the sender, which carries out what the core
//! wants sent.

pub mod channel;
pub mod config;
mod error;
mod grpc;
mod parse;
mod query;
#[doc(hidden)]
pub mod readers;
mod sender;
pub mod template;

use std::sync::Arc;

use notification_domain::Notifications;
use proto::notification::v1::notification_service_server::NotificationServiceServer;
use service_kit::{
    host::{self, Addresses, Sealing},
    supervisor::Stage,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use config::Config;
use sender::Sender;

/// Runs the service until `shutdown`; `ready` is told once it takes requests.
///
/// # Errors
/// The service cannot start, or a task of it failed.
pub async fn run(
    config: Config,
    ready: Option<oneshot::Sender<Addresses>>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let route = Arc::new(config.app.route()?);
    host::run::<Notifications, _, _>(
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
                let sender = Sender::new(partition, keys.clone(), Arc::clone(&route));
                host.owes(sender.owed());
                let stop = host.supervisor.token(Stage::Consuming);
                host.supervisor
                    .spawn("sender", Stage::Consuming, sender.run(stop));
            }
            let service = grpc::Service {
                partitions: host.partitions.clone(),
            };
            host.serve(NotificationServiceServer::new(service));
            Ok(())
        },
        ready,
        shutdown,
    )
    .await
}
