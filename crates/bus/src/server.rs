//! A `nats-server` of our own, as a child process on the loopback interface:
//! for `baogong up` on a laptop and for every test. Calls block for the
//! moments that starting and stopping take.
//!
//! The child ends with us: [`NatsServer`] kills it when dropped, and where
//! util-linux' `setpriv` is installed the kernel stops it when this process
//! dies without a chance to do so (`kill -9`). It is in a process group of its
//! own, so that Ctrl-C in a terminal reaches us and not it.

mod cluster;
mod ports;

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

pub use cluster::Cluster;
pub use ports::free_port;

/// Restoring a large store takes its time.
const START_MAX: Duration = Duration::from_secs(60);
const STOP_MAX: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(5);
/// A free port may be taken by somebody else before the server binds it.
const PORT_ATTEMPTS: usize = 5;

#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// `None`: a free one.
    pub port: Option<u16>,
    /// Created if missing; JetStream's files are in `jetstream` below it.
    pub store_dir: PathBuf,
    /// Default: `nats-server.log` in `store_dir`. Appended to.
    pub log_file: Option<PathBuf>,
    /// Default: `nats-server` from `PATH`, `/usr/sbin` or `/usr/local/sbin`.
    pub binary: Option<PathBuf>,
    /// `None`: a server on its own.
    pub cluster: Option<ClusterOptions>,
}

/// Membership in a cluster on the loopback interface. JetStream answers when
/// a majority of the members is up, so start them all before asking.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    pub cluster_name: String,
    /// Different for each member.
    pub server_name: String,
    /// Port for the other members.
    pub port: u16,
    /// Ports of all members.
    pub members: Vec<u16>,
}

#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("nats-server is not installed; install it with `apt-get install nats-server`")]
    NotInstalled,
    #[error("{doing}")]
    Io {
        doing: String,
        #[source]
        source: std::io::Error,
    },
    #[error("nats-server did not start on port {port}: {reason}; see {}", log.display())]
    NotStarted {
        port: u16,
        reason: String,
        log: PathBuf,
    },
}

/// A running (or stopped) child process.
#[derive(Debug)]
pub struct NatsServer {
    binary: PathBuf,
    options: ServerOptions,
    name: String,
    port: u16,
    running: Option<Running>,
}

impl NatsServer {
    /// Starts the server and waits until it serves clients.
    ///
    /// # Errors
    /// It is not installed, or does not come up.
    pub fn start(options: ServerOptions) -> Result<Self, ServerError> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = match &options.cluster {
            Some(cluster) => cluster.server_name.clone(),
            None => format!("baogong-{}-{number}", std::process::id()),
        };
        let mut server = Self {
            binary: find_binary(options.binary.as_deref())?,
            port: 0,
            options,
            name,
            running: None,
        };
        let attempts = if server.options.port.is_some() {
            1
        } else {
            PORT_ATTEMPTS
        };
        let mut attempt = 1;
        loop {
            server.port = match server.options.port {
                Some(port) => port,
                None => free_ports(1)?[0],
            };
            match server.launch() {
                Err(ServerError::NotStarted { .. }) if attempt < attempts => attempt += 1,
                outcome => return outcome.map(|()| server),
            }
        }
    }

    /// For clients, for example `nats://127.0.0.1:4222`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Process id, `None` while it is not running.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running
            .as_ref()
            .filter(|running| !running.has_ended())
            .map(|running| running.pid)
    }

    #[must_use]
    pub fn is_running(&self) -> bool {
        self.pid().is_some()
    }

    /// SIGKILL: no chance to tidy up. Returns when the process is gone.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }

    /// SIGSTOP: it is there and says nothing, as a machine that is cut off.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// SIGCONT: ends a [`Self::pause`].
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(running) = &self.running {
            let mut child = lock(&running.child);
            if matches!(child.try_wait(), Ok(None)) {
                let _ = kill(pid_of(&child), signal);
            }
        }
    }

    /// Its name in the cluster.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SIGTERM, and SIGKILL if that has no effect within 15 s. Returns when
    /// the process is gone.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.terminate();
        }
    }

    /// Starts it again, on the same port and store; stops it first if it runs.
    ///
    /// # Errors
    /// It does not come up, for example because the port is taken meanwhile.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.stop();
        self.launch()
    }

    fn log_file(&self) -> PathBuf {
        match &self.options.log_file {
            Some(path) => path.clone(),
            None => self.options.store_dir.join("nats-server.log"),
        }
    }

    fn launch(&mut self) -> Result<(), ServerError> {
        let store = &self.options.store_dir;
        std::fs::create_dir_all(store)
            .map_err(|e| io(format!("creating {}", store.display()), e))?;
        let log = self.log_file();
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(|e| io(format!("opening {}", log.display()), e))?;
        let errors = output
            .try_clone()
            .map_err(|e| io(format!("opening {}", log.display()), e))?;
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let running = Running::spawn(command)
            .map_err(|e| io(format!("starting {}", self.binary.display()), e))?;
        match self.wait_ready(&running) {
            Ok(()) => {
                self.running = Some(running);
                Ok(())
            }
            Err(reason) => {
                running.kill();
                Err(ServerError::NotStarted {
                    port: self.port,
                    reason,
                    log,
                })
            }
        }
    }

    fn command(&self) -> Command {
        let mut command = match find_in_path("setpriv") {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command
                    .args(["--pdeathsig", "TERM", "--"])
                    .arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        command
            .args(["-js", "-a", "127.0.0.1", "-n", &self.name, "-p"])
            .arg(self.port.to_string())
            .arg("-sd")
            .arg(&self.options.store_dir)
            .process_group(0);
        if let Some(cluster) = &self.options.cluster {
            let route = |port: &u16| format!("nats://127.0.0.1:{port}");
            let routes: Vec<_> = cluster.members.iter().map(route).collect();
            command
                .args(["--cluster_name", &cluster.cluster_name, "--cluster"])
                .arg(route(&cluster.port))
                .arg("--routes")
                .arg(routes.join(","));
        }
        command
    }

    /// Ready is when *our* server greets a client, not whoever has the port.
    fn wait_ready(&self, running: &Running) -> Result<(), String> {
        let deadline = Instant::now() + START_MAX;
        while Instant::now() < deadline {
            if running.has_ended() {
                return Err(last_words(&self.log_file()));
            }
            if greeting(self.port).is_some_and(|name| name == self.name) {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        Err(format!("no answer within {} s", START_MAX.as_secs()))
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A child and the thread that started it and waits for its end. The kernel
/// ties a child's "parent is dead" signal to the parent *thread*, so that
/// thread must live as long as the child.
#[derive(Debug)]
struct Running {
    pid: u32,
    child: Arc<Mutex<Child>>,
    waiter: JoinHandle<()>,
}

impl Running {
    fn spawn(mut command: Command) -> std::io::Result<Self> {
        let (started, result) = mpsc::channel();
        let waiter = std::thread::Builder::new()
            .name("nats-server".into())
            .spawn(move || {
                let child = match command.spawn() {
                    Ok(child) => child,
                    Err(e) => {
                        let _ = started.send(Err(e));
                        return;
                    }
                };
                let pid = pid_of(&child);
                let child = Arc::new(Mutex::new(child));
                let _ = started.send(Ok(Arc::clone(&child)));
                // Without reaping, so that whoever holds the lock may send
                // signals without hitting a stranger with the same pid.
                let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
                let _ = lock(&child).wait();
            })?;
        let child = result
            .recv()
            .map_err(|_| std::io::Error::other("the waiting thread ended"))??;
        let pid = lock(&child).id();
        Ok(Self { pid, child, waiter })
    }

    fn has_ended(&self) -> bool {
        self.waiter.is_finished()
    }

    fn kill(self) {
        let _ = lock(&self.child).kill();
        let _ = self.waiter.join();
    }

    fn terminate(self) {
        {
            let mut child = lock(&self.child);
            if matches!(child.try_wait(), Ok(None)) {
                let _ = kill(pid_of(&child), Signal::SIGTERM);
            }
        }
        let deadline = Instant::now() + STOP_MAX;
        while !self.has_ended() && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
        self.kill();
    }
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("Linux pids fit in 22 bits"))
}

fn io(doing: String, source: std::io::Error) -> ServerError {
    ServerError::Io { doing, source }
}

fn find_binary(given: Option<&Path>) -> Result<PathBuf, ServerError> {
    match given {
        Some(path) if path.is_file() => Ok(path.to_owned()),
        Some(_) => Err(ServerError::NotInstalled),
        None => find_in_path("nats-server").ok_or(ServerError::NotInstalled),
    }
}

/// In `PATH` and where Debian puts daemons, which is not in everybody's path.
fn find_in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|candidate| candidate.is_file())
}

fn free_ports(count: usize) -> Result<Vec<u16>, ServerError> {
    (0..count)
        .map(|_| free_port())
        .collect::<Result<_, _>>()
        .map_err(|e| io("looking for a free port".into(), e))
}

/// Name of the server that greets on `port`.
fn greeting(port: u16) -> Option<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    let info: serde_json::Value = serde_json::from_str(line.strip_prefix("INFO ")?).ok()?;
    Some(info.get("server_name")?.as_str()?.to_owned())
}

/// The log's last line about something fatal, or simply its last.
fn last_words(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines = || text.lines().rev().filter(|line| !line.trim().is_empty());
    lines()
        .take(20)
        .find(|line| line.contains("[FTL]"))
        .or_else(|| lines().next())
        .unwrap_or("it ended without a word")
        .to_owned()
}
