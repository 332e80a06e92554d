//! Where the logs are: services that run, copied directories, the streams on a
//! NATS server, or a bundle.

use std::{collections::BTreeMap, fs, path::PathBuf};

use decider::Service;
use serde::Deserialize;
use service_kit::peers::{
    Bearer,
    client::{Calling, ClientArgs},
};

use crate::error::AuditError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Addresses of each service's gRPC servers; several where its partitions
    /// are spread over several processes.
    Suite {
        services: BTreeMap<Service, Vec<String>>,
        nats: Option<String>,
        /// Where its data is, if that is on this machine.
        data_dir: Option<PathBuf>,
        /// Over TLS or not, and with which token.
        calling: Calling,
    },
    /// A folder with `<service>/<partition>/` below it and no service that has
    /// them open. A log is opened as its service would open it: a torn tail is
    /// cut off, so an audit of evidence takes a copy.
    Logs {
        directory: PathBuf,
        nats: Option<String>,
    },
    /// The replicas on a NATS server, and nothing else.
    Streams { url: String },
    /// What `baogong audit export` wrote.
    Bundle { directory: PathBuf },
}

/// `suite.json`, as `baogong up` writes it.
#[derive(Debug, Deserialize)]
struct SuiteFile {
    #[serde(default)]
    nats_url: Option<String>,
    #[serde(default)]
    data_dir: Option<PathBuf>,
    services: BTreeMap<Service, Addresses>,
    #[serde(default)]
    access: Option<Access>,
}

#[derive(Debug, Deserialize)]
struct Access {
    token_file: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Addresses {
    grpc: String,
}

impl Source {
    /// The suite that a `suite.json` describes.
    ///
    /// # Errors
    /// It cannot be read, is something else, or lacks a service.
    pub fn suite_file(path: impl Into<PathBuf>) -> Result<Self, AuditError> {
        let path = path.into();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(AuditError::SuiteFile { path, source }),
        };
        let file: SuiteFile = match serde_json::from_str(&text) {
            Ok(file) => file,
            Err(error) => {
                let why = error.to_string();
                return Err(AuditError::SuiteFormat { path, why });
            }
        };
        let services = file.services.into_iter();
        let services = services.map(|(service, at)| (service, vec![at.grpc]));
        let calling = Calling {
            bearer: file
                .access
                .map_or_else(Bearer::default, |access| Bearer::File(access.token_file)),
            ..Calling::default()
        };
        Self::suite(services.collect(), file.nats_url, file.data_dir, calling)
    }

    /// Services given one by one, each as `<service>=<address>`.
    ///
    /// # Errors
    /// One of them is not of that form, or a service is not among them.
    pub fn endpoints(endpoints: &[String]) -> Result<Self, AuditError> {
        let mut services = BTreeMap::<Service, Vec<String>>::new();
        for endpoint in endpoints {
            let wrong = || AuditError::Endpoint(endpoint.clone());
            let (service, address) = endpoint.split_once('=').ok_or_else(wrong)?;
            let service = Service::parse(service).ok_or_else(wrong)?;
            if address.is_empty() {
                return Err(wrong());
            }
            services
                .entry(service)
                .or_default()
                .push(address.to_owned());
        }
        Self::suite(services, None, None, Calling::default())
    }

    fn suite(
        services: BTreeMap<Service, Vec<String>>,
        nats: Option<String>,
        data_dir: Option<PathBuf>,
        calling: Calling,
    ) -> Result<Self, AuditError> {
        match Service::ALL.iter().find(|s| !services.contains_key(s)) {
            Some(missing) => Err(AuditError::NoService(*missing)),
            None => Ok(Self::Suite {
                services,
                nats,
                data_dir,
                calling,
            }),
        }
    }

    /// Copied directories.
    #[must_use]
    pub fn logs(directory: impl Into<PathBuf>) -> Self {
        Self::Logs {
            directory: directory.into(),
            nats: None,
        }
    }

    /// The streams on a NATS server.
    #[must_use]
    pub fn streams(url: impl Into<String>) -> Self {
        Self::Streams { url: url.into() }
    }

    /// A bundle.
    #[must_use]
    pub fn bundle(directory: impl Into<PathBuf>) -> Self {
        Self::Bundle {
            directory: directory.into(),
        }
    }

    /// Compares with the streams on this server, whatever was known before;
    /// where the logs are read from streams themselves, or a bundle, with none.
    #[must_use]
    pub fn with_nats(mut self, url: impl Into<String>) -> Self {
        match &mut self {
            Self::Suite { nats, .. } | Self::Logs { nats, .. } => *nats = Some(url.into()),
            Self::Streams { .. } | Self::Bundle { .. } => {}
        }
        self
    }

    /// Presents the token in this file to the services, whatever was known
    /// before.
    #[must_use]
    pub fn with_token_file(mut self, path: impl Into<PathBuf>) -> Self {
        if let Self::Suite { calling, .. } = &mut self {
            calling.bearer = Bearer::File(path.into());
        }
        self
    }

    /// Calls services as a command was told to.
    #[must_use]
    pub fn called_by(mut self, arguments: &ClientArgs) -> Self {
        if let Self::Suite { calling, .. } = &mut self {
            calling.tls = arguments.tls.clone();
            if let Some(bearer) = arguments.bearer() {
                calling.bearer = bearer;
            }
        }
        self
    }

    #[must_use]
    pub fn nats(&self) -> Option<&str> {
        match self {
            Self::Suite { nats, .. } | Self::Logs { nats, .. } => nats.as_deref(),
            Self::Streams { .. } | Self::Bundle { .. } => None,
        }
    }
}
