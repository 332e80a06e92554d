//! `baogong up` as a process of its own, on free ports in a temporary folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use crate::binaries;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A process that ends with its owner.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.0.id().cast_signed());
        // A suite stops its NATS server when it is told to.
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// A suite in one process, that asks for tokens.
pub struct Laptop {
    // Stopped before its folder is removed.
    _suite: Running,
    directory: tempfile::TempDir,
}

impl Laptop {
    /// On the clock `system` or `test`; returns when the suite takes calls.
    ///
    /// # Panics
    /// It does not come up.
    #[must_use]
    pub fn up(clock: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let log = fs::File::create(directory.path().join("up.log")).expect("a file");
        let child = baogong(&["up", "--any-port", "--clock", clock, "--data"])
            .arg(directory.path().join("data"))
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("it starts");
        let laptop = Self {
            _suite: Running(child),
            directory,
        };
        wait_for("suite.json", || laptop.suite_file().exists());
        laptop
    }

    #[must_use]
    pub fn suite_file(&self) -> PathBuf {
        self.path("data/suite.json")
    }

    /// A path in its folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs `baogong` against it.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = baogong(arguments);
        command.arg("--suite").arg(self.suite_file());
        command.output().expect("it runs")
    }
}

/// `baogong` with arguments.
#[must_use]
pub fn baogong(arguments: &[&str]) -> Command {
    let mut command = Command::new(binaries().join("baogong"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// # Panics
/// It does not come in time.
pub fn wait_for(what: &str, there: impl Fn() -> bool) {
    let give_up = Instant::now() + READY_WITHIN;
    while !there() {
        assert!(Instant::now() < give_up, "{what} does not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The last lines of what a program said.
#[must_use]
pub fn last_words(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(80)..].join("\n")
}

/// The repository's folder.
///
/// # Panics
/// Never.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the repository")
        .to_owned()
}
