//! What each firm knows against what stands in the log.

use std::collections::{BTreeMap, BTreeSet};

use decider::EventSet;
use proto::{
    LogisticsEvent,
    log::v1::{ReadRequest, log_service_client::LogServiceClient},
    record,
};

use crate::{
    firm::View,
    suite::{Suite, link},
};

/// What the log has of one firm.
#[derive(Default)]
struct Logged {
    /// How often each report was recorded.
    reports: BTreeMap<(String, String), u32>,
    tendered: BTreeMap<String, BTreeSet<i32>>,
}

/// Every difference, in words.
pub async fn compare(suite: &Suite, views: &[View]) -> anyhow::Result<Vec<String>> {
    let logged = read(suite).await?;
    let none = Logged::default();
    let mut faults = Vec::new();
    let (mut reports, mut rounds) = (0, 0);
    for view in views {
        let firm = &view.carrier_id;
        let log = logged.get(firm).unwrap_or(&none);
        reports += view.reported.len();
        rounds += view.tendered.values().map(BTreeSet::len).sum::<usize>();
        for why in &view.refused {
            faults.push(format!("{firm}: a report was refused: {why}"));
        }
        for key in view
            .reported
            .iter()
            .filter(|key| !log.reports.contains_key(*key))
        {
            faults.push(format!(
                "{firm}: {key:?} was answered and is not in the log"
            ));
        }
        for (key, times) in &log.reports {
            if *times > 1 {
                faults.push(format!("{firm}: {key:?} is {times} times in the log"));
            }
            if !view.reported.contains(key) {
                faults.push(format!(
                    "{firm}: {key:?} is in the log and was never answered"
                ));
            }
        }
        if log.tendered != view.tendered {
            let missing: Vec<_> = log
                .tendered
                .iter()
                .filter(|(id, rounds)| view.tendered.get(*id) != Some(rounds))
                .collect();
            faults.push(format!(
                "{firm}: was not told as the log has it: {missing:?}"
            ));
        }
    }
    println!(
        "compared               {} firms: {reports} reports, {rounds} tenders",
        views.len()
    );
    Ok(faults)
}

async fn read(suite: &Suite) -> anyhow::Result<BTreeMap<String, Logged>> {
    let token = suite.token(&["--role", "auditor", "--subject", "auditor-1"])?;
    let mut log = LogServiceClient::new(link(suite.logistics, &token)?);
    let mut parts = log.read(ReadRequest::default()).await?.into_inner();
    let mut firms: BTreeMap<String, Logged> = BTreeMap::new();
    while let Some(part) = parts.message().await? {
        for bytes in &part.records {
            let raw = record::decode(bytes)?;
            let event = LogisticsEvent::decode(&raw.event.type_name, &raw.event.data)?;
            let mut reported = |carrier: String, shipment: String, report: String| {
                let firm = firms.entry(carrier).or_default();
                *firm.reports.entry((shipment, report)).or_default() += 1;
            };
            match event {
                LogisticsEvent::MilestoneReported(e) => {
                    reported(e.carrier_id, e.shipment_id, e.report_id);
                }
                LogisticsEvent::PositionReported(e) => {
                    reported(e.carrier_id, e.shipment_id, e.report_id);
                }
                LogisticsEvent::ShipmentTendered(e) => {
                    let firm = firms.entry(e.carrier_id).or_default();
                    firm.tendered
                        .entry(e.shipment_id)
                        .or_default()
                        .insert(e.round);
                }
                _ => {}
            }
        }
    }
    Ok(firms)
}
