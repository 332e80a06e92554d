//! Durable appends compared, side by side in one run: our event log, alone and
//! with everything that a service has behind it, a plain file, SQLite,
//! `postgres-es` and UmaDB; and below the table what else the log is measured
//! by. One process appends; a group stands for so many commands in flight, and
//! is durable before the next begins.
//!
//! A disk's sync takes 0.1 ms in one second and 4 ms in the next. So the
//! contenders take turns in short rounds, and a ratio is one of the same round.

mod contender;
mod large;
mod lines;
mod postgres;
mod records;
mod table;

use std::path::PathBuf;

use clap::Parser;
use contender::Kind;
use large::Opening;

/// Compares durable appends: a table with medians and p99, and lines below it.
#[derive(Debug, Parser)]
pub struct Options {
    /// Records made durable together.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256, 1024])]
    groups: Vec<usize>,
    /// Who takes part; the plain file always does.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::ALL)]
    contenders: Vec<Kind>,
    /// Rounds for each group size: in each, every contender has its turn.
    #[arg(long, default_value_t = 11)]
    rounds: usize,
    /// Milliseconds of one turn, counted while groups are appended.
    #[arg(long, default_value_t = 250)]
    turn_ms: u64,
    /// Bytes of a record, some 250 at least.
    #[arg(long, default_value_t = 300)]
    bytes: usize,
    /// Where the files go, on the disk to be measured; temporary directories
    /// are made in it and removed.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    directory: PathBuf,
    /// Leave out the table, or the lines below it.
    #[arg(long)]
    no_table: bool,
    #[arg(long)]
    no_lines: bool,
    /// Besides, make and open a log of so many records; ten million of 300
    /// bytes take some 4 GB of disk.
    #[arg(long, default_value_t = 0)]
    large: u64,
    #[arg(long, hide = true, requires = "opening")]
    open: Option<PathBuf>,
    #[arg(long, hide = true)]
    opening: Option<Opening>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if let (Some(path), Some(opening)) = (&options.open, options.opening) {
        return large::open(path, opening);
    }
    let runtime = tokio::runtime::Runtime::new()?;
    if !options.no_table {
        table::print(&options, runtime.handle())?;
    }
    if !options.no_lines {
        lines::print(&options, runtime.handle())?;
    }
    if options.large > 0 {
        large::print(&options)?;
    }
    Ok(())
}
