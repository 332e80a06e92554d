//! What a robot reports of a shipment, and when: a time-table made of its
//! load. Pure: the same shipment and departure make the same reports under the
//! same ids.

use decider::Timestamp;
use proto::{
    logistics::v1::{
        CarrierReport, Load, Milestone, MilestoneReport, Place, PositionReport,
        carrier_report::What,
    },
    time::to_proto,
};

/// Minutes on the way to each pickup, and at it.
const TO_PICKUP: i64 = 5;
const AT_PICKUP: i64 = 10;
/// Minutes between two positions.
const POSITION_EVERY: i64 = 5;
/// Degrees × 10^7 around Nangqian: 32.2° N, 96.5° E, and half a degree on.
const SOUTH_WEST_E7: (i32, i32) = (322_000_000, 965_000_000);
const SPAN_E7: u64 = 5_000_000;

/// A shipment on its way.
#[derive(Debug, Clone)]
pub struct Journey {
    shipment_id: String,
    /// In the order of time.
    reports: Vec<(Timestamp, CarrierReport)>,
    /// How many of them were told.
    told: usize,
}

impl Journey {
    /// It leaves at `departs`, is at its pickups one after the other, and at
    /// the destination at `arrives`, or as soon as it can be.
    #[must_use]
    pub fn new(shipment_id: &str, load: &Load, departs: Timestamp, arrives: Timestamp) -> Self {
        let mut journey = Self {
            shipment_id: shipment_id.to_owned(),
            reports: Vec::new(),
            told: 0,
        };
        let mut now = departs;
        journey.milestone(now, "departed", Milestone::Departed, "");
        let mut from = point(None);
        for pickup in &load.pickups {
            let stop = &pickup.stop_id;
            now = now.plus_minutes(TO_PICKUP);
            journey.milestone(now, &format!("at-{stop}"), Milestone::ArrivedPickup, stop);
            now = now.plus_minutes(AT_PICKUP);
            journey.milestone(now, &format!("loaded-{stop}"), Milestone::Loaded, stop);
            from = point(pickup.place.as_ref());
        }
        now = now.plus_minutes(1);
        journey.milestone(now, "in-transit", Milestone::InTransit, "");
        let arrives = arrives.max(now.plus_minutes(1));
        journey.positions(now, arrives, from, point(load.destination.as_ref()));
        journey.milestone(arrives, "arrived", Milestone::ArrivedDestination, "");
        journey
    }

    /// All of it told as of one moment, with the arrival `minutes` later by the
    /// time of the positions alone: for robots that do not wait.
    #[must_use]
    pub fn at_once(shipment_id: &str, load: &Load, now: Timestamp, minutes: i64) -> Self {
        let mut journey = Self::new(shipment_id, load, now, now.plus_minutes(minutes));
        for (at, report) in &mut journey.reports {
            *at = now;
            report.occurred_time = Some(to_proto(now));
        }
        journey
    }

    #[must_use]
    pub fn shipment_id(&self) -> &str {
        &self.shipment_id
    }

    /// When it is at the destination.
    #[must_use]
    pub fn arrives(&self) -> Timestamp {
        self.reports.last().map_or(Timestamp(0), |(at, _)| *at)
    }

    /// The next reports up to a moment, at most `limit`, and the number of the
    /// first of them. What was told is not given again.
    pub fn due(&mut self, until: Timestamp, limit: usize) -> (usize, Vec<CarrierReport>) {
        let first = self.told;
        let due = self.reports[first..].iter();
        let due: Vec<CarrierReport> = due
            .take_while(|(at, _)| *at <= until)
            .take(limit)
            .map(|(_, report)| report.clone())
            .collect();
        self.told += due.len();
        (first, due)
    }

    fn milestone(&mut self, at: Timestamp, id: &str, milestone: Milestone, stop_id: &str) {
        let what = What::Milestone(MilestoneReport {
            milestone: milestone.into(),
            stop_id: stop_id.to_owned(),
            ..MilestoneReport::default()
        });
        self.report(at, id.to_owned(), what);
    }

    /// Along a straight line.
    fn positions(&mut self, from: Timestamp, to: Timestamp, start: (i32, i32), end: (i32, i32)) {
        let minutes = to.seconds_since(from) / 60;
        let between = |a: i32, b: i32, part: i64| {
            let way = i64::from(b) - i64::from(a);
            i32::try_from(i64::from(a) + way * part / minutes.max(1)).unwrap_or(a)
        };
        for part in (POSITION_EVERY..minutes).step_by(5) {
            let what = What::Position(PositionReport {
                latitude_e7: between(start.0, end.0, part),
                longitude_e7: between(start.1, end.1, part),
                eta_time: Some(to_proto(to)),
            });
            let at = from.plus_minutes(part);
            self.report(at, format!("position-{part}"), what);
        }
    }

    fn report(&mut self, at: Timestamp, report_id: String, what: What) {
        let report = CarrierReport {
            report_id,
            shipment_id: self.shipment_id.clone(),
            occurred_time: Some(to_proto(at)),
            what: Some(what),
        };
        self.reports.push((at, report));
    }
}

/// Somewhere, always the same for a place.
fn point(place: Option<&Place>) -> (i32, i32) {
    let id = place.map_or("", |place| place.place_id.as_str());
    // FNV-1a.
    let hash = id.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let part = |n: u64| i32::try_from(n % SPAN_E7).unwrap_or(0);
    (
        SOUTH_WEST_E7.0 + part(hash >> 32),
        SOUTH_WEST_E7.1 + part(hash & 0xFFFF_FFFF),
    )
}

#[cfg(test)]
mod tests {
    use decider::spec::START;
    use proto::logistics::v1::Pickup;

    use super::*;

    fn load() -> Load {
        let pickup = |stop_id: &str| Pickup {
            stop_id: stop_id.into(),
            ..Pickup::default()
        };
        Load {
            pickups: vec![pickup("a"), pickup("b")],
            ..Load::default()
        }
    }

    fn ids(reports: &[CarrierReport]) -> Vec<&str> {
        reports.iter().map(|report| &*report.report_id).collect()
    }

    #[test]
    fn it_is_told_in_order_and_once() {
        let arrives = START.plus_minutes(45);
        let mut journey = Journey::new("s-1", &load(), START, arrives);
        assert_eq!(journey.arrives(), arrives);
        let (first, reports) = journey.due(START.plus_minutes(15), 100);
        assert_eq!(
            (first, ids(&reports)),
            (0, vec!["departed", "at-a", "loaded-a"])
        );
        let (first, reports) = journey.due(START.plus_minutes(15), 100);
        assert_eq!((first, reports), (3, vec![]));
        let (first, reports) = journey.due(arrives, 2);
        assert_eq!((first, ids(&reports)), (3, vec!["at-b", "loaded-b"]));
        let (_, reports) = journey.due(arrives, 100);
        let last = ["in-transit", "position-5", "position-10", "arrived"];
        assert_eq!(ids(&reports), last);
    }

    #[test]
    fn it_cannot_arrive_before_it_has_loaded() {
        let mut journey = Journey::new("s-1", &load(), START, START);
        let (_, reports) = journey.due(START.plus_minutes(600), 100);
        let times: Vec<_> = reports.iter().map(|r| r.occurred_time).collect();
        assert!(times.is_sorted_by_key(|time| time.map(|t| t.seconds)));
        assert_eq!(journey.arrives(), START.plus_minutes(32));
    }
}
