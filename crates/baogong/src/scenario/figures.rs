//! What a played day comes to: the summary that is printed and written.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Figures that depend on the seed alone: an undisturbed run and one whose
/// services were killed must agree in all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub households: u64,
    pub orders: u64,
    pub group_buys: u64,
    pub group_buy_orders: u64,
    pub phone_orders: u64,
    pub lines: u64,
    pub grams: i64,
    pub bags: u64,
    /// Damaged or short, and replaced.
    pub damaged_bags: u64,
    /// From the store to the gate.
    pub trunk: TrunkTotals,
    pub deliveries: u64,
    pub failed_attempts: u64,
    pub collected: u64,
    pub messages: u64,
    pub calls: u64,
    pub visits: u64,
    /// Steps up the ladder: from message to call, from call to visit.
    pub ladder_climbs: u64,
    pub in_need_households: i64,
    pub served_households: i64,
    /// Served ÷ in need, in 1/100 per cent.
    pub coverage_basis_points: i32,
}

/// The trunk leg, over all firms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkTotals {
    /// Handed over at the gate.
    pub loads: u64,
    pub grams: i64,
    pub orders: u64,
    pub firms: u64,
    pub tenders: u64,
    pub accepted: u64,
    pub declined: u64,
    pub expired: u64,
    pub on_time: u64,
    pub late: u64,
    pub incidents: u64,
    /// Bags that the keeper found damaged, and those that were not there.
    pub damaged_bags: u64,
    pub short_bags: u64,
}

/// What one firm did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierWork {
    pub carrier: String,
    pub loads: u64,
    pub grams: i64,
    pub tenders: i32,
    pub accepted: i32,
    pub declined: i32,
    pub expired: i32,
    pub on_time: i32,
    pub late: i32,
    pub incidents: i32,
}

/// What one member did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberWork {
    pub member: String,
    pub runs: i32,
    pub doors: i32,
    pub grams: i64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Figures {
    pub scenario: String,
    pub seed: u64,
    /// The day that was played, local date.
    pub date: String,
    pub totals: Totals,
    pub members: Vec<MemberWork>,
    #[serde(default)]
    pub carriers: Vec<CarrierWork>,
    /// Records in each service's log.
    pub events: BTreeMap<String, u64>,
    /// Wall-clock seconds, whole and by phase.
    pub duration_s: f64,
    pub phases_s: BTreeMap<String, f64>,
    /// Peak resident memory in bytes, by process, where it is known.
    pub peak_memory_bytes: BTreeMap<String, u64>,
    /// Whether all invariants hold and all logs equal their streams; none
    /// where it was not checked.
    pub audit_holds: Option<bool>,
}

impl Figures {
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    #[must_use]
    pub fn is_full_coverage(&self) -> bool {
        self.totals.coverage_basis_points == 10_000
            && self.totals.in_need_households > 0
            && self.totals.served_households == self.totals.in_need_households
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = &self.totals;
        writeln!(f, "The Zhichaka day, {} (seed {})", self.date, self.seed)?;
        writeln!(f)?;
        let mut row = |name: &str, text: String| writeln!(f, "  {name:<22} {text}");
        row("households", grouped(t.households))?;
        row(
            "orders",
            format!(
                "{} ({} in {} group buys, {} by telephone)",
                grouped(t.orders),
                grouped(t.group_buy_orders),
                t.group_buys,
                grouped(t.phone_orders)
            ),
        )?;
        row("lines", grouped(t.lines))?;
        row(
            "weight",
            format!("{} kg", grouped(t.grams.unsigned_abs() / 1000)),
        )?;
        row(
            "bags",
            format!(
                "{}, {} damaged or short and replaced",
                grouped(t.bags),
                t.damaged_bags
            ),
        )?;
        let trunk = &t.trunk;
        row(
            "trunk leg",
            format!(
                "{} loads, {} kg, by {} firms; {} of {} tenders accepted, {} declined, {} expired",
                trunk.loads,
                grouped(trunk.grams.unsigned_abs() / 1000),
                trunk.firms,
                trunk.accepted,
                trunk.tenders,
                trunk.declined,
                trunk.expired
            ),
        )?;
        row(
            "at the gate",
            format!(
                "{} loads on time, {} late, {} incidents; {} bags damaged, {} short",
                trunk.on_time, trunk.late, trunk.incidents, trunk.damaged_bags, trunk.short_bags
            ),
        )?;
        row(
            "deliveries",
            format!(
                "{} left at the door, {} attempts failed and made again",
                grouped(t.deliveries),
                t.failed_attempts
            ),
        )?;
        row("taken in", format!("{} households", grouped(t.collected)))?;
        row(
            "told",
            format!(
                "{} messages, {} telephone calls, {} visits ({} ladder climbs)",
                grouped(t.messages),
                t.calls,
                t.visits,
                t.ladder_climbs
            ),
        )?;
        row(
            "coverage",
            format!(
                "{}/{} = {}.{:02} %",
                grouped(t.served_households.unsigned_abs()),
                grouped(t.in_need_households.unsigned_abs()),
                t.coverage_basis_points / 100,
                t.coverage_basis_points % 100
            ),
        )?;
        let events: u64 = self.events.values().sum();
        let by_service: Vec<String> = self
            .events
            .iter()
            .map(|(service, events)| format!("{service} {}", grouped(*events)))
            .collect();
        row(
            "events in all logs",
            format!("{} ({})", grouped(events), by_service.join(", ")),
        )?;
        row("duration", format!("{:.1} s", self.duration_s))?;
        if !self.peak_memory_bytes.is_empty() {
            let total: u64 = self.peak_memory_bytes.values().sum();
            row("peak memory", format!("{} MB", total / 1_000_000))?;
        }
        if let Some(holds) = self.audit_holds {
            let text = if holds {
                "every invariant holds; every log equals its stream"
            } else {
                "BROKEN: see `baogong audit reconcile`"
            };
            row("audit", text.to_owned())?;
        }
        writeln!(f)?;
        write_carriers(f, &self.carriers)?;
        writeln!(f)?;
        writeln!(f, "  member           runs   doors        kg")?;
        for work in &self.members {
            writeln!(
                f,
                "  {:<14} {:>6} {:>7} {:>9}",
                work.member,
                work.runs,
                work.doors,
                grouped(work.grams.unsigned_abs() / 1000)
            )?;
        }
        Ok(())
    }
}

/// A line for each firm.
pub(super) fn write_carriers(f: &mut fmt::Formatter<'_>, works: &[CarrierWork]) -> fmt::Result {
    writeln!(
        f,
        "  carrier                loads        kg  accepted  on time"
    )?;
    for work in works {
        writeln!(
            f,
            "  {:<20} {:>7} {:>9} {:>9} {:>8}",
            work.carrier,
            work.loads,
            grouped(work.grams.unsigned_abs() / 1000),
            format!("{}/{}", work.accepted, work.tenders),
            format!("{}/{}", work.on_time, work.on_time + work.late)
        )?;
    }
    Ok(())
}

/// Digits in groups of three.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(22_540_000), "22,540,000");
    }

    #[test]
    fn nobody_in_need_is_not_full_coverage() {
        let mut figures = Figures::default();
        figures.totals.coverage_basis_points = 10_000;
        assert!(!figures.is_full_coverage());
    }
}
