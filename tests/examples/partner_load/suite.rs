//! A suite of its own: `baogong up` in a temporary folder.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::process::{Child, Command};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

pub const AREA: &str = "632725100";

pub struct Suite {
    pub logistics: SocketAddr,
    child: Child,
    baogong: PathBuf,
    file: PathBuf,
    _directory: tempfile::TempDir,
}

/// Sends a token with each call.
#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Bearer {
    pub fn new(token: &str) -> anyhow::Result<Self> {
        Ok(Self(format!("Bearer {token}").parse()?))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("authorization", self.0.clone());
        Ok(request)
    }
}

pub type Link = InterceptedService<Channel, Bearer>;

pub fn link(address: SocketAddr, token: &str) -> anyhow::Result<Link> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?
        .connect_timeout(Duration::from_secs(5))
        .tcp_nodelay(true);
    let channel = endpoint.connect_lazy();
    Ok(InterceptedService::new(channel, Bearer::new(token)?))
}

impl Suite {
    pub async fn start(baogong: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let data = directory.path().join("data");
        let child = Command::new(baogong)
            .args(["up", "--any-port", "--data"])
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", baogong.display()))?;
        let file = data.join("suite.json");
        for _ in 0..600 {
            if file.exists() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let text = fs::read_to_string(&file).context("the suite does not come up")?;
        let read: serde_json::Value = serde_json::from_str(&text)?;
        let logistics = read["services"]["logistics"]["grpc"].as_str();
        Ok(Self {
            logistics: logistics.context("no address")?.parse()?,
            child,
            baogong: baogong.to_owned(),
            file,
            _directory: directory,
        })
    }

    pub fn token(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let made = std::process::Command::new(&self.baogong)
            .args(["token", "issue", "--all-areas", "--suite"])
            .arg(&self.file)
            .args(arguments)
            .output()?;
        ensure!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        Ok(String::from_utf8(made.stdout)?.trim().to_owned())
    }

    /// Resident memory of the four services, in bytes.
    pub fn memory(&self) -> anyhow::Result<u64> {
        let pid = self.child.id().context("the suite has ended")?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.context("no VmRSS")?.trim().trim_end_matches(" kB");
        Ok(kilobytes.parse::<u64>()? * 1024)
    }

    pub async fn stop(mut self) {
        if let Some(pid) = self.child.id() {
            let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
            // It stops its NATS server with it.
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
            let _ = self.child.wait().await;
        }
    }
}
