//! Many partner firms at once: each watches its tenders and reports over one
//! long call, while a dispatcher keeps all of them in loads. With `--cut` every
//! connection is cut at random all the time. At the end each firm's view is
//! compared with the suite's, record by record.
//!
//!     make load                      200 firms, 2,000 reports/s, 60 s after 60 s to warm up
//!     make load ARGS="--cut 2s"      the same over connections that live 2 s
//!     make load ARGS="--slow 100"    beside 100 callers who read nothing of 20 streams each

mod cutter;
mod dispatcher;
mod figures;
mod firm;
mod slow;
mod suite;
mod verdict;

use std::{fmt, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    cutter::Cutter, dispatcher::Dispatcher, figures::Figures, firm::Firm, slow::SlowReaders,
    suite::Suite,
};

/// What is asked of the suite.
const P99_MAX: Duration = Duration::from_millis(100);
/// Of the resident memory at the end to that in the middle, in percent.
const GROWTH_MAX_PERCENT: u64 = 10;
/// Shorter runs say nothing of it.
const MEMORY_JUDGED_FROM: Duration = Duration::from_secs(30);
/// How long the last answers may take.
const DRAIN: Duration = Duration::from_secs(60);

pub struct Options {
    pub firms: usize,
    /// Of all firms together.
    pub reports_per_second: u64,
    /// Before it is measured: caches fill up meanwhile.
    pub warm_up: Duration,
    pub time: Duration,
    /// Positions that are reported of one load, besides its milestones.
    pub positions: u64,
    /// Mean life of a connection.
    pub cut: Option<Duration>,
    /// Callers beside the firms who read nothing.
    pub slow: usize,
    pub baogong: PathBuf,
    pub seed: u64,
}

impl Options {
    fn parse() -> anyhow::Result<Self> {
        let mut options = Self {
            firms: 200,
            reports_per_second: 2_000,
            warm_up: Duration::from_secs(60),
            time: Duration::from_secs(60),
            positions: 95,
            cut: None,
            slow: 0,
            baogong: PathBuf::from("target/release/baogong"),
            seed: 1,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .with_context(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--firms" => options.firms = value.parse()?,
                "--rate" => options.reports_per_second = value.parse()?,
                "--warm-up" => options.warm_up = seconds(&value)?,
                "--time" => options.time = seconds(&value)?,
                "--positions" => options.positions = value.parse()?,
                "--cut" => options.cut = Some(seconds(&value)?),
                "--slow" => options.slow = value.parse()?,
                "--baogong" => options.baogong = value.into(),
                "--seed" => options.seed = value.parse()?,
                _ => anyhow::bail!(
                    "{name} is not known: --firms N, --rate REPORTS/S, --warm-up 60s, --time 60s, \
                     --positions N, --cut 2s, --slow N, --baogong FILE and --seed N are"
                ),
            }
        }
        Ok(options)
    }

    /// Between two reports of one firm.
    fn interval(&self) -> Duration {
        let firms = u32::try_from(self.firms).unwrap_or(u32::MAX);
        let rate = u32::try_from(self.reports_per_second).unwrap_or(u32::MAX);
        Duration::from_secs(1) * firms / rate.max(1)
    }
}

fn seconds(text: &str) -> anyhow::Result<Duration> {
    let number = text.strip_suffix('s').unwrap_or(text);
    Ok(Duration::from_secs_f64(number.parse()?))
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("partner_load: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> anyhow::Result<bool> {
    let options = Options::parse()?;
    let suite = Suite::start(&options.baogong).await?;
    let dispatcher = Dispatcher::connect(&suite)?;
    eprintln!("bringing in {} firms", options.firms);
    let cutter = match options.cut {
        None => None,
        Some(mean) => Some(Cutter::start(suite.logistics, mean, options.seed).await?),
    };
    let address = cutter.as_ref().map_or(suite.logistics, Cutter::address);
    let figures = Arc::new(Figures::default());
    let stop = CancellationToken::new();
    let mut firms = JoinSet::new();
    for n in 0..options.firms {
        let token = suite.token(&["--role", "carrier", "--carrier", &firm::id(n)])?;
        dispatcher.bring_in(&firm::id(n)).await?;
        let firm = Firm::new(n, address, &token, &options, Arc::clone(&figures))?;
        firms.spawn(firm.run(stop.clone()));
    }
    let ids: Vec<String> = (0..options.firms).map(firm::id).collect();
    let work = tokio::spawn(dispatcher.clone().keep_in_loads(ids.clone(), stop.clone()));
    eprintln!(
        "{} reports/s for {:?}, after {:?} to warm up{}",
        options.reports_per_second,
        options.time,
        options.warm_up,
        options.cut.map_or(String::new(), |mean| format!(
            ", connections live {mean:?} on average"
        ))
    );
    // What is measured begins when all firms drive.
    figures.all_drive(options.firms).await;
    let slow = SlowReaders::start(&suite, options.slow)?;
    let mut memory = Memory::default();
    memory.follow(&suite, options.warm_up).await?;
    figures.begin();
    let begun = Instant::now();
    let half = options.time / 2;
    memory.follow(&suite, half).await?;
    let memory_half = suite.memory()?;
    memory.follow(&suite, options.time - half).await?;
    let memory_end = suite.memory()?;
    let taken = figures.end(begun.elapsed());
    stop.cancel();
    let mut views = Vec::new();
    let drained = tokio::time::timeout(DRAIN, async {
        while let Some(view) = firms.join_next().await {
            views.push(view??);
        }
        anyhow::Ok(())
    });
    drained.await.context("the last answers do not come")??;
    work.await??;
    println!("{taken}");
    println!(
        "memory of the suite    {} MB halfway, {} MB at the end",
        memory_half / 1_000_000,
        memory_end / 1_000_000
    );
    println!("  every 10 s           {memory} MB");
    if options.slow > 0 {
        println!("slow readers cut off   {}", slow.cut_off());
    }
    if let Some(cutter) = &cutter {
        println!("connections cut        {}", cutter.cuts());
    }
    let faults = verdict::compare(&suite, &views).await?;
    for fault in faults.iter().take(20) {
        println!("FAULT  {fault}");
    }
    let grown = memory_end.saturating_sub(memory_half) * 100 / memory_half.max(1);
    // In a short time memory has not come to rest.
    let flat = grown <= GROWTH_MAX_PERCENT || options.time < MEMORY_JUDGED_FROM;
    // A connection that was cut makes its reports wait.
    let quick = options.cut.is_some() || taken.p99 < P99_MAX;
    let enough =
        options.cut.is_some() || taken.per_second() >= 0.99 * options.reports_per_second as f64;
    println!(
        "{}: no gap and no loss {}, p99 {}, rate {}, memory {}",
        if faults.is_empty() && flat && quick && enough {
            "HOLDS"
        } else {
            "DOES NOT HOLD"
        },
        good(faults.is_empty()),
        good(quick),
        good(enough),
        good(flat),
    );
    suite.stop().await;
    Ok(faults.is_empty() && flat && quick && enough)
}

/// The suite's memory as time goes on.
#[derive(Default)]
struct Memory(Vec<u64>);

impl Memory {
    const EVERY: Duration = Duration::from_secs(10);

    async fn follow(&mut self, suite: &Suite, time: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.0.push(suite.memory()? / 1_000_000);
            tokio::time::sleep_until(end.min(Instant::now() + Self::EVERY)).await;
        }
        Ok(())
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&all.join(" "))
    }
}

fn good(holds: bool) -> &'static str {
    if holds { "ok" } else { "NO" }
}
