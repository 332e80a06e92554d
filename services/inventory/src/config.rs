//! Configuration of the inventory service: nothing beyond the common sections.

use serde::{Deserialize, Serialize};
use service_kit::config::{Config as KitConfig, ServiceOptions};

/// The service's own section, `[app]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {}

pub type Config = KitConfig<App>;

/// The defaults of this service on a laptop.
#[must_use]
pub fn base() -> Config {
    Config {
        service: ServiceOptions {
            grpc_address: ([127, 0, 0, 1], 7402).into(),
            http_address: ([127, 0, 0, 1], 7502).into(),
            ..ServiceOptions::default()
        },
        ..Config::default()
    }
}
