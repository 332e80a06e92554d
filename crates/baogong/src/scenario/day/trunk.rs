//! From the procurement group's store to the checkpoint: partner firms, played
//! by robots, carry what was loaded (S14–S16). One firm declines, one does not
//! answer, and before the gate one has to wait.

use std::collections::BTreeMap;

use decider::{Role, Timestamp};
use proto::{
    logistics::v1::{
        CloseRouteRequest, IncidentKind, ListWaitingGoodsRequest, OpenRouteRequest, Place,
        PlaceKind, RoutePlan, Shipment, ShipmentState,
    },
    time::to_proto,
};
use tonic::Status;

use super::{Day, OFFICE, goods::PROCUREMENT, refused};
use crate::{
    client::by,
    robot::{Firm, Journey, Rig, Robot, Temper},
    scenario::{
        hauliers::{self, Office, is_accepted},
        world::AREA,
    },
};

/// Of the three firms: vehicles in tons, and how each answers.
const FIRMS: [([i64; 2], &[u64], &[u64]); 3] = [
    // Declines the first load that it is offered.
    ([8, 6], &[1], &[]),
    // Does not answer the first time.
    ([6, 5], &[], &[1]),
    ([5, 5], &[], &[]),
];
const TON: i64 = 1_000_000;
/// What a firm offers at least; all three together offer more than there is.
const OFFER_TONS_MIN: i64 = 10;
const OFFER_TONS_MAX: i64 = 1_000;
/// A load of the route.
const LOAD_TONS: i64 = 5;
const LOAD_ORDERS: i32 = 300;
/// Minutes of the day: the route's windows, when carriers look at what they
/// were asked, and the way.
const WINDOWS: (i64, i64, i32) = (10 * 60, 12 * 60, 45);
const FIRST_ANSWERS: i64 = 10 * 60 + 46;
const ANSWERS_EVERY: i64 = 16;
const ANSWERS_MAX: i64 = 3;
const DEPARTS: i64 = 11 * 60 + 22;
pub(super) const ON_THE_ROAD: i64 = 11 * 60 + 45;
const ARRIVES: i64 = 11 * 60 + 55;
const ARRIVES_LATE: i64 = 12 * 60 + 22;

const STORE_ZONE: &str = "store-road";
const GATE_ZONE: &str = "gate-road";

/// The firms of a day, and their shipments on the way.
#[derive(Default)]
pub(super) struct Trunk {
    robots: Vec<Robot>,
    /// By shipment, with the number of its firm.
    journeys: BTreeMap<String, (usize, Journey)>,
    /// The shipment that waits before the gate, with its incident.
    held_up: Option<(String, String)>,
}

impl Day {
    pub(super) fn office(&self) -> Office<'_> {
        Office {
            suite: &self.suite,
            area: AREA,
            id: OFFICE,
            day: &self.world.community,
        }
    }

    pub(super) fn firm_ids(&self) -> Vec<String> {
        let office = self.office();
        (0..FIRMS.len()).map(|n| office.carrier_id(n)).collect()
    }

    fn route_id(&self) -> String {
        format!("{}-trunk", self.world.community)
    }

    fn firm(&self, n: usize, expected_grams: i64) -> Firm {
        let (tons, declines, ignores) = FIRMS[n];
        let carrier_id = self.office().carrier_id(n);
        let rigs = (1..).zip(tons).map(|(v, tons)| Rig {
            vehicle_id: format!("{carrier_id}-v{v}"),
            driver_id: format!("{carrier_id}-d{v}"),
            capacity_grams: tons * TON,
        });
        let capacity = (expected_grams / 2).clamp(OFFER_TONS_MIN * TON, OFFER_TONS_MAX * TON);
        Firm {
            area: self.area(),
            rigs: rigs.collect(),
            zones: [STORE_ZONE, GATE_ZONE].map(str::to_owned).to_vec(),
            capacity_grams: capacity,
            from: self.at(6 * 60),
            to: self.at(22 * 60),
            temper: Temper {
                declines: declines.to_vec(),
                ignores: ignores.to_vec(),
                ..Temper::default()
            },
            carrier_id,
        }
    }

    /// The firms are admitted, their passes issued, and the route opened.
    pub(super) async fn prepare_trunk(&mut self) -> anyhow::Result<()> {
        let set: i64 = crate::scenario::world::SET.iter().map(|s| s.2).sum();
        let households = i64::try_from(self.world.households.len()).unwrap_or(i64::MAX);
        let expected = set.saturating_mul(households);
        for n in 0..FIRMS.len() {
            let firm = self.firm(n, expected);
            self.trunk.robots.push(self.office().admit(n, firm).await?);
        }
        self.open_route()
            .await
            .map_err(|status| refused("opening the trunk route", &status))
    }

    async fn open_route(&self) -> Result<(), Status> {
        let place = |kind: PlaceKind, place_id: &str, zone: &str| Place {
            kind: kind.into(),
            place_id: place_id.to_owned(),
            zone: zone.to_owned(),
        };
        let (from, to, every) = WINDOWS;
        let plan = RoutePlan {
            origin: Some(place(PlaceKind::Store, PROCUREMENT, STORE_ZONE)),
            holder_id: PROCUREMENT.to_owned(),
            destination: Some(place(
                PlaceKind::Checkpoint,
                &self.world.checkpoint,
                GATE_ZONE,
            )),
            from_time: Some(to_proto(self.at(from))),
            to_time: Some(to_proto(self.at(to))),
            every_minutes: every,
            weight_grams_max: LOAD_TONS * TON,
            orders_max: LOAD_ORDERS,
            lead_minutes: 45,
            transit_minutes: 45,
        };
        let request = OpenRouteRequest {
            request_id: self.request_id("route", "open"),
            area: self.area(),
            route_id: self.route_id(),
            plan: Some(plan),
        };
        self.suite
            .call(async |mut suite| {
                let request = by(Role::Dispatcher, OFFICE, request.clone());
                suite.freight.open_route(request).await
            })
            .await
            .map(|_| ())
    }

    pub(super) async fn carriers_answer(&mut self) -> anyhow::Result<()> {
        hauliers::answer(&self.suite, &mut self.trunk.robots).await
    }

    /// Until every load has somebody who drives it.
    pub(super) async fn find_carriers(&mut self) -> anyhow::Result<()> {
        for round in 0..ANSWERS_MAX {
            self.clock_at(FIRST_ANSWERS + round * ANSWERS_EVERY).await?;
            self.carriers_answer().await?;
            self.suite.settle().await?;
            let waiting = self.waiting_goods().await?;
            if waiting == 0 {
                return Ok(());
            }
        }
        anyhow::bail!("after {ANSWERS_MAX} rounds there are loads that nobody carries")
    }

    async fn waiting_goods(&self) -> Result<usize, Status> {
        let request = ListWaitingGoodsRequest {
            area: self.area(),
            page_size: 1,
            route_id: self.route_id(),
            ..ListWaitingGoodsRequest::default()
        };
        let page = self
            .suite
            .call(async |mut suite| {
                let request = by(Role::Dispatcher, OFFICE, request.clone());
                suite.freight.list_waiting_goods(request).await
            })
            .await?;
        Ok(page.goods.len())
    }

    /// They leave, load, and are on the road; before one of them the gate is
    /// closed.
    pub(super) async fn drive(&mut self) -> anyhow::Result<()> {
        let (departs, arrives) = (self.at(DEPARTS), self.at(ARRIVES));
        let (late, now) = (self.at(ARRIVES_LATE), self.at(ON_THE_ROAD));
        let told = |status: Status| refused("a carrier reports", &status);
        let mut own = Vec::new();
        for (n, robot) in self.trunk.robots.iter().enumerate() {
            let all = robot.shipments(ShipmentState::Unspecified).await;
            let all = all.map_err(told)?.into_iter().filter(is_accepted);
            own.extend(all.map(|shipment| (n, shipment)));
        }
        let last = own.len().saturating_sub(1);
        for (place, (n, shipment)) in own.iter().enumerate() {
            let id = &shipment.shipment_id;
            let load = shipment.load.clone().unwrap_or_default();
            let arrives = if place == last { late } else { arrives };
            let mut journey = Journey::new(id, &load, departs, arrives);
            let robot = &self.trunk.robots[*n];
            robot.drive(&mut journey, now).await.map_err(told)?;
            if place == last {
                let note = "the gate is closed for disinfection";
                let kind = IncidentKind::CheckpointClosed;
                let opened = robot.open_incident(id, kind, note).await;
                let incident_id = opened.map_err(told)?;
                self.trunk.held_up = Some((id.clone(), incident_id));
            }
            self.trunk.journeys.insert(id.clone(), (*n, journey));
        }
        Ok(())
    }

    /// Those that are at the gate by `now` say what they hand over.
    pub(super) async fn arrive(&mut self, now: Timestamp) -> anyhow::Result<Vec<Shipment>> {
        let told = |status: Status| refused("a carrier arrives", &status);
        let mut there = Vec::new();
        for (id, (n, journey)) in &mut self.trunk.journeys {
            let robot = &self.trunk.robots[*n];
            robot.drive(journey, now).await.map_err(told)?;
            if journey.arrives() > now {
                continue;
            }
            if robot.shipment(id).await.map_err(told)?.state() == ShipmentState::ArrivedDestination
            {
                robot.declare(id).await.map_err(told)?;
                there.push(robot.shipment(id).await.map_err(told)?);
            }
        }
        Ok(there)
    }

    /// The gate is open again.
    pub(super) async fn end_incident(&mut self) -> anyhow::Result<()> {
        let Some((shipment_id, incident_id)) = self.trunk.held_up.take() else {
            return Ok(());
        };
        let Some((n, _)) = self.trunk.journeys.get(&shipment_id) else {
            return Ok(());
        };
        self.trunk.robots[*n]
            .close_incident(&shipment_id, &incident_id, "the gate is open again")
            .await
            .map_err(|status| refused("closing an incident", &status))
    }

    /// All of the day's goods are at the gate.
    pub(super) async fn close_route(&self) -> anyhow::Result<()> {
        let request = CloseRouteRequest {
            request_id: self.request_id("route", "close"),
            area: self.area(),
            route_id: self.route_id(),
            reason: "all of the day's goods are at the gate".to_owned(),
        };
        self.suite
            .call(async |mut suite| {
                let request = by(Role::Dispatcher, OFFICE, request.clone());
                suite.freight.close_route(request).await
            })
            .await
            .map(|_| ())
            .map_err(|status| refused("closing the trunk route", &status))
    }
}
