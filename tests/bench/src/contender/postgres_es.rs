//! `postgres-es` on a PostgreSQL cluster of its own. A group is so many
//! commands of as many aggregates: each one a transaction, over several
//! connections, so that PostgreSQL can commit them together. What a command
//! reads before is left out, in its favour.

use std::path::Path;

use bytes::Bytes;
use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{PersistedEventRepository as _, SerializedEvent};
use cqrs_es::{Aggregate, DomainEvent};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use postgres_es::PostgresEventRepository;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::Handle;

use super::Contender;
use crate::postgres::Cluster;

/// More do not make it faster on few cores.
pub const CONNECTIONS: u32 = 32;

/// As postgres-es has it in `db/init.sql`.
const SCHEMA: &str = "CREATE TABLE events (
    aggregate_type text NOT NULL,
    aggregate_id text NOT NULL,
    sequence bigint CHECK (sequence >= 0) NOT NULL,
    event_type text NOT NULL,
    event_version text NOT NULL,
    payload json NOT NULL,
    metadata json NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence)
)";

pub struct PostgresEs {
    repository: PostgresEventRepository,
    runtime: Handle,
    appended: u64,
    payload: Option<serde_json::Value>,
    /// Ends with this.
    _cluster: Cluster,
}

impl PostgresEs {
    /// `Err` in the value: why there is none.
    pub fn start(base: &Path, runtime: &Handle) -> anyhow::Result<Result<Self, String>> {
        let cluster = match Cluster::start(base)? {
            Ok(cluster) => cluster,
            Err(why) => return Ok(Err(why)),
        };
        let repository = runtime.block_on(async {
            let options = PgPoolOptions::new()
                .min_connections(CONNECTIONS)
                .max_connections(CONNECTIONS);
            let pool = options.connect_with(cluster.connection()).await?;
            sqlx::query(SCHEMA).execute(&pool).await?;
            anyhow::Ok(PostgresEventRepository::new(pool))
        })?;
        Ok(Ok(Self {
            repository,
            runtime: runtime.clone(),
            appended: 0,
            payload: None,
            _cluster: cluster,
        }))
    }
}

impl Contender for PostgresEs {
    fn append(&mut self, records: &[Bytes]) -> anyhow::Result<()> {
        // JSON of the record's size.
        let bytes = records.first().map_or(0, Bytes::len);
        let payload = self
            .payload
            .get_or_insert_with(|| json!({ "d": "x".repeat(bytes.saturating_sub(8)) }));
        let first = self.appended + 1;
        self.appended += records.len() as u64;
        let events = (first..=self.appended).map(|n| {
            SerializedEvent::new(
                format!("{n:026}"),
                1,
                Order::TYPE.to_owned(),
                "OrderPlaced".to_owned(),
                "1".to_owned(),
                payload.clone(),
                json!({}),
            )
        });
        let repository = &self.repository;
        self.runtime.block_on(async {
            stream::iter(events)
                .map(|event| async move { repository.persist::<Order>(&[event], None).await })
                .buffer_unordered(CONNECTIONS as usize)
                .try_collect::<()>()
                .await
        })?;
        Ok(())
    }
}

/// Only its name is needed.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Order;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct OrderPlaced;

impl DomainEvent for OrderPlaced {
    fn event_type(&self) -> String {
        "OrderPlaced".to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Aggregate for Order {
    const TYPE: &'static str = "order";
    type Command = ();
    type Event = OrderPlaced;
    type Error = std::convert::Infallible;
    type Services = ();

    async fn handle(
        &mut self,
        (): (),
        (): &(),
        _: &EventSink<Self>,
    ) -> Result<(), std::convert::Infallible> {
        Ok(())
    }

    fn apply(&mut self, _: OrderPlaced) {}
}
