//! What is compared, each in a module of its own.

mod embedded;
mod ours;
mod postgres_es;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use tokio::runtime::Handle;

pub use ours::{Service, is_not_installed};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// `write` and `fdatasync` of a growing file: the measure.
    File,
    /// Our event log.
    Log,
    /// Our event log, its notary and its relay to a nats-server, as a service
    /// runs them.
    Service,
    /// SQLite, WAL, synchronous=FULL.
    Sqlite,
    /// Appends through the repository of postgres-es.
    PostgresEs,
    /// UmaDB's engine in this process.
    Umadb,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::File,
        Self::Log,
        Self::Service,
        Self::Sqlite,
        Self::PostgresEs,
        Self::Umadb,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::File => "plain file",
            Self::Log => "event log",
            Self::Service => "event log, tree, relay",
            Self::Sqlite => "SQLite",
            Self::PostgresEs => "postgres-es",
            Self::Umadb => "UmaDB",
        }
    }

    /// Ready to append to new files in `directory`, which lies in `base`.
    /// `Err` in the value: why it is left out.
    pub fn start(
        self,
        directory: &Path,
        base: &Path,
        runtime: &Handle,
    ) -> anyhow::Result<Result<Box<dyn Contender>, String>> {
        Ok(Ok(match self {
            Self::File => Box::new(embedded::PlainFile::new(directory)?),
            Self::Sqlite => Box::new(embedded::Sqlite::new(directory)?),
            Self::Umadb => Box::new(embedded::Uma::new(directory)?),
            Self::Log => Box::new(ours::Log::new(directory)?),
            Self::Service => match Service::start(directory, runtime) {
                Ok(service) => Box::new(service),
                Err(error) if is_not_installed(&error) => return Ok(Err(error.to_string())),
                Err(error) => return Err(error),
            },
            Self::PostgresEs => match postgres_es::PostgresEs::start(base, runtime)? {
                Ok(postgres) => Box::new(postgres),
                Err(why) => return Ok(Err(why)),
            },
        }))
    }
}

pub trait Contender {
    /// Returns once the records are durable.
    ///
    /// # Errors
    /// They are not.
    fn append(&mut self, records: &[Bytes]) -> anyhow::Result<()>;

    /// Waits for what goes on behind the appends, so that it does not take its
    /// time from the next contender.
    ///
    /// # Errors
    /// It failed.
    fn catch_up(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Longer than anything behind an append takes.
const CATCH_UP_MAX: Duration = Duration::from_secs(120);
