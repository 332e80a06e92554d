//! Configuration of the logistics service.

use serde::{Deserialize, Serialize};
use service_kit::config::{Config as KitConfig, ServiceOptions};

use crate::webhook::WebhookOptions;

/// The service's own section, `[app]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct App {
    pub webhooks: WebhookOptions,
}

pub type Config = KitConfig<App>;

/// The defaults of this service on a laptop.
#[must_use]
pub fn base() -> Config {
    Config {
        service: ServiceOptions {
            grpc_address: ([127, 0, 0, 1], 7403).into(),
            http_address: ([127, 0, 0, 1], 7503).into(),
            ..ServiceOptions::default()
        },
        ..Config::default()
    }
}
