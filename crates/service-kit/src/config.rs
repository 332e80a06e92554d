//! A service's configuration: defaults, then one TOML file, then environment
//! variables `BAOGONG_<SECTION>__<FIELD>`. Unknown fields are refused, and all
//! of it is parsed before any port is bound.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use decider::Timestamp;
use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::telemetry::TelemetryOptions;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockKind {
    #[default]
    System,
    /// Stands still until `AdminService.AdvanceClock` moves it.
    Test,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceOptions {
    /// Event logs lie below it, one folder for each partition.
    pub data_dir: PathBuf,
    pub grpc_address: SocketAddr,
    /// Plain HTTP: /metrics, /livez, /readyz; the logs below /log, and the
    /// witness for the other services below /witness.
    pub http_address: SocketAddr,
    /// Partitions hosted here; an area belongs to partition
    /// CRC-32C(area code) mod `partition_count`.
    pub partitions: Vec<u32>,
    pub partition_count: u32,
    pub clock: ClockKind,
    /// Where a test clock starts, RFC 3339; a log that has gone further wins.
    pub clock_start: String,
    /// Commands that may wait for each partition; more are refused.
    pub queue_commands_max: usize,
    /// Commands made durable together.
    pub group_commands_max: usize,
    /// How long a query waits for `min_position`.
    pub query_wait_ms: u64,
    /// How long open calls may take at shutdown.
    pub shutdown_grace_ms: u64,
    /// sled's page cache for each partition.
    pub log_cache_mib: u64,
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            grpc_address: SocketAddr::from(([127, 0, 0, 1], 7400)),
            http_address: SocketAddr::from(([127, 0, 0, 1], 7500)),
            partitions: vec![0],
            partition_count: 1,
            clock: ClockKind::System,
            clock_start: "2022-09-01T16:00:00Z".to_owned(),
            queue_commands_max: 4096,
            group_commands_max: 1024,
            query_wait_ms: 5_000,
            shutdown_grace_ms: 10_000,
            log_cache_mib: 16,
        }
    }
}

impl ServiceOptions {
    /// # Errors
    /// `service.clock_start` is no RFC 3339 time.
    pub fn clock_start(&self) -> Result<Timestamp, ConfigError> {
        let text = &self.clock_start;
        let time = humantime::parse_rfc3339(text).map_err(|_| ConfigError::Value {
            field: "service.clock_start",
            value: text.clone(),
            why: "an RFC 3339 time in UTC is needed, for example 2022-09-01T16:00:00Z",
        })?;
        let millis = time
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        Ok(Timestamp(i64::try_from(millis).unwrap_or(i64::MAX)))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NatsOptions {
    pub url: String,
    /// Copies of each stream: 1 on one server, 3 in a cluster.
    pub replicas: usize,
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            replicas: 1,
        }
    }
}

/// Keys for personal data. The master key is 32 bytes in hexadecimal.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SealingOptions {
    /// File with the master key; made at first start where its folder exists
    /// and `create_master_key` is set.
    pub master_key_file: PathBuf,
    pub create_master_key: bool,
}

/// The notary: keys, witnesses and how often checkpoints are signed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransparencyOptions {
    /// Folder of the secret keys `<service>-<partition>.key` and
    /// `<service>-witness.key`; empty: the folder `keys` in
    /// `service.data_dir`.
    pub key_dir: PathBuf,
    /// Makes keys that are missing at the first start. Once a checkpoint is
    /// signed, a missing key is refused in any case.
    pub create_keys: bool,
    /// Whose logs are witnessed here, and who must cosign ours (C2SP
    /// tlog-policy, with URLs); empty: no witnesses.
    pub policy_file: PathBuf,
    /// From one checkpoint to the next.
    pub checkpoint_interval_ms: u64,
    /// How long a witness may take to answer.
    pub witness_timeout_ms: u64,
    /// A log of at most so many records is compared with its last checkpoint
    /// before the service starts; a longer one while it runs.
    pub check_at_start_records_max: u64,
}

impl Default for TransparencyOptions {
    fn default() -> Self {
        Self {
            key_dir: PathBuf::new(),
            create_keys: true,
            policy_file: PathBuf::new(),
            checkpoint_interval_ms: 1_000,
            witness_timeout_ms: 2_000,
            check_at_start_records_max: 1_000_000,
        }
    }
}

impl<A> Config<A> {
    /// Where the secret keys of the notary and the witness lie.
    #[must_use]
    pub fn key_dir(&self) -> PathBuf {
        if self.transparency.key_dir.as_os_str().is_empty() {
            self.service.data_dir.join("keys")
        } else {
            self.transparency.key_dir.clone()
        }
    }
}

/// The whole configuration of one service; `app` is the service's own part.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    bound = "A: Default + Serialize + DeserializeOwned"
)]
pub struct Config<A> {
    pub service: ServiceOptions,
    pub nats: NatsOptions,
    pub telemetry: TelemetryOptions,
    pub sealing: SealingOptions,
    pub transparency: TransparencyOptions,
    pub app: A,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration cannot be used: {0}")]
    Parse(Box<figment::Error>),
    #[error("the configuration file {0} does not exist")]
    Missing(PathBuf),
    #[error("{field} = {value}: {why}")]
    Value {
        field: &'static str,
        value: String,
        why: &'static str,
    },
}

impl<A: Default + Serialize + DeserializeOwned> Config<A> {
    /// # Errors
    /// The file is missing or wrong, a field is unknown, a value out of range.
    pub fn load(file: Option<&Path>, base: Self) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(base));
        if let Some(file) = file {
            if !file.is_file() {
                return Err(ConfigError::Missing(file.to_owned()));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        let config: Self = figment
            .merge(Env::prefixed("BAOGONG_").split("__"))
            .extract()
            .map_err(|e| ConfigError::Parse(Box::new(e)))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let service = &self.service;
        let wrong = |field, value: &dyn std::fmt::Debug, why| {
            Err(ConfigError::Value {
                field,
                value: format!("{value:?}"),
                why,
            })
        };
        if service.partition_count == 0 {
            return wrong("service.partition_count", &0, "at least 1 is needed");
        }
        if service.partitions.is_empty()
            || service
                .partitions
                .iter()
                .any(|p| *p >= service.partition_count)
        {
            return wrong(
                "service.partitions",
                &service.partitions,
                "one or more numbers below service.partition_count are needed",
            );
        }
        if service.queue_commands_max == 0 || service.group_commands_max == 0 {
            return wrong(
                "service.queue_commands_max, service.group_commands_max",
                &(service.queue_commands_max, service.group_commands_max),
                "both must be at least 1",
            );
        }
        let transparency = &self.transparency;
        if transparency.checkpoint_interval_ms == 0 || transparency.witness_timeout_ms == 0 {
            return wrong(
                "transparency.checkpoint_interval_ms, transparency.witness_timeout_ms",
                &(
                    transparency.checkpoint_interval_ms,
                    transparency.witness_timeout_ms,
                ),
                "both must be at least 1",
            );
        }
        if ![1, 3, 5].contains(&self.nats.replicas) {
            return wrong(
                "nats.replicas",
                &self.nats.replicas,
                "1, 3 or 5 are possible",
            );
        }
        service.clock_start().map(|_| ())
    }

    /// The configuration in force, as TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_else(|e| format!("# cannot be printed: {e}\n"))
    }
}
