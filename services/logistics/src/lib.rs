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
#[doc(hidden)]
pub mod readers;
pub mod webhook;

use std::{collections::BTreeMap, sync::Arc};

use decider::Domain;
use logistics_domain::Logistics;
use proto::logistics::v1::{
    freight_service_server::FreightServiceServer, logistics_service_server::LogisticsServiceServer,
    partner_service_server::PartnerServiceServer, webhook_service_server::WebhookServiceServer,
};
use service_kit::{
    follow,
    host::{self, Addresses, Builder, Sealing},
    supervisor::Stage,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use config::Config;
use forgetter::Forgetter;
use photos::{Photos, keeper::Keeper};
use webhook::{Deliverer, address::Policy, progress::Progress, secret::SecretKey};

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
            let mut tails = BTreeMap::new();
            for partition in partitions {
                let forgetter = Forgetter::new(partition.clone(), keys.clone());
                host.owes(forgetter.owed());
                host.supervisor
                    .spawn_dropped("forgetter", Stage::Consuming, forgetter.run());
                let (tail, reader) =
                    follow::tail::tail(partition.clone(), grpc::may_mean_something);
                tails.insert(partition.number(), tail);
                host.supervisor
                    .spawn_dropped("tail", Stage::Serving, reader.run());
                let keeper = Keeper::new(partition.clone(), photos.of(&partition)?);
                host.supervisor
                    .spawn_dropped("photos", Stage::Consuming, keeper.run());
            }
            let webhooks = webhooks(&config, host)?;
            let service = Arc::new(grpc::Service {
                partitions: host.partitions.clone(),
                keys,
                photos,
                tails,
                stop: host.supervisor.token(Stage::Serving),
                webhooks,
            });
            host.serve(LogisticsServiceServer::from_arc(Arc::clone(&service)));
            host.serve(PartnerServiceServer::from_arc(Arc::clone(&service)));
            host.serve(WebhookServiceServer::from_arc(Arc::clone(&service)));
            host.serve(FreightServiceServer::from_arc(service));
            Ok(())
        },
        ready,
        shutdown,
    )
    .await
}

/// Starts what delivers to webhooks, where there is a key for their secrets.
fn webhooks(config: &Config, host: &mut Builder<Logistics>) -> anyhow::Result<grpc::Webhooks> {
    let options = &config.app.webhooks;
    let policy = Policy {
        private: options.allow_private,
        loopback: config.service.grpc_address.ip().is_loopback(),
    };
    let key = SecretKey::open(&config.key_dir(), config.transparency.create_keys)?;
    let mut progress = BTreeMap::new();
    if let Some(key) = &key {
        let folder = config.service.data_dir.join(Logistics::SERVICE.name());
        let partitions: Vec<_> = host.partitions.iter().cloned().collect();
        for partition in partitions {
            let number = partition.number();
            let own = Progress::open(&folder.join(format!("webhooks-{number}.json")));
            progress.insert(number, own.clone());
            let deliverer = Deliverer::new(partition, key.clone(), own, policy, options.clone())?;
            let stop = host.supervisor.token(Stage::Consuming);
            host.supervisor
                .spawn("webhooks", Stage::Consuming, deliverer.run(stop));
        }
    }
    Ok(grpc::Webhooks {
        key,
        policy,
        progress,
    })
}
