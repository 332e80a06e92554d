//! Rehearsals: whole days played through the public gRPC APIs against a suite
//! on test clocks.
//!
//! Every request id is made from the day's seed, so a rehearsal that was
//! interrupted goes on where it was, and one that was finished changes nothing
//! when it is played again.

pub mod chengxi;
pub mod day;
pub mod figures;
mod hauliers;
pub mod world;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use service_kit::peers::client::TlsArgs;

use crate::{client::Suite, suite::SuiteFile};
use figures::Figures;

/// The seed of the community of the sources.
pub const SEED: u64 = 2022;
/// Households of the Zhichaka community.
pub const HOUSEHOLDS: usize = 1127;
/// Growers of the Yunhe community.
pub const GROWERS: usize = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Name {
    /// A community of 1,127 households and a supply team of 12, 2 September
    /// 2022.
    Zhichaka,
    /// The surplus of Yunhe's growers, matched to five firms that buy in bulk.
    Chengxi,
}

#[derive(Debug, Clone, Args)]
pub struct Size {
    /// Households of the community.
    #[arg(long, default_value_t = HOUSEHOLDS, value_parser = households)]
    pub households: usize,
    /// Growers of Yunhe, on the Chengxi day.
    #[arg(long, default_value_t = GROWERS, value_parser = growers)]
    pub growers: usize,
    /// Seed of the community: the same seed makes the same day.
    #[arg(long, default_value_t = SEED)]
    pub seed: u64,
}

fn households(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 12..=100_000) => Ok(n),
        _ => Err("12 to 100000 households are possible".to_owned()),
    }
}

fn growers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 6..=10_000) => Ok(n),
        _ => Err("6 to 10000 growers are possible".to_owned()),
    }
}

#[derive(Debug, Subcommand)]
pub enum ScenarioCommand {
    /// Play a day against a suite that runs, in one process or as four.
    Run {
        name: Name,
        #[command(flatten)]
        size: Size,
        /// Where the suite is; written by `baogong up`.
        #[arg(long, value_name = "FILE", default_value = "data/suite.json")]
        suite: PathBuf,
        /// How long a call is tried again while a service is away, in seconds.
        #[arg(long, default_value_t = 120)]
        patience_s: u64,
        /// Write the figures of the day to a file.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// The people of the day get tokens of their own, made with the key of
        /// the suite's issuer, so none is given here.
        #[command(flatten)]
        tls: TlsArgs,
    },
}

/// Whether the day came to what it is to come to.
///
/// # Errors
/// The suite cannot be reached, or the day cannot be played to its end.
pub async fn run(command: ScenarioCommand) -> anyhow::Result<bool> {
    let ScenarioCommand::Run {
        name,
        size,
        suite,
        patience_s,
        json,
        tls,
    } = command;
    let file = SuiteFile::read(&suite)?;
    let patience = Duration::from_secs(patience_s);
    match name {
        Name::Zhichaka => {
            let figures = play_over(&file, &size, patience, &tls).await?;
            println!("\n{figures}");
            if let Some(path) = json {
                figures.write(&path)?;
            }
            Ok(figures.is_full_coverage())
        }
        Name::Chengxi => {
            let summary = play_chengxi(&file, &size, patience, &tls).await?;
            println!("\n{summary}");
            if let Some(path) = json {
                summary.write(&path)?;
            }
            Ok(summary.holds())
        }
    }
}

/// Plays the Yunhe part of the Chengxi day.
///
/// # Errors
/// As [`run`].
pub async fn play_chengxi(
    file: &SuiteFile,
    size: &Size,
    patience: Duration,
    tls: &TlsArgs,
) -> anyhow::Result<chengxi::Summary> {
    let suite = Suite::connect(file, patience, tls)?;
    let village = chengxi::village::Village::new(size.seed, size.growers);
    chengxi::Yunhe::begin(suite, village).await?.play().await
}

/// Plays the Zhichaka day.
///
/// # Errors
/// As [`run`].
pub async fn play(file: &SuiteFile, size: &Size, patience: Duration) -> anyhow::Result<Figures> {
    play_over(file, size, patience, &TlsArgs::default()).await
}

/// As [`play`], over TLS where that is said.
///
/// # Errors
/// As [`run`].
pub async fn play_over(
    file: &SuiteFile,
    size: &Size,
    patience: Duration,
    tls: &TlsArgs,
) -> anyhow::Result<Figures> {
    let suite = Suite::connect(file, patience, tls)?;
    let world = world::World::new(size.seed, size.households);
    day::Day::begin(suite, world).await?.play().await
}

/// An order of the suite, for an example that works.
pub async fn any_order(file: &SuiteFile) -> Option<String> {
    let suite = Suite::connect(file, Duration::from_secs(2), &TlsArgs::default()).ok()?;
    let request = proto::order::v1::ListOrdersRequest {
        area: world::AREA.to_owned(),
        page_size: 1,
        ..Default::default()
    };
    let page = suite
        .call(async |mut suite| suite.order.list_orders(request.clone()).await)
        .await
        .ok()?;
    page.orders.into_iter().next().map(|order| order.order_id)
}
