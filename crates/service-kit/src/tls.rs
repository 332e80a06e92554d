//! TLS of the gRPC listener (`[tls]`): rustls with ring, optionally with
//! certificates of the callers (mutual TLS), and what this service needs to
//! call others over TLS. Certificates are read again when their files change.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::RwLock;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use serde::{Deserialize, Serialize};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::{
    config::ConfigError,
    durable_file::{Mark, mark},
    notary::keys::too_wide,
};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// PEM files. Without `cert` and `key` the listener speaks plain HTTP/2.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsOptions {
    /// The server's certificate, then those that lead to its authority.
    pub cert: PathBuf,
    /// Its secret key (PKCS#8, SEC 1 or PKCS#1); only its owner may read it.
    pub key: PathBuf,
    /// Authorities whose certificates callers must show; empty: none is asked
    /// for.
    pub client_ca: PathBuf,
    /// Authorities of the other services, where `[sources]` has `https`
    /// addresses. This service shows its own certificate there.
    pub peer_ca: PathBuf,
}

impl TlsOptions {
    fn given(path: &Path) -> bool {
        !path.as_os_str().is_empty()
    }

    /// Whether the listener speaks TLS.
    #[must_use]
    pub fn is_on(&self) -> bool {
        Self::given(&self.cert)
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |field, path: &Path, why| {
            Err(ConfigError::Value {
                field,
                value: format!("{path:?}"),
                why,
            })
        };
        if Self::given(&self.cert) != Self::given(&self.key) {
            return wrong(
                "tls.cert, tls.key",
                &self.cert,
                "both are needed, or neither",
            );
        }
        if Self::given(&self.client_ca) && !self.is_on() {
            return wrong(
                "tls.client_ca",
                &self.client_ca,
                "callers can show certificates only where tls.cert and tls.key are set",
            );
        }
        Ok(())
    }

    /// Sets up a connection to another service as its address asks for.
    ///
    /// # Errors
    /// A file cannot be used.
    pub fn toward(&self, endpoint: Endpoint) -> Result<Endpoint, TlsError> {
        if endpoint.uri().scheme_str() != Some("https") {
            return Ok(endpoint);
        }
        let mut tls = ClientTlsConfig::new();
        if Self::given(&self.peer_ca) {
            tls = tls.ca_certificate(Certificate::from_pem(read("tls.peer_ca", &self.peer_ca)?));
        }
        if self.is_on() {
            let cert = read("tls.cert", &self.cert)?;
            tls = tls.identity(Identity::from_pem(cert, read("tls.key", &self.key)?));
        }
        endpoint
            .tls_config(tls)
            .map_err(|error| TlsError::Unusable {
                field: "tls.peer_ca",
                path: self.peer_ca.clone(),
                why: error.to_string(),
            })
    }
}

/// Makes ring the process's cryptography of TLS, where nothing was chosen yet.
pub fn use_ring() {
    // Another part of the process may have installed it.
    let _ = ring::default_provider().install_default();
}

/// Begins a client of HTTPS. It trusts the authorities that this machine trusts
/// (`SSL_CERT_FILE`, `SSL_CERT_DIR` or where its distribution keeps them) and
/// those that Mozilla's programs trust: an image may have no file at all.
pub fn https() -> reqwest::ClientBuilder {
    use_ring();
    let public = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    let public = public.filter_map(|one| reqwest::Certificate::from_der(one).ok());
    reqwest::Client::builder().tls_certs_merge(public)
}

fn read(field: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Unreadable {
        field,
        path: path.to_owned(),
        source,
    })
}

/// Why TLS cannot be spoken; no secret is repeated.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{field} = {path}: the file cannot be read")]
    Unreadable {
        field: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{field} = {path}: {why}")]
    Unusable {
        field: &'static str,
        path: PathBuf,
        why: String,
    },
    #[error(
        "tls.key = {key} is not the key of the certificate in tls.cert = {cert}: was one of them \
         replaced alone?"
    )]
    Mismatch { cert: PathBuf, key: PathBuf },
    #[error(
        "tls.key = {path}: others may read or change it (mode {mode:03o}); replace it if somebody \
         could have, then `chmod 600` the file"
    )]
    TooWide { path: PathBuf, mode: u32 },
}

/// What the listener speaks with, as the files have it now.
pub struct Tls {
    options: TlsOptions,
    current: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// `None` where no certificate is given.
    ///
    /// # Errors
    /// A file is missing, is none, or does not belong to the others.
    pub fn open(options: &TlsOptions) -> Result<Option<Arc<Self>>, TlsError> {
        if !options.is_on() {
            return Ok(None);
        }
        Ok(Some(Arc::new(Self {
            current: RwLock::new(Arc::new(load(options)?)),
            options: options.clone(),
        })))
    }

    /// For the next handshake.
    #[must_use]
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read())
    }

    /// Reads the files again. Connections that are open stay as they are.
    ///
    /// # Errors
    /// As at the start; what was good last stays in force.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = load(&self.options)?;
        *self.current.write() = Arc::new(config);
        Ok(())
    }

    /// Reads the files again whenever they change; never ends.
    pub async fn keep_fresh(self: Arc<Self>) -> anyhow::Result<()> {
        let mut seen = self.marks();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let marks = self.marks();
            if marks == seen {
                continue;
            }
            match self.reload() {
                Ok(()) => {
                    tracing::info!("the certificates were read again");
                    seen = marks;
                }
                // Certificate and key may be replaced one after the other.
                Err(error) => {
                    tracing::error!("the certificates stay as they were: {error}");
                }
            }
        }
    }

    /// Kubernetes replaces a folder behind a link, which changes all three.
    fn marks(&self) -> [Mark; 3] {
        let options = &self.options;
        [&options.cert, &options.key, &options.client_ca].map(|path| mark(path))
    }
}

fn load(options: &TlsOptions) -> Result<ServerConfig, TlsError> {
    let chain = certificates("tls.cert", &options.cert)?;
    let key_path = &options.key;
    let pem = read("tls.key", key_path)?;
    let unreadable = |source| TlsError::Unreadable {
        field: "tls.key",
        path: key_path.clone(),
        source,
    };
    if let Some(mode) = too_wide(&fs::metadata(key_path).map_err(unreadable)?) {
        return Err(TlsError::TooWide {
            path: key_path.clone(),
            mode,
        });
    }
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::Unusable {
        field: "tls.key",
        path: key_path.clone(),
        why: "there is no secret key in it; a PEM file with one is needed".to_owned(),
    })?;
    let provider = Arc::new(ring::default_provider());
    let unusable = |field, path: &Path, why: String| TlsError::Unusable {
        field,
        path: path.to_owned(),
        why,
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("tls.cert", &options.cert, error.to_string()))?;
    let builder = if TlsOptions::given(&options.client_ca) {
        let mut roots = RootCertStore::empty();
        for authority in certificates("tls.client_ca", &options.client_ca)? {
            roots.add(authority).map_err(|error| {
                unusable("tls.client_ca", &options.client_ca, error.to_string())
            })?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| unusable("tls.client_ca", &options.client_ca, error.to_string()))?;
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::Mismatch {
                cert: options.cert.clone(),
                key: options.key.clone(),
            },
            other => unusable("tls.cert", &options.cert, other.to_string()),
        })?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn certificates(
    field: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(field, path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(TlsError::Unusable {
            field,
            path: path.to_owned(),
            why: "there is no certificate in it; a PEM file with one or more is needed".to_owned(),
        }),
    }
}
