//! The Zhichaka day, hour by hour.
//!
//! Each phase makes its calls, many at a time, and then waits until the suite
//! has come to rest; so the state at the beginning of a phase depends on the
//! seed alone, whatever happened to the services in between.

mod delivery;
mod gate;
mod goods;
mod haulage;
mod intake;
mod telling;
mod trunk;

use std::{collections::BTreeMap, time::Instant};

use anyhow::Context;
use decider::{Role, Timestamp};
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use proto::logistics::v1::{GetCheckpointRequest, RegisterCheckpointRequest};
use tonic::{Code, Status};

use super::{
    figures::{Figures, Totals},
    world::{AREA, World},
};
use crate::client::{Suite, by, positions};

/// Who runs the suite in the town.
const OFFICE: &str = "town-office";
/// Calls under way at the same time.
const PARALLEL: usize = 64;
/// Nangqian's clock: UTC+8.
const UTC_OFFSET_S: i64 = 8 * 3600;
const DAY_S: i64 = 24 * 3600;
/// 2 September 2022, 00:00 local time.
const FIRST_DAY: Timestamp = Timestamp(1_662_048_000_000);

/// A day under way.
pub struct Day {
    suite: Suite,
    world: World,
    midnight: Timestamp,
    totals: Totals,
    trunk: trunk::Trunk,
    phases_s: BTreeMap<String, f64>,
    started: Instant,
    bars: bool,
}

impl Day {
    /// Finds out which day it is: a rehearsal of this seed that has begun goes
    /// on, otherwise the next day on the suite's clock begins.
    ///
    /// # Errors
    /// The suite does not answer, or runs on the system clock.
    pub async fn begin(suite: Suite, world: World) -> anyhow::Result<Self> {
        let now = suite.test_clock().await?;
        let midnight = match begun(&suite, &world.checkpoint).await? {
            Some(midnight) => midnight,
            None => next_midnight(now),
        };
        Ok(Self {
            suite,
            world,
            midnight,
            totals: Totals::default(),
            trunk: trunk::Trunk::default(),
            phases_s: BTreeMap::new(),
            started: Instant::now(),
            bars: std::io::IsTerminal::is_terminal(&std::io::stderr()),
        })
    }

    /// # Errors
    /// A call was refused that the day cannot do without.
    pub async fn play(mut self) -> anyhow::Result<Figures> {
        self.totals.households = self.world.households.len() as u64;
        self.phase("06:00 contingency, team, households", 6 * 60, Self::prepare)
            .await?;
        self.phase("07:00 orders", 7 * 60, Self::take_orders)
            .await?;
        self.phase("09:05 group buys close", 9 * 60 + 5, Self::close_group_buys)
            .await?;
        self.phase("09:30 procurement", 9 * 60 + 30, Self::buy)
            .await?;
        self.phase("10:30 pick and load", 10 * 60 + 30, Self::pick_and_load)
            .await?;
        self.phase(
            "10:46 carriers are found",
            10 * 60 + 46,
            Self::find_carriers,
        )
        .await?;
        self.phase("11:45 on the road", trunk::ON_THE_ROAD, Self::drive)
            .await?;
        self.phase(
            "12:00 hand-over at the checkpoint",
            12 * 60,
            Self::hand_over,
        )
        .await?;
        self.phase("12:30 disinfection", 12 * 60 + 30, Self::disinfect)
            .await?;
        self.phase("13:00 to the doors", 13 * 60, Self::deliver)
            .await?;
        self.phase(
            "20:30 last calls and visits",
            20 * 60 + 30,
            Self::finish_telling,
        )
        .await?;
        self.figures().await
    }

    async fn phase(
        &mut self,
        name: &'static str,
        minute: i64,
        run: impl AsyncFnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        self.clock_at(minute).await.context(name)?;
        run(self).await.context(name)?;
        self.suite.settle().await.context(name)?;
        let seconds = started.elapsed().as_secs_f64();
        if !self.bars {
            eprintln!("{name:<36} {seconds:>6.2} s");
        }
        self.phases_s.insert(name.to_owned(), seconds);
        Ok(())
    }

    /// Sets the suite's clocks to a minute of the day; the ladder and the
    /// windows fire on the way.
    async fn clock_at(&self, minute: i64) -> Result<(), Status> {
        self.suite.advance_clocks(self.at(minute)).await
    }

    fn at(&self, minute: i64) -> Timestamp {
        self.midnight.plus_minutes(minute)
    }

    fn area(&self) -> String {
        AREA.to_owned()
    }

    /// A request id that is the same whenever this day is played.
    fn request_id(&self, what: &str, of: &str) -> String {
        format!("{}:{what}:{of}", self.world.community)
    }

    fn bar(&self, what: &'static str, length: usize) -> ProgressBar {
        // What has no name goes on within something that has a bar.
        if !self.bars || what.is_empty() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg:<36} {bar:40} {pos:>6}/{len} {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(length as u64)
            .with_style(style)
            .with_message(what)
    }

    /// Makes a call for each item, many at a time, and gathers the answers in
    /// no particular order.
    async fn each<I, T>(
        &self,
        what: &'static str,
        items: impl IntoIterator<Item = I>,
        call: impl AsyncFn(I) -> Result<T, Status>,
    ) -> anyhow::Result<Vec<T>> {
        let items: Vec<I> = items.into_iter().collect();
        let bar = self.bar(what, items.len());
        let answers = stream::iter(items)
            .map(|item| call(item))
            .buffer_unordered(PARALLEL)
            .inspect(|_| bar.inc(1))
            .try_collect()
            .await
            .map_err(|status| refused(if what.is_empty() { "a call" } else { what }, &status));
        bar.finish();
        answers
    }

    async fn figures(mut self) -> anyhow::Result<Figures> {
        self.count().await?;
        let members = self.members_work().await?;
        let carriers = self.carriers_work().await?;
        let statuses = self.suite.status().await?;
        let events = statuses
            .iter()
            .map(|status| {
                let records = positions(std::slice::from_ref(status)).iter().sum();
                (status.service.clone(), records)
            })
            .collect();
        Ok(Figures {
            scenario: "zhichaka".to_owned(),
            seed: self.world.seed,
            date: date(self.midnight),
            totals: self.totals,
            members,
            carriers,
            events,
            duration_s: self.started.elapsed().as_secs_f64(),
            phases_s: self.phases_s,
            peak_memory_bytes: BTreeMap::new(),
            audit_holds: None,
        })
    }
}

pub(super) fn refused(what: &str, status: &Status) -> anyhow::Error {
    anyhow::anyhow!("{what}: {:?}: {}", status.code(), status.message())
}

/// `yyyy-mm-dd` of a local midnight.
pub(super) fn date(midnight: Timestamp) -> String {
    let local = midnight.plus_seconds(UTC_OFFSET_S);
    let seconds = std::time::Duration::from_secs((local.0 / 1000).unsigned_abs());
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + seconds)
        .to_string()
        .chars()
        .take(10)
        .collect()
}

fn next_midnight(now: Timestamp) -> Timestamp {
    let first = FIRST_DAY;
    if now.0 <= first.plus_minutes(6 * 60).0 {
        return first;
    }
    let days = now.seconds_since(first).div_euclid(DAY_S) + 1;
    first.plus_seconds(days * DAY_S)
}

/// The checkpoint is the first thing that a day registers, and its name holds
/// the date.
fn checkpoint_name(midnight: Timestamp) -> String {
    format!("智茶卡卡口 / Zhichaka gate, {}", date(midnight))
}

async fn begun(suite: &Suite, checkpoint: &str) -> anyhow::Result<Option<Timestamp>> {
    let found = suite
        .call(async |mut suite| {
            let request = GetCheckpointRequest {
                area: AREA.to_owned(),
                min_position: 0,
                checkpoint_id: checkpoint.to_owned(),
            };
            suite.logistics.get_checkpoint(request).await
        })
        .await;
    let name = match found {
        Ok(checkpoint) => checkpoint.name,
        Err(status) if status.code() == Code::NotFound => return Ok(None),
        Err(status) => return Err(refused("looking for a day that has begun", &status)),
    };
    begun_on(&name).map(Some)
}

/// The local midnight of the day whose date ends a checkpoint's name.
pub(super) fn begun_on(name: &str) -> anyhow::Result<Timestamp> {
    let text = name.rsplit(' ').next().unwrap_or_default();
    let midnight = humantime::parse_rfc3339_weak(&format!("{text} 00:00:00"))
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .with_context(|| format!("the checkpoint {name} was not made by a rehearsal"))?;
    Ok(Timestamp(midnight).plus_seconds(-UTC_OFFSET_S))
}

impl Day {
    async fn register_checkpoint(&self) -> Result<(), Status> {
        let request = RegisterCheckpointRequest {
            request_id: self.request_id("checkpoint", "gate"),
            area: self.area(),
            checkpoint_id: self.world.checkpoint.clone(),
            name: checkpoint_name(self.midnight),
            communities: vec![self.world.community.clone()],
        };
        self.suite
            .call(async |mut suite| {
                suite
                    .logistics
                    .register_checkpoint(by(Role::Operator, OFFICE, request.clone()))
                    .await
            })
            .await
            .map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_day_is_the_second_of_september() {
        assert_eq!(date(next_midnight(Timestamp(0))), "2022-09-02");
        assert_eq!(date(next_midnight(FIRST_DAY)), "2022-09-02");
        let evening = FIRST_DAY.plus_minutes(22 * 60);
        assert_eq!(date(next_midnight(evening)), "2022-09-03");
    }
}
