//! Configuration of the notification service: the common sections, and the
//! channels by which messages go out.
//!
//! ```toml
//! [[app.channels]]
//! kind = "webhook"
//! url = "https://robot.example.org/send?key=…"
//!
//! [[app.channels]]
//! kind = "smtp"
//! host = "mail.example.org"
//! from = "Zhichaka community <supply@example.org>"
//! ```

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use service_kit::config::{Config as KitConfig, ServiceOptions};

use crate::channel::{
    Channel, SetupError,
    console::{self, Console},
    route::Route,
    smtp::{self, Smtp},
    webhook::{self, Webhook},
};

/// The service's own section, `[app]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct App {
    /// In the order in which they are tried; at least one.
    pub channels: Vec<ChannelOptions>,
}

impl Default for App {
    fn default() -> Self {
        Self {
            channels: vec![ChannelOptions::Console(console::Options::default())],
        }
    }
}

/// One channel. Secrets in it are printed as `***`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ChannelOptions {
    Console(console::Options),
    Webhook(webhook::Options),
    Smtp(smtp::Options),
}

impl ChannelOptions {
    fn open(&self) -> Result<Arc<dyn Channel>, SetupError> {
        Ok(match self {
            Self::Console(options) => Arc::new(Console::open(options)?),
            Self::Webhook(options) => Arc::new(Webhook::new(options)?),
            Self::Smtp(options) => Arc::new(Smtp::new(options)?),
        })
    }
}

impl App {
    /// Sets the channels up.
    ///
    /// # Errors
    /// There is none, or one of them cannot be set up as configured.
    pub fn route(&self) -> Result<Route, SetupError> {
        let channels = self
            .channels
            .iter()
            .map(ChannelOptions::open)
            .collect::<Result<Vec<_>, _>>()?;
        Route::new(channels).ok_or(SetupError::NoChannel)
    }
}

pub type Config = KitConfig<App>;

/// The defaults of this service on a laptop.
#[must_use]
pub fn base() -> Config {
    Config {
        service: ServiceOptions {
            grpc_address: ([127, 0, 0, 1], 7404).into(),
            http_address: ([127, 0, 0, 1], 7504).into(),
            ..ServiceOptions::default()
        },
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proto::notification::v1::ChannelKind;

    use super::*;

    const TWO: &str = r#"
        [[app.channels]]
        kind = "webhook"
        url = "http://robot.example.org/send?key=k3y"
        proxy = "http://user:pr0xy@proxy:3128"

        [[app.channels]]
        kind = "smtp"
        host = "mail.example.org"
        port = 2525
        tls = "none"
        from = "supply@example.org"
        credentials = { user = "supply", password = "passw0rd" }
    "#;

    fn load(toml: &str) -> Result<Config, String> {
        let directory = tempfile::tempdir().expect("a directory");
        let file: PathBuf = directory.path().join("notification.toml");
        std::fs::write(&file, toml).expect("written");
        Config::load(Some(&file), base()).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_file_messages_go_to_the_console() {
        let config = load("").expect("a configuration");
        assert_eq!(config.app, App::default());
        assert_eq!(config.service.grpc_address.port(), 7404);
        assert_eq!(config.service.http_address.port(), 7504);
        let route = config.app.route().expect("a route");
        assert_eq!(route.first(), ChannelKind::Console);
    }

    #[test]
    fn channels_are_taken_in_their_order_and_instead_of_the_console() {
        let config = load(TWO).expect("a configuration");
        let [ChannelOptions::Webhook(_), ChannelOptions::Smtp(smtp)] = &*config.app.channels else {
            panic!("{:?}", config.app.channels);
        };
        assert_eq!(smtp.port, Some(2525));
        let route = config.app.route().expect("a route");
        assert_eq!(route.first(), ChannelKind::Webhook);
    }

    #[test]
    fn the_printed_configuration_tells_no_secret() {
        let printed = load(TWO).expect("a configuration").to_toml();
        for secret in ["k3y", "pr0xy", "passw0rd"] {
            assert!(!printed.contains(secret), "{printed}");
        }
        assert!(printed.contains("***"), "{printed}");
        assert!(printed.contains("kind = \"smtp\""), "{printed}");
    }

    #[test]
    fn what_is_not_known_is_refused_and_named() {
        for (toml, named) in [
            ("[app]\ncolour = 1", "colour"),
            ("[[app.channels]]\nkind = \"pigeon\"", "pigeon"),
            ("[[app.channels]]\nkind = \"console\"\nbeep = true", "beep"),
            (
                "[[app.channels]]\nkind = \"webhook\"\nurl = \"http://r/\"\nretries = 3",
                "retries",
            ),
            ("[[app.channels]]\nkind = \"smtp\"\nhost = \"m\"", "from"),
        ] {
            let error = load(toml).expect_err(toml);
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn a_service_without_a_channel_does_not_start() {
        let config = load("[app]\nchannels = []").expect("a configuration");
        assert_eq!(config.app.route().err(), Some(SetupError::NoChannel));
    }
}
