//! What the Yunhe day came to: what was offered, matched and carried, and the
//! loss that each grower avoided.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::Path,
};

use anyhow::Context;
use decider::Role;
use proto::inventory::v1::{
    GrowerReport, ListGrowerReportsRequest, ListReferencePricesRequest, Match, MatchState,
};
use serde::Serialize;

use super::{
    DISPATCHER, Yunhe,
    village::{AREA, CROPS},
};
use crate::{
    client::by,
    scenario::{
        day::date,
        figures::{CarrierWork, grouped, write_carriers},
    },
};

const PAGE: i32 = 500;

#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    pub seed: u64,
    /// Local date.
    pub date: String,
    /// By product id: grams offered and matched.
    pub products: BTreeMap<String, (i64, i64)>,
    pub buyers: BTreeMap<String, i64>,
    pub listings: i64,
    pub offered_grams: i64,
    /// Confirmed by both sides.
    pub matched_grams: i64,
    pub delivered_grams: i64,
    pub at_risk_fen: i64,
    pub avoided_fen: i64,
    /// By what became of them.
    pub proposals: BTreeMap<String, u64>,
    pub breaches: i64,
    pub shipments: u64,
    pub shipped_grams: i64,
    /// Confirmed matches without a shipment, or whose shipment did not arrive.
    pub stranded: u64,
    pub carriers: Vec<CarrierWork>,
    pub growers: Vec<GrowerLine>,
}

#[derive(Debug, Clone, Serialize)]
pub struct GrowerLine {
    pub grower: String,
    pub offered_grams: i64,
    pub matched_grams: i64,
    pub delivered_grams: i64,
    pub at_risk_fen: i64,
    pub avoided_fen: i64,
}

impl Summary {
    /// Something was matched, nothing waits for an answer, and everything that
    /// was confirmed has come to its buyer.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.matched_grams > 0 && self.stranded == 0 && !self.proposals.contains_key("proposed")
    }

    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("{} cannot be written", path.display()))
    }
}

fn matched(report: &GrowerReport) -> i64 {
    report.confirmed_grams + report.delivered_grams + report.lost_grams
}

impl Yunhe {
    /// Of this day: of what else the area trades nothing is counted but the
    /// prices that were refused.
    pub(super) async fn summary(&self) -> anyhow::Result<Summary> {
        let mut summary = Summary {
            seed: self.village.seed,
            date: date(self.midnight),
            breaches: self.breaches().await?,
            carriers: self.hauliers_work().await?,
            ..Summary::default()
        };
        self.count_growers(&mut summary).await?;
        let own = format!("{}-", self.village.community);
        let all = self.matches(MatchState::Unspecified).await?;
        let all: Vec<Match> = all
            .into_iter()
            .filter(|trade| trade.grower_id.starts_with(&own))
            .collect();
        for crop in &CROPS {
            let listings = self.village.growers.iter().flat_map(|g| &g.listings);
            let offered = listings.filter(|l| CROPS[l.crop].product_id == crop.product_id);
            let offered: i64 = offered.map(|l| l.units * crop.unit_grams).sum();
            let entry = (offered, 0);
            summary.products.insert(crop.product_id.to_owned(), entry);
        }
        let mut loads = BTreeSet::new();
        for trade in &all {
            let word = trade
                .state()
                .as_str_name()
                .trim_start_matches("MATCH_STATE_");
            let word = word.to_ascii_lowercase();
            *summary.proposals.entry(word).or_default() += 1;
            if !matches!(trade.state(), MatchState::Confirmed | MatchState::Delivered) {
                continue;
            }
            if let Some((_, matched)) = summary.products.get_mut(&trade.product_id) {
                *matched += trade.weight_grams;
            }
            *summary.buyers.entry(trade.buyer_id.clone()).or_default() += trade.weight_grams;
            if !trade.shipment_id.is_empty() {
                loads.insert(&trade.shipment_id);
                summary.shipped_grams += trade.weight_grams;
            }
            summary.stranded += u64::from(trade.state() == MatchState::Confirmed);
        }
        summary.shipments = loads.len() as u64;
        Ok(summary)
    }

    async fn count_growers(&self, summary: &mut Summary) -> anyhow::Result<()> {
        let mut page_token = String::new();
        loop {
            let request = ListGrowerReportsRequest {
                area: AREA.to_owned(),
                min_position: 0,
                page_size: PAGE,
                page_token,
            };
            let page = self
                .suite
                .call(async |mut suite| {
                    let request = by(Role::Dispatcher, DISPATCHER, request.clone());
                    suite.surplus.list_grower_reports(request).await
                })
                .await?;
            for report in &page.reports {
                let mut growers = self.village.growers.iter();
                if !growers.any(|grower| grower.id == report.grower_id) {
                    continue;
                }
                summary.listings += report.listings;
                summary.offered_grams += report.listed_grams;
                summary.matched_grams += matched(report);
                summary.delivered_grams += report.delivered_grams;
                summary.at_risk_fen += report.at_risk_fen;
                summary.avoided_fen += report.avoided_fen;
                summary.growers.push(GrowerLine {
                    grower: report.grower_id.clone(),
                    offered_grams: report.listed_grams,
                    matched_grams: matched(report),
                    delivered_grams: report.delivered_grams,
                    at_risk_fen: report.at_risk_fen,
                    avoided_fen: report.avoided_fen,
                });
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(());
            }
        }
    }

    async fn breaches(&self) -> anyhow::Result<i64> {
        let request = ListReferencePricesRequest {
            area: AREA.to_owned(),
            ..ListReferencePricesRequest::default()
        };
        let page = self
            .suite
            .call(async |mut suite| {
                let request = by(Role::Dispatcher, DISPATCHER, request.clone());
                suite.surplus.list_reference_prices(request).await
            })
            .await?;
        Ok(page.prices.iter().map(|price| price.breaches).sum())
    }
}

fn kilograms(grams: i64) -> String {
    format!("{} kg", grouped(grams.unsigned_abs() / 1000))
}

/// Yuan and fen.
fn yuan(fen: i64) -> String {
    format!(
        "{}.{:02} yuan",
        grouped(fen.unsigned_abs() / 100),
        fen % 100
    )
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Yunhe on the Chengxi day, {} (seed {})",
            self.date, self.seed
        )?;
        writeln!(f)?;
        let mut row = |name: &str, text: String| writeln!(f, "  {name:<22} {text}");
        row(
            "offered",
            format!(
                "{} in {} listings of {} growers",
                kilograms(self.offered_grams),
                self.listings,
                self.growers.len()
            ),
        )?;
        row(
            "matched",
            format!("{}, confirmed by both sides", kilograms(self.matched_grams)),
        )?;
        for (product, (offered, matched)) in &self.products {
            let text = format!("{} of {}", kilograms(*matched), kilograms(*offered));
            row(&format!("  {product}"), text)?;
        }
        for (buyer, grams) in &self.buyers {
            row(&format!("  to {buyer}"), kilograms(*grams))?;
        }
        let proposals: Vec<String> = self
            .proposals
            .iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        row("proposals", proposals.join(", "))?;
        row(
            "prices above the cap",
            format!("{}, recorded", self.breaches),
        )?;
        row(
            "shipments",
            format!("{} for {}", self.shipments, kilograms(self.shipped_grams)),
        )?;
        row("taken over by buyers", kilograms(self.delivered_grams))?;
        row(
            "loss avoided",
            format!("{} of {}", yuan(self.avoided_fen), yuan(self.at_risk_fen)),
        )?;
        writeln!(f)?;
        write_carriers(f, &self.carriers)?;
        writeln!(f)?;
        writeln!(
            f,
            "  {:<16} {:>10} {:>10} {:>10} {:>14} {:>14}",
            "grower", "offered", "matched", "delivered", "at risk", "avoided"
        )?;
        for line in &self.growers {
            writeln!(
                f,
                "  {:<16} {:>10} {:>10} {:>10} {:>14} {:>14}",
                line.grower,
                kilograms(line.offered_grams),
                kilograms(line.matched_grams),
                kilograms(line.delivered_grams),
                yuan(line.at_risk_fen),
                yuan(line.avoided_fen)
            )?;
        }
        Ok(())
    }
}
