//! A private PostgreSQL cluster in a temporary directory, reached over a Unix
//! socket, with its defaults (`fsync` and `synchronous_commit` on).

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

pub struct Cluster {
    binaries: PathBuf,
    user: Option<(u32, u32)>,
    directory: TempDir,
}

impl Cluster {
    /// Starts one in a directory in `base`. `Err` in the value: PostgreSQL is
    /// not there.
    pub fn start(base: &Path) -> anyhow::Result<Result<Self, String>> {
        let Some(binaries) = binaries() else {
            return Ok(Err("PostgreSQL is not installed".to_owned()));
        };
        let directory = tempfile::Builder::new().prefix("pg").tempdir_in(base)?;
        // It refuses to run as root.
        let root = fs::metadata(directory.path())?.uid() == 0;
        let user = if root {
            let Some(user) = postgres_user() else {
                return Ok(Err(
                    "PostgreSQL does not run as root, and there is no user \
                               `postgres`"
                        .to_owned(),
                ));
            };
            chown(directory.path(), Some(user.0), Some(user.1))?;
            Some(user)
        } else {
            None
        };
        let cluster = Self {
            binaries,
            user,
            directory,
        };
        cluster.run("initdb", &["--username=bench", "--auth=trust", "--no-sync"])?;
        let socket = cluster.directory.path().display();
        let settings = format!("-c listen_addresses='' -k '{socket}'");
        let log = cluster.directory.path().join("log");
        let log = log.to_str().context("the path is not UTF-8")?;
        cluster.run("pg_ctl", &["start", "-w", "-l", log, "-o", &settings])?;
        Ok(Ok(cluster))
    }

    pub fn connection(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.directory.path())
            .username("bench")
            .database("postgres")
    }

    fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        // A file: the server that `pg_ctl` leaves behind must not hold a pipe.
        let errors = self.directory.path().join("errors");
        let mut command = Command::new(self.binaries.join(program));
        command
            .arg("-D")
            .arg(self.directory.path().join("data"))
            .args(arguments)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&errors)?);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        let status = command.status();
        let status = status.with_context(|| format!("starting {program}"))?;
        let errors = fs::read_to_string(&errors)?;
        ensure!(status.success(), "`{program}` failed: {}", errors.trim());
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.run("pg_ctl", &["stop", "-w", "-m", "immediate"]) {
            eprintln!("PostgreSQL was not stopped: {error:#}");
        }
    }
}

/// The directory of `initdb`: in PATH, or the newest of Debian's.
fn binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut debian: Vec<(u32, PathBuf)> = versions
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    debian.sort();
    let debian = debian.into_iter().rev().map(|(_, path)| path);
    std::env::split_paths(&path)
        .chain(debian)
        .find(|path| path.join("initdb").is_file() && path.join("pg_ctl").is_file())
}

fn postgres_user() -> Option<(u32, u32)> {
    let id = |what| {
        let output = Command::new("id").args([what, "postgres"]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    Some((id("-u")?, id("-g")?))
}
