//! Reading the state: what the service's API shows. Every list has a stable
//! key to go on from, and nothing is seen from another area.

use std::{borrow::Cow, collections::BTreeMap, ops::Bound};

use decider::{Area, StreamId, Timestamp};
use proto::{
    logistics::v1::{self as pb, ParcelState, RunState},
    time::to_proto,
};

use crate::{
    checkpoint::Checkpoint,
    custody,
    door::Entrance,
    freight::{Carrier, Goods, Pass, Shipment, Webhook},
    member::{Member, Shift},
    parcel::Parcel,
    rejection::{run_word, word},
    run::{Run, RunStop},
    state::{RunsOf, State},
};

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<'a, T> {
    pub items: Vec<&'a T>,
    /// Id to go on after; none at the end.
    pub next: Option<String>,
}

/// Which parcels; what is not set does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParcelFilter {
    pub checkpoint_id: Option<String>,
    pub state: Option<ParcelState>,
}

/// Which runs; what is not set does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    pub checkpoint_id: Option<String>,
    pub member_id: Option<String>,
    pub state: Option<RunState>,
}

impl State {
    #[must_use]
    pub fn checkpoint(&self, area: &Area, checkpoint_id: &str) -> Option<&Checkpoint> {
        self.checkpoint_in(area, checkpoint_id).ok()
    }

    /// Parcels of a checkpoint by state, in the order of the states, those
    /// without parcels left out.
    #[must_use]
    pub fn parcel_counts(&self, area: &Area, checkpoint_id: &str) -> Vec<(ParcelState, usize)> {
        let states = (1..).map_while(|n| ParcelState::try_from(n).ok());
        states
            .map(|state| (state, self.parcel_count(area, checkpoint_id, state)))
            .filter(|(_, parcels)| *parcels > 0)
            .collect()
    }

    /// With `Disinfected`: what planning has left.
    #[must_use]
    pub fn parcel_count(&self, area: &Area, checkpoint_id: &str, state: ParcelState) -> usize {
        let shelf = self.shelves.get(area, checkpoint_id, state);
        shelf.map_or(0, std::collections::BTreeSet::len)
    }

    /// By member id.
    pub fn roster(&self, area: &Area) -> impl Iterator<Item = &Member> {
        self.members.values().filter(move |m| m.area == *area)
    }

    #[must_use]
    pub fn member(&self, area: &Area, member_id: &str) -> Option<&Member> {
        self.member_in(area, member_id).ok()
    }

    /// By id, which for what the service made is the order in which it did.
    pub fn carriers_after<'a>(
        &'a self,
        area: &'a Area,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a Carrier> {
        let carriers = self.freight.carriers.get(area).into_iter();
        carriers.flat_map(move |carriers| beyond(carriers, after))
    }

    /// By id, which for what the service made is the order in which it did.
    pub fn passes_after<'a>(
        &'a self,
        area: &'a Area,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a Pass> {
        beyond(&self.freight.passes, after).filter(move |found| found.area == *area)
    }

    /// By id, which for what the service made is the order in which it did.
    pub fn shipments_after<'a>(
        &'a self,
        area: &'a Area,
        after: Option<&str>,
    ) -> impl Iterator<Item = Cow<'a, Shipment>> {
        let all = self.freight.shipments.after(after);
        all.map(|found| found.unpacked())
            .filter(move |found| found.area == *area)
    }

    /// Those that a firm is tendered or has accepted, by id; those of a state if
    /// one is named.
    pub fn shipments_of<'a>(
        &'a self,
        area: &Area,
        carrier_id: &str,
        state: Option<pb::ShipmentState>,
        after: Option<&str>,
    ) -> impl Iterator<Item = Cow<'a, Shipment>> {
        self.freight.shipments_of(area, carrier_id, state, after)
    }

    /// By id, closed ones too.
    pub fn routes_after<'a>(
        &'a self,
        area: &'a Area,
        after: Option<&str>,
        now: Timestamp,
    ) -> impl Iterator<Item = pb::Route> {
        beyond(&self.freight.routes, after)
            .filter(move |route| route.area == *area)
            .map(move |route| route.to_message(&self.freight, now))
    }

    #[must_use]
    pub fn route(&self, area: &Area, route_id: &str, now: Timestamp) -> Option<pb::Route> {
        let route = self.freight.route_in(area, route_id).ok()?;
        Some(route.to_message(&self.freight, now))
    }

    /// Goods on routes for which no carrier has said yes, by order id.
    pub fn waiting_goods_after<'a>(
        &'a self,
        area: &'a Area,
        after: Option<&str>,
    ) -> impl Iterator<Item = pb::WaitingGoods> {
        beyond(&self.freight.goods.all, after)
            .filter(move |goods| goods.area == *area)
            .filter_map(|goods| self.freight.waiting_message(goods))
    }

    /// Goods on trunk routes, wherever they are, by order id.
    pub fn goods<'a>(&'a self, area: &'a Area) -> impl Iterator<Item = &'a Goods> {
        let all = self.freight.goods.all.values();
        all.filter(move |goods| goods.area == *area)
    }

    #[must_use]
    pub fn carrier(&self, area: &Area, carrier_id: &str) -> Option<&Carrier> {
        self.freight.carrier_in(area, carrier_id).ok()
    }

    /// Of one firm in an area, by id.
    pub fn webhooks_of<'a>(
        &'a self,
        area: &'a Area,
        carrier_id: &'a str,
    ) -> impl Iterator<Item = &'a Webhook> {
        let all = self.freight.webhooks.values();
        all.filter(move |webhook| webhook.area == *area && webhook.carrier_id == carrier_id)
    }

    /// Of all firms and areas of the partition.
    pub fn webhooks(&self) -> impl Iterator<Item = &Webhook> {
        self.freight.webhooks.values()
    }

    #[must_use]
    pub fn webhook(&self, webhook_id: &str) -> Option<&Webhook> {
        self.freight.webhooks.get(webhook_id)
    }

    #[must_use]
    pub fn pass(&self, area: &Area, pass_id: &str) -> Option<&Pass> {
        self.freight.pass_in(area, pass_id).ok()
    }

    #[must_use]
    pub fn shipment(&self, area: &Area, shipment_id: &str) -> Option<Cow<'_, Shipment>> {
        self.freight.shipment_in(area, shipment_id).ok()
    }

    #[must_use]
    pub fn parcel(&self, area: &Area, order_id: &str) -> Option<&Parcel> {
        self.parcel_in(area, order_id).ok()
    }

    /// By checkpoint, then in the order of the doors. `after` is the order id
    /// at which the page before ended; it keeps its place whatever became of
    /// its state. None where `after` is no parcel of this list's area and
    /// checkpoint.
    #[must_use]
    pub fn parcels(
        &self,
        area: &Area,
        filter: &ParcelFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Option<Page<'_, Parcel>> {
        let state = filter.state.unwrap_or(ParcelState::Unspecified);
        let last = match after {
            None => None,
            Some(order_id) => Some(self.parcel(area, order_id).filter(|parcel| {
                let wanted = filter.checkpoint_id.as_ref();
                wanted.is_none_or(|c| parcel.checkpoint_id == *c)
            })?),
        };
        let start = filter
            .checkpoint_id
            .as_deref()
            .or(last.map(|p| p.checkpoint_id.as_str()))
            .unwrap_or_default();
        let shelves = self
            .shelves
            .0
            .range((area.clone(), start.into(), ParcelState::Unspecified)..)
            .take_while(|((a, checkpoint_id, _), _)| {
                let wanted = filter.checkpoint_id.as_ref();
                a == area && wanted.is_none_or(|c| *checkpoint_id == *c)
            })
            .filter(|((_, _, s), _)| *s == state);
        let keys = shelves.flat_map(|((_, checkpoint_id, _), shelf)| {
            let from = last
                .filter(|p| p.checkpoint_id == *checkpoint_id)
                .map_or(Bound::Unbounded, |p| Bound::Excluded(p.key.clone()));
            shelf.range((from, Bound::Unbounded))
        });
        let parcels = keys.filter_map(|key| self.parcels.get(key.order_id.as_str()));
        Some(page(parcels, limit, |parcel| &parcel.order_id))
    }

    #[must_use]
    pub fn run(&self, area: &Area, run_id: &str) -> Option<&Run> {
        self.run_in(area, run_id).ok()
    }

    /// By run id, which is the order of planning.
    #[must_use]
    pub fn runs(
        &self,
        area: &Area,
        filter: &RunFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Page<'_, Run> {
        let by = match (&filter.member_id, &filter.checkpoint_id) {
            (Some(member_id), _) => RunsOf::Member(member_id.clone()),
            (None, Some(checkpoint_id)) => RunsOf::Checkpoint(checkpoint_id.clone()),
            (None, None) => RunsOf::Area,
        };
        let state = filter.state.unwrap_or(RunState::Unspecified);
        let list = self.run_lists.0.get(&(area.clone(), by, state));
        let from = after.map_or(Bound::Unbounded, |id| Bound::Excluded(id.to_owned()));
        let runs = list
            .into_iter()
            .flat_map(|ids| ids.range((from.clone(), Bound::Unbounded)))
            .filter_map(|run_id| self.runs.get(run_id))
            .filter(|run| {
                let wanted = filter.checkpoint_id.as_ref();
                wanted.is_none_or(|c| *c == run.checkpoint_id)
            });
        page(runs, limit, |run| &run.run_id)
    }

    /// One line on an entity, for audits; codes and numbers only.
    pub(crate) fn describe(&self, stream: &StreamId) -> Option<String> {
        let id = stream.id();
        match stream.category() {
            "checkpoint" => self.checkpoints.get(id).map(|checkpoint| {
                let states = self.parcel_counts(&checkpoint.area, id);
                let counts: Vec<String> = states
                    .into_iter()
                    .map(|(state, parcels)| format!("{parcels} {}", word(state)))
                    .collect();
                format!("parcels: [{}]", counts.join(", "))
            }),
            "member" => self.members.get(id).map(Member::describe),
            "parcel" => self.parcels.get(id).map(Parcel::describe),
            "run" => self.runs.get(id).map(Run::describe),
            _ => self.freight.describe(stream),
        }
    }
}

/// Those with greater ids.
fn beyond<'a, T>(
    entities: &'a BTreeMap<String, T>,
    after: Option<&str>,
) -> impl Iterator<Item = &'a T> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let range = entities.range::<str, _>((from, Bound::Unbounded));
    range.map(|(_, entity)| entity)
}

fn page<'a, T>(
    mut items: impl Iterator<Item = &'a T>,
    limit: usize,
    id: impl Fn(&T) -> &str,
) -> Page<'a, T> {
    let page: Vec<&T> = items.by_ref().take(limit).collect();
    let more = items.next().is_some();
    Page {
        next: page.last().filter(|_| more).map(|last| id(last).to_owned()),
        items: page,
    }
}

impl Checkpoint {
    /// As the API shows it; `counts` from [`State::parcel_counts`].
    #[must_use]
    pub fn to_message(&self, counts: &[(ParcelState, usize)]) -> pb::GetCheckpointResponse {
        pb::GetCheckpointResponse {
            as_of_position: 0,
            checkpoint_id: self.checkpoint_id.clone(),
            name: self.name.clone(),
            communities: self.communities.clone(),
            parcels: counts
                .iter()
                .map(|(state, parcels)| pb::ParcelCount {
                    state: (*state).into(),
                    parcels: i64::try_from(*parcels).unwrap_or(i64::MAX),
                })
                .collect(),
        }
    }
}

impl Member {
    /// As the API shows it at `now`, with the shifts that end after
    /// `shifts_since`.
    #[must_use]
    pub fn to_message(&self, now: Timestamp, shifts_since: Timestamp) -> pb::MemberStatus {
        let shifts = self.shifts().filter(|shift| shift.ends > shifts_since);
        pb::MemberStatus {
            member_id: self.member_id.clone(),
            leader: self.leader,
            capacity_grams: self.capacity.0,
            shifts: shifts.map(|s| s.to_message(&self.member_id)).collect(),
            completed_runs: self.completed_runs,
            delivered_stops: self.delivered_stops,
            carried_grams: self.carried.0,
            on_shift: self.shift_at(now).is_some(),
        }
    }

    fn describe(&self) -> String {
        format!(
            "{} shifts, {} absences; {} runs completed, {} doors served, {} carried",
            self.shifts.len(),
            self.absences.len(),
            self.completed_runs,
            self.delivered_stops,
            self.carried
        )
    }
}

impl Shift {
    #[must_use]
    pub fn to_message(&self, member_id: &str) -> pb::Shift {
        pb::Shift {
            shift_id: self.shift_id.clone(),
            member_id: member_id.to_owned(),
            checkpoint_id: self.checkpoint_id.clone(),
            post: self.post.clone(),
            starts_time: Some(to_proto(self.starts)),
            ends_time: Some(to_proto(self.ends)),
        }
    }
}

impl Parcel {
    /// As the API shows it.
    #[must_use]
    pub fn to_message(&self) -> pb::Parcel {
        pb::Parcel {
            order_id: (&self.order_id).into(),
            household_id: (&self.household_id).into(),
            door: Some(self.door.as_ref().clone()),
            cadre_id: (&self.cadre_id).into(),
            bags: self.bags.iter().collect(),
            checkpoint_id: (&self.checkpoint_id).into(),
            custodian: Some(self.custodian.to_message()),
            state: self.state.into(),
            run_id: (&self.run_id).into(),
            attempts: self.attempts,
            weight_grams: self.weight().0,
            revision: self.revision.0,
            awaited_labels: self.awaited.keys().cloned().collect(),
        }
    }

    fn describe(&self) -> String {
        let mut line = format!(
            "{}{}, with {}, {} bags of {}",
            word(self.state),
            if self.withdrawn { " (withdrawn)" } else { "" },
            custody::name(&self.custodian.to_message()),
            self.bags.len(),
            self.weight()
        );
        if !self.awaited.is_empty() {
            let labels: Vec<&str> = self.awaited.keys().map(String::as_str).collect();
            line += &format!(", awaiting {}", labels.join(" "));
        }
        if self.attempts > 0 {
            line += &format!(", attempt {}", self.attempts);
        }
        if !self.run_id.is_empty() {
            line += &format!(", run {}", self.run_id);
        }
        line
    }
}

impl Run {
    /// As the API shows it.
    #[must_use]
    pub fn to_message(&self) -> pb::Run {
        let entrances = self.undisinfected_entrances();
        pb::Run {
            run_id: self.run_id.clone(),
            checkpoint_id: self.checkpoint_id.clone(),
            member_id: self.member_id.clone(),
            shift_id: self.shift_id.clone(),
            trip: self.trip,
            stops: self.stops.iter().map(RunStop::to_message).collect(),
            weight_grams: self.weight.0,
            state: self.state.into(),
            undisinfected_entrances: entrances.iter().map(Entrance::to_string).collect(),
            revision: self.revision.0,
        }
    }

    fn describe(&self) -> String {
        let open = self.stops.iter().filter(|s| s.state.is_open()).count();
        format!(
            "{}, trip {} of {}, {} stops of {}, {open} open",
            run_word(self.state),
            self.trip,
            self.member_id,
            self.stops.len(),
            self.weight
        )
    }
}
