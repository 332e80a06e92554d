//! `[access]`.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

/// Who is asked for a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessMode {
    /// Nobody: whoever reaches the address may do everything. On loopback
    /// addresses only.
    #[default]
    Open,
    /// Everybody, but for health and reflection.
    Tokens,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessOptions {
    pub mode: AccessMode,
    /// Lets the mode `open` listen on other than loopback addresses, for a
    /// network that nobody else reaches.
    pub open_beyond_loopback: bool,
    /// The tokens' `iss`, letter for letter.
    pub issuer: String,
    /// What the tokens' `aud` must hold.
    pub audience: String,
    /// Allowed for clocks that differ; at most 300.
    pub leeway_secs: u64,
    /// The issuer's public keys (JWKS): a file, read again when it changes …
    pub jwks_file: PathBuf,
    /// … or an address, `https` beyond loopback. Without either they are where
    /// the issuer itself says (OpenID Connect Discovery 1.0): then `issuer` is
    /// an address too, and `<issuer>/.well-known/openid-configuration` is read.
    pub jwks_url: String,
    /// How often the keys are fetched again.
    pub jwks_refresh_secs: u64,
    /// How long after a fetch a token with an unknown key causes the next one.
    pub jwks_refetch_min_secs: u64,
    /// Tokens that no longer count, see `access::Revocations`; looked at every
    /// second. Empty: none are revoked.
    pub revocations_file: PathBuf,
    /// File with the token that this service presents to others, when it reads
    /// their logs; looked at for each call.
    pub peer_token_file: PathBuf,
}

impl Default for AccessOptions {
    fn default() -> Self {
        Self {
            mode: AccessMode::Open,
            open_beyond_loopback: false,
            issuer: String::new(),
            audience: "baogong".to_owned(),
            leeway_secs: 30,
            jwks_file: PathBuf::new(),
            jwks_url: String::new(),
            jwks_refresh_secs: 300,
            jwks_refetch_min_secs: 10,
            revocations_file: PathBuf::new(),
            peer_token_file: PathBuf::new(),
        }
    }
}

impl AccessOptions {
    pub(crate) fn check(&self, grpc_address: SocketAddr) -> Result<(), ConfigError> {
        let wrong = |field, value: &str, why| {
            Err(ConfigError::Value {
                field,
                value: format!("{value:?}"),
                why,
            })
        };
        if self.mode == AccessMode::Open {
            if grpc_address.ip().is_loopback() || self.open_beyond_loopback {
                return Ok(());
            }
            return wrong(
                "service.grpc_address",
                &grpc_address.to_string(),
                "everybody who reaches it could do everything, since access.mode is \"open\": set \
                 it to \"tokens\" (docs/ACCESS.md), listen on 127.0.0.1, or, where nobody else \
                 reaches this network, set access.open_beyond_loopback = true",
            );
        }
        if self.issuer.is_empty() || self.audience.is_empty() {
            return wrong(
                "access.issuer, access.audience",
                &self.issuer,
                "both are needed: whose tokens are taken, and for whom they must be meant",
            );
        }
        if self.leeway_secs > 300 {
            return wrong(
                "access.leeway_secs",
                &self.leeway_secs.to_string(),
                "at most 300 s; set the clocks right instead",
            );
        }
        if self.jwks_refresh_secs == 0 || self.jwks_refetch_min_secs == 0 {
            return wrong(
                "access.jwks_refresh_secs, access.jwks_refetch_min_secs",
                "0",
                "both must be at least 1",
            );
        }
        match (
            self.jwks_file.as_os_str().is_empty(),
            self.jwks_url.as_str(),
        ) {
            (false, "") => Ok(()),
            (true, "") if self.issuer.contains("://") => check_url("access.issuer", &self.issuer),
            (true, url) if !url.is_empty() => check_url("access.jwks_url", url),
            _ => wrong(
                "access.jwks_file, access.jwks_url",
                &self.jwks_url,
                "one of them is needed: where the issuer's public keys are; an issuer that is an \
                 https URL can be asked for it, so then neither is",
            ),
        }
    }
}

/// Whether keys may be fetched there: whoever changes them on the way can call
/// everything.
pub(super) fn is_safe(url: &str) -> bool {
    let parsed = reqwest::Url::parse(url).ok();
    parsed.is_some_and(|url| match url.scheme() {
        "https" => true,
        "http" => matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost")),
        _ => false,
    })
}

fn check_url(field: &'static str, url: &str) -> Result<(), ConfigError> {
    if is_safe(url) {
        return Ok(());
    }
    Err(ConfigError::Value {
        field,
        value: format!("{url:?}"),
        why: "an https URL is needed (http on loopback only)",
    })
}
