//! A suite of real processes for system tests: a NATS server and the four
//! services, each its own process with its own log, on free loopback ports.

pub mod access;
pub mod goods;
pub mod laptop;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use bus::server::{NatsServer, ServerOptions};

pub const SERVICES: [&str; 4] = ["order", "inventory", "logistics", "notification"];

/// How long a service may take to be ready, in a debug build on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Folder of the built programs. They are built here, so that a test never
/// runs an old one; when all is built this takes a moment.
///
/// # Panics
/// They cannot be built.
pub fn binaries() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--workspace", "--bins", "--examples"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the programs cannot be built");
        let test = std::env::current_exe().expect("this test has a path");
        test.ancestors()
            .nth(2)
            .expect("a test lies in target/<profile>/deps")
            .to_owned()
    })
}

/// One service as a process.
pub struct Service {
    pub name: &'static str,
    pub grpc: SocketAddr,
    pub http: SocketAddr,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

/// A whole suite; everything is stopped and removed when it is dropped.
pub struct Suite {
    pub directory: tempfile::TempDir,
    pub nats: NatsServer,
    pub services: Vec<Service>,
}

impl Suite {
    /// Starts NATS and the services on test clocks, and waits until all are
    /// ready.
    ///
    /// # Errors
    /// Something does not start.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&[])
    }

    /// As [`Self::start`], with more environment variables for the services.
    ///
    /// # Errors
    /// Something does not start.
    pub fn start_with(extra: &[(&str, String)]) -> anyhow::Result<Self> {
        Self::start_only(&SERVICES, extra)
    }

    /// As [`Self::start_with`], with some of the services only.
    ///
    /// # Errors
    /// Something does not start.
    pub fn start_only(names: &[&'static str], extra: &[(&str, String)]) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let nats = NatsServer::start(ServerOptions {
            store_dir: directory.path().join("nats"),
            ..ServerOptions::default()
        })?;
        let mut services = names
            .iter()
            .map(|name| Service::new(name, directory.path(), &nats.url(), extra))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let tls = extra.iter().any(|(key, _)| *key == "BAOGONG_TLS__CERT");
        let scheme = if tls { "https" } else { "http" };
        let sources: Vec<(String, String)> = services
            .iter()
            .map(|service| {
                let key = format!("BAOGONG_SOURCES__{}", service.name.to_uppercase());
                (key, format!("{scheme}://{}", service.grpc))
            })
            .collect();
        for service in &mut services {
            service.environment.extend(sources.iter().cloned());
        }
        create_keys(&directory.path().join("keys"), &services)?;
        let mut suite = Self {
            directory,
            nats,
            services,
        };
        suite.write_suite_file()?;
        for service in &mut suite.services {
            service.launch()?;
        }
        suite.wait_ready()?;
        Ok(suite)
    }

    #[must_use]
    pub fn suite_file(&self) -> PathBuf {
        self.directory.path().join("suite.json")
    }

    /// The policy that the services keep to.
    #[must_use]
    pub fn policy_file(&self) -> PathBuf {
        self.directory.path().join("keys/policy")
    }

    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Folder of NATS's streams and buckets, while it is stopped.
    #[must_use]
    pub fn nats_store(&self) -> PathBuf {
        self.directory.path().join("nats/jetstream")
    }

    fn write_suite_file(&self) -> anyhow::Result<()> {
        let services: serde_json::Map<_, _> = self
            .services
            .iter()
            .map(|service| {
                let addresses = serde_json::json!({ "grpc": service.grpc, "http": service.http });
                (service.name.to_owned(), addresses)
            })
            .collect();
        let file = serde_json::json!({
            "nats_url": self.nats.url(),
            "data_dir": self.data(),
            "services": services,
        });
        fs::write(self.suite_file(), file.to_string())?;
        Ok(())
    }

    /// # Errors
    /// A service ended, or is not ready in time.
    pub fn wait_ready(&mut self) -> anyhow::Result<()> {
        for service in &mut self.services {
            service.wait_ready()?;
        }
        Ok(())
    }

    /// Runs `baogong` against this suite.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn baogong(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        self.baogong_command(arguments)
            .output()
            .context("baogong cannot be started")
    }

    #[must_use]
    pub fn baogong_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binaries().join("baogong"));
        command
            .args(arguments)
            .arg("--suite")
            .arg(self.suite_file())
            .stdin(Stdio::null());
        command
    }
}

impl Service {
    /// The same service once more, with a data directory and addresses of its
    /// own; it is not started.
    ///
    /// # Errors
    /// There is no free port.
    pub fn twin(&self, directory: &Path) -> anyhow::Result<Self> {
        let (grpc, http) = (free_address()?, free_address()?);
        let mut twin = Self {
            name: self.name,
            grpc,
            http,
            environment: self.environment.clone(),
            log: directory.join(format!("{}.log", self.name)),
            child: None,
        };
        twin.set("SERVICE__DATA_DIR", directory.join("data").display());
        twin.set("SERVICE__GRPC_ADDRESS", grpc);
        twin.set("SERVICE__HTTP_ADDRESS", http);
        Ok(twin)
    }

    /// Changes the configuration of the next start, for example
    /// `NATS__URL`.
    pub fn set(&mut self, field: &str, value: impl std::fmt::Display) {
        let key = format!("BAOGONG_{field}");
        self.environment.retain(|(name, _)| *name != key);
        self.environment.push((key, value.to_string()));
    }

    /// Waits until the process has ended by itself; gives all that it said.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn wait_ended(&mut self) -> anyhow::Result<String> {
        let give_up = Instant::now() + READY_WITHIN;
        while let Some(child) = &mut self.child {
            if child.try_wait()?.is_some() {
                self.child = None;
                break;
            }
            ensure!(Instant::now() < give_up, "{} does not end", self.name);
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(fs::read_to_string(&self.log)?)
    }

    /// All that it has said so far.
    #[must_use]
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn new(
        name: &'static str,
        directory: &Path,
        nats_url: &str,
        extra: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let (grpc, http) = (free_address()?, free_address()?);
        let text = |path: &Path| path.display().to_string();
        let environment = [
            ("SERVICE__DATA_DIR", text(&directory.join("data"))),
            ("SERVICE__GRPC_ADDRESS", grpc.to_string()),
            ("SERVICE__HTTP_ADDRESS", http.to_string()),
            ("SERVICE__CLOCK", "test".to_owned()),
            ("NATS__URL", nats_url.to_owned()),
            (
                "SEALING__MASTER_KEY_FILE",
                text(&directory.join("master.key")),
            ),
            ("SEALING__CREATE_MASTER_KEY", "true".to_owned()),
            ("TRANSPARENCY__KEY_DIR", text(&directory.join("keys"))),
            ("TRANSPARENCY__CREATE_KEYS", "false".to_owned()),
            (
                "TRANSPARENCY__POLICY_FILE",
                text(&directory.join("keys/policy")),
            ),
        ];
        Ok(Self {
            name,
            grpc,
            http,
            environment: environment
                .into_iter()
                .map(|(key, value)| (format!("BAOGONG_{key}"), value))
                .chain(
                    extra
                        .iter()
                        .map(|(key, value)| ((*key).to_owned(), value.clone())),
                )
                .collect(),
            log: directory.join(format!("{name}.log")),
            child: None,
        })
    }

    /// # Errors
    /// The program cannot be started.
    pub fn launch(&mut self) -> anyhow::Result<()> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        let child = Command::new(binaries().join(self.name))
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.name))?;
        self.child = Some(child);
        Ok(())
    }

    /// `kill -9`; returns when the process is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself, which `wait` then tells.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM; gives whether it ended cleanly.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn terminate(&mut self) -> anyhow::Result<bool> {
        let Some(mut child) = self.child.take() else {
            return Ok(true);
        };
        let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
        Ok(child.wait()?.success())
    }

    /// # Errors
    /// It ended, or is not ready in time; the error shows its last lines.
    pub fn wait_ready(&mut self) -> anyhow::Result<()> {
        let give_up = Instant::now() + READY_WITHIN;
        loop {
            if http_get(self.http, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
            {
                return Ok(());
            }
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                bail!("{} ended with {status}:\n{}", self.name, self.last_lines());
            }
            ensure!(
                Instant::now() < give_up,
                "{} is not ready within {READY_WITHIN:?}:\n{}",
                self.name,
                self.last_lines()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[must_use]
    pub fn last_lines(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Keys of all logs and witnesses, and the policy by which they cosign each
/// other's checkpoints.
fn create_keys(folder: &Path, services: &[Service]) -> anyhow::Result<()> {
    let output = Command::new(binaries().join("baogong"))
        .args(["keys", "create", "--dir"])
        .arg(folder)
        .args(
            services
                .iter()
                .flat_map(|s| ["--url".to_owned(), format!("{}=http://{}", s.name, s.http)]),
        )
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "no keys are made: {errors}");
    Ok(())
}

/// An address that nobody has, and nobody takes while its service is down.
fn free_address() -> anyhow::Result<SocketAddr> {
    let port = bus::server::free_port()?;
    Ok(SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, port)))
}

/// A plain HTTP GET; gives the whole answer.
///
/// # Errors
/// Nobody answers.
pub fn http_get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The JSON that a program printed.
///
/// # Errors
/// It failed, or printed something else; the error shows what.
pub fn json(output: &Output) -> anyhow::Result<serde_json::Value> {
    serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "{} printed no JSON: {}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}
