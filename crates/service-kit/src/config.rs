//! A service's configuration: defaults, then one TOML file, then environment
//! variables `BAOGONG_<SECTION>__<FIELD>`. Unknown fields are refused, and all
//! of it is parsed before any port is bound.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use decider::{Service, Timestamp};
use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    access::AccessOptions, edge::LimitsOptions, telemetry::TelemetryOptions, tls::TlsOptions,
};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockKind {
    #[default]
    System,
    /// Stands still until `AdminService.AdvanceClock` moves it.
    Test,
}

/// What an answer waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DurabilityKind {
    /// The records are synced to the local disk: a crash loses nothing that
    /// was answered, the loss of the disk what the stream had not yet got.
    #[default]
    Local,
    /// The stream has acknowledged them too: the loss of the whole disk loses
    /// nothing that was answered. While NATS is away nobody is answered.
    Replicated,
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
    pub durability: DurabilityKind,
    /// How long an answer waits for the stream, with replicated durability.
    pub replication_wait_ms: u64,
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
            durability: DurabilityKind::Local,
            replication_wait_ms: 5_000,
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
    /// Where a stream that is missing is made anew from the log, its first
    /// position; 0 or 1: all of it. For a log that is long and a stream that is
    /// lost: what lies before it is then in the log only, and the log cannot be
    /// restored from the stream. Needs nats-server 2.10.
    pub rebuild_from: u64,
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            replicas: 1,
            rebuild_from: 0,
        }
    }
}

/// gRPC addresses of the services whose events are taken in, for example
/// `http://order:7400`; `{partition}` in it stands for the partition's number.
/// What a source's stream has lost is read from its log there. Empty: a hole
/// in that stream stops this service.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourcesOptions {
    pub order: String,
    pub inventory: String,
    pub logistics: String,
    pub notification: String,
}

impl SourcesOptions {
    /// The address of a source's partition, if one is given.
    #[must_use]
    pub fn address(&self, source: Service, partition: u32) -> Option<String> {
        let address = match source {
            Service::Order => &self.order,
            Service::Inventory => &self.inventory,
            Service::Logistics => &self.logistics,
            Service::Notification => &self.notification,
        };
        (!address.is_empty()).then(|| address.replace("{partition}", &partition.to_string()))
    }
}

/// Keys for personal data. A master key is 32 bytes in hexadecimal; it is given
/// in one of two ways.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SealingOptions {
    /// File with the master key; made at first start where its folder exists
    /// and `create_master_key` is set.
    pub master_key_file: PathBuf,
    /// The master key itself, meant for the environment
    /// (`BAOGONG_SEALING__MASTER_KEY`).
    pub master_key: Hidden,
    pub create_master_key: bool,
    /// Files of the master keys before, while one is being replaced.
    pub previous_master_keys: Vec<PathBuf>,
}

/// A part of the configuration that is never shown: neither printed with the
/// rest nor logged nor told in an error.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that uses it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    const fn shown(&self) -> &'static str {
        if self.0.is_empty() { "" } else { "(not shown)" }
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.shown())
    }
}

impl Serialize for Hidden {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The usual error would show the value. An environment variable of
        // digits alone is taken for a number on its way here.
        String::deserialize(deserializer).map(Self).map_err(|_| {
            serde::de::Error::custom("this must be a text; put quotation marks around it")
        })
    }
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
    pub sources: SourcesOptions,
    pub access: AccessOptions,
    pub limits: LimitsOptions,
    pub tls: TlsOptions,
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

/// Variables `BAOGONG_…` of the commands that call services
/// ([`ClientArgs`](crate::peers::client::ClientArgs)). A person who keeps a
/// token in the environment starts services from the same shell.
const OF_CLIENTS: &[&str] = &["CA", "TOKEN", "TOKEN_FILE"];

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
            .merge(Env::prefixed("BAOGONG_").ignore(OF_CLIENTS).split("__"))
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
        if self.nats.rebuild_from > 1 && service.partitions.len() > 1 {
            return wrong(
                "nats.rebuild_from",
                &self.nats.rebuild_from,
                "a position is one of a single partition: set service.partitions to that one",
            );
        }
        for source in Service::ALL {
            let Some(address) = self.sources.address(source, 0) else {
                continue;
            };
            if tonic::transport::Endpoint::from_shared(address.clone()).is_err()
                || !address.starts_with("http")
            {
                return wrong(
                    "sources",
                    &address,
                    "the URL of a service's gRPC server is needed, for example http://order:7400",
                );
            }
        }
        self.tls.check()?;
        self.limits.check()?;
        self.access.check(service.grpc_address)?;
        service.clock_start().map(|_| ())
    }

    /// The configuration in force, as TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_else(|e| format!("# cannot be printed: {e}\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Serialize, Deserialize)]
    struct NoApp {}

    #[test]
    fn a_hidden_value_shows_in_no_form() {
        let config = Config::<NoApp> {
            sealing: SealingOptions {
                master_key: Hidden::new("0123abcd"),
                ..SealingOptions::default()
            },
            ..Config::default()
        };
        for shown in [config.to_toml(), format!("{config:?}")] {
            assert!(!shown.contains("0123abcd"), "{shown}");
            assert!(shown.contains("(not shown)"), "{shown}");
        }
        let wrong = toml::from_str::<SealingOptions>("master_key = 4711");
        let wrong = wrong.expect_err("a number").to_string();
        assert!(wrong.contains("quotation marks"), "{wrong}");
    }

    /// Without the environment, where cargo has variables of its own.
    fn loaded(text: &str) -> Result<Config<NoApp>, ConfigError> {
        let config: Config<NoApp> = toml::from_str(text).expect("fields that exist");
        config.check().map(|()| config)
    }

    #[test]
    fn open_access_is_for_loopback_addresses() {
        let everywhere = "service.grpc_address = \"0.0.0.0:7400\"\n";
        let refused = loaded(everywhere).expect_err("refused").to_string();
        assert!(refused.contains("access.mode"), "{refused}");
        let told = format!("{everywhere}access.open_beyond_loopback = true\n");
        assert!(loaded(&told).is_ok());
        let keys = "access.issuer = \"a\"\naccess.jwks_file = \"b\"\n";
        let tokens = format!("{everywhere}access.mode = \"tokens\"\n{keys}");
        assert!(loaded(&tokens).is_ok());
        for address in ["[::1]:7400", "127.0.0.2:7400"] {
            assert!(loaded(&format!("service.grpc_address = \"{address}\"")).is_ok());
        }
    }

    #[test]
    fn tokens_need_an_issuer_and_one_place_of_its_keys() {
        let tokens = |more: &str| loaded(&format!("access.mode = \"tokens\"\n{more}"));
        for (more, field) in [
            ("", "access.issuer"),
            ("access.issuer = \"a\"", "access.jwks_file"),
            (
                "access.issuer = \"a\"\naccess.jwks_file = \"b\"\naccess.jwks_url = \"https://c\"",
                "access.jwks_file",
            ),
            ("access.issuer = \"http://example.org\"", "https"),
            (
                "access.issuer = \"a\"\naccess.jwks_url = \"http://example.org/keys\"",
                "https",
            ),
            (
                "access.issuer = \"a\"\naccess.jwks_url = \"http://127.0.0.1.example.org\"",
                "https",
            ),
            (
                "access.issuer = \"a\"\naccess.jwks_file = \"b\"\naccess.leeway_secs = 301",
                "leeway",
            ),
        ] {
            let refused = tokens(more).expect_err("refused").to_string();
            assert!(refused.contains(field), "{more}: {refused}");
        }
        let local = "access.issuer = \"a\"\naccess.jwks_url = \"http://127.0.0.1:7400/keys\"";
        assert!(tokens(local).is_ok());
        // Which says itself where its keys are.
        assert!(tokens("access.issuer = \"https://login.example.org\"").is_ok());
    }

    #[test]
    fn half_of_a_certificate_is_refused() {
        for half in [
            "tls.cert = \"a\"",
            "tls.key = \"a\"",
            "tls.client_ca = \"a\"",
        ] {
            let refused = loaded(half).expect_err("refused").to_string();
            assert!(refused.contains("tls."), "{refused}");
        }
    }
}
