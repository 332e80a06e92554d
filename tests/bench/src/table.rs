//! The table: appends of groups of each size, in turns.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::runtime::Handle;

use crate::Options;
use crate::contender::{Contender, Kind};
use crate::records::Records;

/// One contender over the whole table.
struct Player {
    kind: Kind,
    contender: Box<dyn Contender>,
    /// Every log has its own positions.
    records: Records,
    cell: Cell,
    /// Removed at the end.
    _directory: tempfile::TempDir,
}

/// What a contender did with one group size.
#[derive(Default)]
struct Cell {
    /// Records per second of each round.
    rates: Vec<f64>,
    times: Vec<Duration>,
    records: usize,
    /// Appending, and catching up behind it.
    busy: Duration,
}

pub fn print(options: &Options, runtime: &Handle) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut players = players(options, runtime)?;
    println!(
        "Records of {} bytes. Every group is durable before the next: fdatasync, SQLite WAL with \
         synchronous=FULL, PostgreSQL with fsync and synchronous_commit.\n\
         {} rounds, {} ms for each turn, medians over rounds, ratios of the same round; files in \
         {}.\n",
        players[0].records.bytes(),
        options.rounds,
        options.turn_ms,
        options.directory.display()
    );
    println!(
        "{:>6}  {:<24}{:>10}{:>9}{:>15}{:>11}{:>10}  with all behind it done",
        "group", "what", "records/s", "x file", "x postgres-es", "median ms", "p99 ms"
    );
    for group in &options.groups {
        for player in &mut players {
            player.cell = Cell::default();
            let context = || format!("{} at {group}", player.kind.name());
            // Files are made and grown, caches filled.
            let first = player.records.take(*group);
            player.contender.append(&first).with_context(context)?;
            player.contender.catch_up().with_context(context)?;
        }
        for _ in 0..options.rounds {
            for player in &mut players {
                let turn = Duration::from_millis(options.turn_ms);
                let played = player.turn(*group, turn);
                played.with_context(|| format!("{} at {group}", player.kind.name()))?;
            }
        }
        print_cells(*group, &mut players);
    }
    println!("\nTable: {:.0} s.", started.elapsed().as_secs_f64());
    Ok(())
}

fn players(options: &Options, runtime: &Handle) -> anyhow::Result<Vec<Player>> {
    let mut players = Vec::new();
    let wanted = |kind: &Kind| *kind == Kind::File || options.contenders.contains(kind);
    for kind in Kind::ALL.into_iter().filter(wanted) {
        let directory = tempfile::tempdir_in(&options.directory)?;
        let started = kind
            .start(directory.path(), &options.directory, runtime)
            .with_context(|| format!("starting {}", kind.name()))?;
        match started {
            Ok(contender) => players.push(Player {
                kind,
                contender,
                records: Records::new(options.bytes),
                cell: Cell::default(),
                _directory: directory,
            }),
            Err(why) => println!("{} is left out: {why}", kind.name()),
        }
    }
    Ok(players)
}

impl Player {
    fn turn(&mut self, group: usize, turn: Duration) -> anyhow::Result<()> {
        let mut spent = Duration::ZERO;
        let mut records = 0;
        while spent < turn {
            // Making them is the writer's work, not the log's.
            let next = self.records.take(group);
            let before = Instant::now();
            self.contender.append(&next)?;
            let time = before.elapsed();
            self.cell.times.push(time);
            spent += time;
            records += group;
        }
        let behind = Instant::now();
        self.contender.catch_up()?;
        self.cell.rates.push(records as f64 / spent.as_secs_f64());
        self.cell.records += records;
        self.cell.busy += spent + behind.elapsed();
        Ok(())
    }
}

fn print_cells(group: usize, players: &mut [Player]) {
    let rates = |kind| {
        let player = players.iter().find(|player| player.kind == kind)?;
        Some(player.cell.rates.clone())
    };
    let bases = [rates(Kind::File), rates(Kind::PostgresEs)];
    for player in players {
        let cell = &mut player.cell;
        cell.times.sort_unstable();
        let millis = |part: f64| {
            let at = (cell.times.len() as f64 * part) as usize;
            cell.times[at.min(cell.times.len() - 1)].as_secs_f64() * 1e3
        };
        let [of_file, of_postgres] = bases.each_ref().map(|base| {
            base.as_ref().map_or("-".to_owned(), |base| {
                let ratios = cell.rates.iter().zip(base).map(|(ours, base)| ours / base);
                format!("{:.2}", median(ratios.collect()))
            })
        });
        let behind = matches!(player.kind, Kind::Log | Kind::Service)
            .then(|| format!("{:.0}/s", cell.records as f64 / cell.busy.as_secs_f64()));
        println!(
            "{group:>6}  {:<24}{:>10.0}{of_file:>9}{of_postgres:>15}{:>11.3}{:>10.3}  {}",
            player.kind.name(),
            median(cell.rates.clone()),
            millis(0.5),
            millis(0.99),
            behind.unwrap_or_default(),
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
