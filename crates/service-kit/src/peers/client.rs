//! What a command takes to call services: authorities, a certificate of its
//! own, a token. One set of arguments for all commands.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::Args;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use super::Bearer;
use crate::config::Hidden;

/// TLS of a client. Without `--ca` services are called without it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct TlsArgs {
    /// Call over TLS, and trust services with a certificate of these
    /// authorities (PEM).
    #[arg(long, value_name = "FILE", env = "BAOGONG_CA")]
    pub ca: Option<PathBuf>,
    /// Show this certificate (PEM), where services ask callers for one.
    #[arg(long, value_name = "FILE", requires = "key", requires = "ca")]
    pub cert: Option<PathBuf>,
    /// Its secret key (PEM).
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// The name in the services' certificates, where it is not that of their
    /// address.
    #[arg(long, value_name = "NAME", requires = "ca")]
    pub server_name: Option<String>,
}

/// TLS and a token of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ClientArgs {
    #[command(flatten)]
    pub tls: TlsArgs,
    /// The token to present. Others on this machine see it in the list of
    /// processes: better a file, or the environment.
    #[arg(long, value_name = "TOKEN", env = "BAOGONG_TOKEN", hide_env_values = true,
        value_parser = hidden)]
    pub token: Option<Hidden>,
    /// File with the token to present, read again at each call; `--token` goes
    /// before it.
    #[arg(long, value_name = "FILE", env = "BAOGONG_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
}

#[allow(clippy::unnecessary_wraps)] // What clap asks for.
fn hidden(text: &str) -> Result<Hidden, std::convert::Infallible> {
    Ok(Hidden::new(text))
}

impl ClientArgs {
    /// The token, where one is given.
    #[must_use]
    pub fn bearer(&self) -> Option<Bearer> {
        match (&self.token, &self.token_file) {
            (Some(token), _) => Some(Bearer::Token(token.clone())),
            (None, Some(path)) => Some(Bearer::File(path.clone())),
            (None, None) => None,
        }
    }
}

/// How services are called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calling {
    pub tls: TlsArgs,
    pub bearer: Bearer,
}

/// Why a service cannot be called so; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{flag} {path}: the file cannot be read")]
    File {
        flag: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{0:?} is no address; one such as 127.0.0.1:7401 or https://order:7400 is needed")]
    Address(String),
    #[error(
        "{0} is to be called over TLS: give --ca with the authority that signed the service's \
         certificate"
    )]
    NoAuthority(String),
    #[error("{0} is an address without TLS, and --ca was given: write https://, or leave it out")]
    NotTls(String),
    #[error("--ca, --cert, --key: {0}; PEM files that belong together are needed")]
    Unusable(String),
}

impl TlsArgs {
    /// What may be missing where a service does not answer; begins with a space
    /// where it is anything.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match (&self.ca, &self.cert) {
            (None, _) => " One that speaks TLS needs --ca.",
            (Some(_), None) => " One that asks callers for a certificate needs --cert and --key.",
            (Some(_), Some(_)) => "",
        }
    }

    /// The endpoint of an address, with or without `http://` or `https://`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn endpoint(&self, address: &str) -> Result<Endpoint, ClientError> {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        let url = if address.contains("://") {
            address.to_owned()
        } else {
            format!("{scheme}://{address}")
        };
        let endpoint = Endpoint::from_shared(url);
        let endpoint = endpoint.map_err(|_| ClientError::Address(address.to_owned()))?;
        match (endpoint.uri().scheme_str(), &self.ca) {
            (Some("http"), None) => Ok(endpoint),
            (Some("http"), Some(_)) => Err(ClientError::NotTls(address.to_owned())),
            (Some("https"), None) => Err(ClientError::NoAuthority(address.to_owned())),
            (Some("https"), Some(ca)) => self.over_tls(endpoint, ca),
            _ => Err(ClientError::Address(address.to_owned())),
        }
    }

    fn over_tls(&self, endpoint: Endpoint, ca: &Path) -> Result<Endpoint, ClientError> {
        crate::tls::use_ring();
        let mut tls =
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read("--ca", ca)?));
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            let identity = Identity::from_pem(read("--cert", cert)?, read("--key", key)?);
            tls = tls.identity(identity);
        }
        if let Some(name) = &self.server_name {
            tls = tls.domain_name(name);
        }
        let endpoint = endpoint.tls_config(tls);
        endpoint.map_err(|error| ClientError::Unusable(error.to_string()))
    }
}

fn read(flag: &'static str, path: &Path) -> Result<Vec<u8>, ClientError> {
    fs::read(path).map_err(|source| ClientError::File {
        flag,
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        client: ClientArgs,
    }

    fn given(arguments: &[&str]) -> Result<ClientArgs, String> {
        let all = ["command"].iter().chain(arguments);
        let parsed = Command::try_parse_from(all).map_err(|error| error.to_string())?;
        Ok(parsed.client)
    }

    #[test]
    fn addresses_and_authorities_must_fit() {
        let plain = TlsArgs::default();
        assert!(plain.endpoint("127.0.0.1:7401").is_ok());
        assert!(plain.endpoint("http://order:7400").is_ok());
        let over =
            |address: &str, tls: &TlsArgs| tls.endpoint(address).expect_err("refused").to_string();
        assert!(over("https://order:7400", &plain).contains("--ca"));
        assert!(over("not an address", &plain).contains("is no address"));
        let tls = given(&["--ca", "missing.crt"]).expect("arguments").tls;
        assert!(over("http://order:7400", &tls).contains("without TLS"));
        assert!(over("order:7400", &tls).contains("--ca missing.crt"));
    }

    #[test]
    fn half_of_an_identity_is_refused() {
        for half in [
            &["--cert", "a", "--ca", "c"][..],
            &["--key", "a", "--ca", "c"],
            &["--cert", "a", "--key", "b"],
            &["--server-name", "order"],
        ] {
            let refused = given(half).expect_err("refused");
            assert!(refused.contains("required"), "{half:?}: {refused}");
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        let client = given(&["--token", "abc.def.ghi", "--token-file", "t"]).expect("arguments");
        assert!(!format!("{client:?}").contains("abc"), "{client:?}");
        assert_eq!(
            client.bearer(),
            Some(Bearer::Token(Hidden::new("abc.def.ghi")))
        );
        let file = given(&["--token-file", "t"]).expect("arguments").bearer();
        assert_eq!(file, Some(Bearer::File("t".into())));
    }
}
