//! Afternoon: wave after wave of trips from the checkpoint to the doors.

use crate::client::by;
use decider::Role;
use std::collections::{BTreeMap, BTreeSet};

use proto::{
    logistics::v1::{
        CompleteRunRequest, DisinfectEntranceRequest, ExceptionCode, FailAttemptRequest,
        GetRunRequest, LeaveDoorRequest, PlaceGoodsRequest, PlanRunsRequest, PlanRunsResponse,
        RecordAbsenceRequest, Run, RunState, StartRunRequest, Stop,
    },
    time::to_proto,
};
use tonic::Status;

use super::{Day, OFFICE, refused};

/// Minutes of the day: the first wave, and how far waves are apart. More than
/// the ladder's half hour, so that each wave sees who did not answer the last.
const FIRST_WAVE: i64 = 13 * 60;
const WAVE: i64 = 32;
/// After this wave was planned a member drops out.
const ABSENCE_AFTER_WAVE: i64 = 2;
const WAVES_MAX: i64 = 500;
const END_OF_DAY: i64 = 24 * 60;

/// Doors at which an attempt is made to fail, by order id.
type Failing = BTreeSet<String>;

impl Day {
    pub(super) async fn deliver(&mut self) -> anyhow::Result<()> {
        let mut failing = self.failing().await?;
        let bar = self.bar("to the doors", self.world.households.len());
        for wave in 0..WAVES_MAX {
            // A community larger than the sources' needs longer than a day's
            // shift: the clock then stands still within it.
            let minute = (FIRST_WAVE + wave * WAVE).min(super::intake::LAST_WAVE);
            self.clock_at(minute).await?;
            self.answer_telephone().await?;
            let plan = self
                .plan(wave)
                .await
                .map_err(|status| refused("planning runs", &status))?;
            if wave == ABSENCE_AFTER_WAVE {
                self.record_absence(minute)
                    .await
                    .map_err(|status| refused("recording an absence", &status))?;
            }
            let runs = self.runs(&plan.run_ids).await?;
            let failing_now = &failing;
            let delivered: Vec<Vec<Stop>> = self
                .each("", &runs, async |run| {
                    self.carry_out(run, failing_now).await
                })
                .await?;
            for run in &runs {
                for stop in &run.stops {
                    failing.remove(&stop.order_id);
                }
            }
            self.suite.settle().await?;
            let delivered: Vec<Stop> = delivered.into_iter().flatten().collect();
            bar.inc(delivered.len() as u64);
            self.acknowledge(&delivered).await?;
            self.suite.settle().await?;
            // The last wave's failed doors are planned by the next.
            if plan.run_ids.is_empty() && plan.unplanned_parcels == 0 && wave > ABSENCE_AFTER_WAVE {
                bar.finish();
                return Ok(());
            }
        }
        anyhow::bail!("after {WAVES_MAX} waves there are still parcels at the checkpoint")
    }

    /// Orders of the households whose first attempt fails.
    async fn failing(&self) -> anyhow::Result<Failing> {
        let households: BTreeSet<&str> = self
            .world
            .households
            .iter()
            .filter(|household| household.first_attempt_fails)
            .map(|household| household.id.as_str())
            .collect();
        Ok(self
            .orders()
            .await?
            .into_iter()
            .filter(|order| households.contains(order.household_id.as_str()))
            .map(|order| order.order_id)
            .collect())
    }

    async fn plan(&self, wave: i64) -> Result<PlanRunsResponse, Status> {
        let request = PlanRunsRequest {
            request_id: self.request_id("plan", &wave.to_string()),
            area: self.area(),
            checkpoint_id: self.world.checkpoint.clone(),
        };
        self.suite
            .call(async |mut suite| {
                suite
                    .logistics
                    .plan_runs(by(Role::Dispatcher, OFFICE, request.clone()))
                    .await
            })
            .await
    }

    async fn record_absence(&self, minute: i64) -> Result<(), Status> {
        let member = self.world.member(self.world.absent_member);
        let request = RecordAbsenceRequest {
            request_id: self.request_id("absence", &member),
            area: self.area(),
            member_id: member,
            from_time: Some(to_proto(self.at(minute))),
            to_time: Some(to_proto(self.at(END_OF_DAY))),
            reason: "fever".to_owned(),
        };
        self.suite
            .call(async |mut suite| {
                suite
                    .logistics
                    .record_absence(by(Role::Dispatcher, OFFICE, request.clone()))
                    .await
            })
            .await
            .map(|_| ())
    }

    /// The planned runs that were not cancelled meanwhile.
    async fn runs(&self, ids: &[String]) -> anyhow::Result<Vec<Run>> {
        let runs = self
            .each("", ids, async |id| {
                let request = GetRunRequest {
                    area: self.area(),
                    min_position: 0,
                    run_id: id.clone(),
                };
                let found = self
                    .suite
                    .call(async |mut suite| suite.logistics.get_run(request.clone()).await)
                    .await?;
                Ok(found.run.unwrap_or_default())
            })
            .await?;
        Ok(runs
            .into_iter()
            .filter(|run| run.state() != RunState::Cancelled)
            .collect())
    }

    /// One trip of one member; gives the doors at which goods were left.
    async fn carry_out(&self, run: &Run, failing: &Failing) -> Result<Vec<Stop>, Status> {
        let start = StartRunRequest {
            request_id: self.request_id("start", &run.run_id),
            area: self.area(),
            run_id: run.run_id.clone(),
        };
        self.suite
            .call(async |mut suite| {
                suite
                    .logistics
                    .start_run(by(Role::Member, &run.member_id, start.clone()))
                    .await
            })
            .await?;
        let mut delivered = Vec::new();
        let mut entrances = BTreeMap::new();
        for stop in &run.stops {
            if failing.contains(&stop.order_id) {
                self.fail(run, stop).await?;
                continue;
            }
            self.leave_goods(run, stop).await?;
            if let Some(door) = &stop.door {
                let entrance = (&door.grid, &door.building, &door.entrance);
                entrances.insert(entrance, door);
            }
            delivered.push(stop.clone());
        }
        for door in entrances.values() {
            let place = format!("{}-{}-{}", door.grid, door.building, door.entrance);
            let request = DisinfectEntranceRequest {
                request_id: self.request_id(&format!("entrance-{place}"), &run.run_id),
                area: self.area(),
                run_id: run.run_id.clone(),
                grid: door.grid.clone(),
                building: door.building.clone(),
                entrance: door.entrance.clone(),
                agent: "chlorine 500 mg/L".to_owned(),
                done_by: run.member_id.clone(),
            };
            self.suite
                .call(async |mut suite| {
                    suite
                        .logistics
                        .disinfect_entrance(by(Role::Member, &run.member_id, request.clone()))
                        .await
                })
                .await?;
        }
        let complete = CompleteRunRequest {
            request_id: self.request_id("complete", &run.run_id),
            area: self.area(),
            run_id: run.run_id.clone(),
        };
        self.suite
            .call(async |mut suite| {
                suite
                    .logistics
                    .complete_run(by(Role::Member, &run.member_id, complete.clone()))
                    .await
            })
            .await?;
        Ok(delivered)
    }

    /// Placed at the door, then left: nobody meets anybody.
    async fn leave_goods(&self, run: &Run, stop: &Stop) -> Result<(), Status> {
        let place = PlaceGoodsRequest {
            request_id: self.request_id("place", &stop.order_id),
            area: self.area(),
            run_id: run.run_id.clone(),
            order_id: stop.order_id.clone(),
        };
        self.suite
            .call(async |mut suite| {
                suite
                    .logistics
                    .place_goods(by(Role::Member, &run.member_id, place.clone()))
                    .await
            })
            .await?;
        let leave = LeaveDoorRequest {
            request_id: self.request_id("leave", &stop.order_id),
            area: self.area(),
            run_id: run.run_id.clone(),
            order_id: stop.order_id.clone(),
        };
        self.suite
            .call(async |mut suite| {
                suite
                    .logistics
                    .leave_door(by(Role::Member, &run.member_id, leave.clone()))
                    .await
            })
            .await
            .map(|_| ())
    }

    async fn fail(&self, run: &Run, stop: &Stop) -> Result<(), Status> {
        let request = FailAttemptRequest {
            request_id: self.request_id("fail", &stop.order_id),
            area: self.area(),
            run_id: run.run_id.clone(),
            order_id: stop.order_id.clone(),
            reason: ExceptionCode::AddressIncomplete.into(),
            note: "no such door number on the landing".to_owned(),
        };
        self.suite
            .call(async |mut suite| {
                suite
                    .logistics
                    .fail_attempt(by(Role::Member, &run.member_id, request.clone()))
                    .await
            })
            .await
            .map(|_| ())
    }
}
