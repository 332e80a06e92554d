//! Where a running suite is: written by `baogong up`, read by everything that
//! talks to it.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context;
use decider::Service;
use serde::{Deserialize, Serialize};

use crate::access::AccessFile;

/// Addresses of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub grpc: SocketAddr,
    pub http: SocketAddr,
}

/// `suite.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteFile {
    pub nats_url: String,
    pub data_dir: PathBuf,
    pub services: BTreeMap<String, Endpoint>,
    /// Where tokens come from; without it the suite asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessFile>,
}

impl SuiteFile {
    /// # Errors
    /// The file cannot be read; the message says how to get one.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| {
            format!(
                "{} cannot be read: start a suite with `baogong up`, or name its file with --suite",
                path.display()
            )
        })?;
        serde_json::from_str(&text).with_context(|| format!("{} is no suite file", path.display()))
    }

    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(path, text + "\n")
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    /// # Errors
    /// The file does not name the service.
    pub fn grpc(&self, service: Service) -> anyhow::Result<SocketAddr> {
        self.services
            .get(service.name())
            .map(|endpoint| endpoint.grpc)
            .with_context(|| format!("the suite file names no address of the {service} service"))
    }
}
