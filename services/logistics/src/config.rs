//! Configuration of the logistics service: the common sections, how long and
//! how many photos of partner firms are kept, and how webhooks are delivered.
//!
//! ```toml
//! [app]
//! photo_retention_days = 90
//! photo_mib_per_firm_and_day = 512
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};
use service_kit::config::{Config as KitConfig, ServiceOptions};

use crate::webhook::WebhookOptions;

/// The service's own section, `[app]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct App {
    /// Days after which a photo is deleted: 1 to 3,650. A change is for photos
    /// that are uploaded from then on.
    pub photo_retention_days: u32,
    /// MiB that each firm may upload in a day (UTC): 1 to 1,048,576.
    pub photo_mib_per_firm_and_day: u32,
    /// Seconds that the next part of an upload may take: 1 to 300.
    pub photo_stall_secs: u32,
    pub webhooks: WebhookOptions,
}

impl Default for App {
    fn default() -> Self {
        Self {
            photo_retention_days: 90,
            photo_mib_per_firm_and_day: 512,
            photo_stall_secs: 30,
            webhooks: WebhookOptions::default(),
        }
    }
}

/// What is taken of photos.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhotoLimits {
    pub retention_minutes: i64,
    pub quota_bytes: i64,
    pub stall: Duration,
}

#[derive(Debug, thiserror::Error)]
#[error("app.{field} = {value}: {least} to {most} are possible")]
pub struct OutOfRange {
    field: &'static str,
    value: u32,
    least: u32,
    most: u32,
}

impl App {
    /// # Errors
    /// A value is out of its range.
    pub fn photo_limits(&self) -> Result<PhotoLimits, OutOfRange> {
        let within = |field, value: u32, least, most| {
            if (least..=most).contains(&value) {
                return Ok(i64::from(value));
            }
            Err(OutOfRange {
                field,
                value,
                least,
                most,
            })
        };
        let days = self.photo_retention_days;
        let mib = self.photo_mib_per_firm_and_day;
        let stall = self.photo_stall_secs;
        within("photo_stall_secs", stall, 1, 300)?;
        Ok(PhotoLimits {
            retention_minutes: within("photo_retention_days", days, 1, 3_650)? * 24 * 60,
            quota_bytes: within("photo_mib_per_firm_and_day", mib, 1, 1 << 20)? << 20,
            stall: Duration::from_secs(stall.into()),
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_and_named() {
        assert!(App::default().photo_limits().is_ok());
        let never = App {
            photo_retention_days: 0,
            ..App::default()
        };
        let refused = never.photo_limits().expect_err("refused").to_string();
        assert_eq!(
            refused,
            "app.photo_retention_days = 0: 1 to 3650 are possible"
        );
        let stalls = App {
            photo_stall_secs: 301,
            ..App::default()
        };
        assert!(stalls.photo_limits().is_err());
    }
}
