//! What may be asked about the state, without changing it.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    ops::Bound,
    sync::Arc,
};

use decider::{Area, Timestamp};
use proto::{notification::v1::Parameter, types::v1::Sealed};

use crate::{
    notification::Notification,
    state::{Ids, State},
    values::{Kind, Language, Phase},
};

/// Which notifications are listed; unset fields let all through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub area: Option<Area>,
    pub phase: Option<Phase>,
    pub kind: Option<Kind>,
    pub household_id: Option<String>,
    pub order_id: Option<String>,
    /// Who answers for the household now, for open ones.
    pub cadre_id: Option<String>,
}

impl Filter {
    fn lets_through(&self, n: &Notification) -> bool {
        fn fits<T: PartialEq>(wanted: Option<&T>, found: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == found)
        }
        fits(self.area.as_ref(), &n.area)
            && fits(self.phase.as_ref(), &n.phase)
            && fits(self.kind.as_ref(), &n.kind)
            && fits(self.household_id.as_ref(), &n.household_id)
            && fits(self.order_id.as_ref(), &n.order_id)
            && fits(self.cadre_id.as_ref(), &n.cadre_id)
    }
}

/// A message that is to be sent now.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingSend {
    pub notification_id: String,
    pub area: Area,
    pub household_id: String,
    pub order_id: String,
    pub kind: Kind,
    pub language: Language,
    pub parameters: Vec<Parameter>,
    /// Of the record that asked for it; the outcome carries it on.
    pub correlation_id: String,
    /// To be given back with the outcome; with the id it names the attempt,
    /// also after a crash between sending and recording.
    pub attempt: i32,
    /// As it stands now; none if there is nothing to send to any more.
    pub contact: Option<Sealed>,
}

impl State {
    /// The notification about goods at the door of an order, open or closed.
    #[must_use]
    pub fn goods_at_door(&self, order_id: &str) -> Option<&Notification> {
        self.once(Kind::GoodsAtDoor, order_id)
    }

    /// All of an order, in id order, which is the order of their making.
    pub fn notifications_of_order(&self, order_id: &str) -> impl Iterator<Item = &Notification> {
        self.by_order
            .get(order_id)
            .into_iter()
            .flatten()
            .filter_map(|id| self.notifications.get(id))
    }

    /// Up to `limit` that the filter lets through, in id order, behind the id
    /// `after`: an id once given stays a valid place to go on from.
    #[must_use]
    pub fn list(&self, filter: &Filter, after: Option<&str>, limit: usize) -> Vec<&Notification> {
        let from = (
            after.map_or(Bound::Unbounded, Bound::Excluded),
            Bound::Unbounded,
        );
        match self.narrowest(filter) {
            Narrowest::Nothing => Vec::new(),
            Narrowest::Index(ids) => ids
                .range::<str, _>(from)
                .filter_map(|id| self.notifications.get(id))
                .filter(|n| filter.lets_through(n))
                .take(limit)
                .collect(),
            Narrowest::All(all) => all
                .range::<str, _>(from)
                .map(|(_, n)| n)
                .filter(|n| filter.lets_through(n))
                .take(limit)
                .collect(),
        }
    }

    /// How many are in a phase, for example open visits.
    #[must_use]
    pub fn count(&self, phase: Phase) -> usize {
        self.by_phase.get(&phase).map_or(0, Ids::len)
    }

    /// What is to be sent now, the longest waiting first. The same is given
    /// again until its outcome is recorded.
    #[must_use]
    pub fn pending_sends(&self, now: Timestamp, limit: usize) -> Vec<PendingSend> {
        self.sends
            .iter()
            .take_while(|(at, _)| *at <= now)
            .filter_map(|(_, id)| self.notifications.get(id))
            .take(limit)
            .map(|n| PendingSend {
                notification_id: n.notification_id.to_string(),
                area: n.area.clone(),
                household_id: n.household_id.clone(),
                order_id: n.order_id.clone(),
                kind: n.kind,
                language: n.language,
                parameters: n.parameters.clone(),
                correlation_id: n.correlation_id.clone(),
                attempt: n.attempts.saturating_add(1),
                contact: self.contact(&n.household_id).and_then(|c| c.sealed.clone()),
            })
            .collect()
    }

    /// How many [`Self::pending_sends`] has without a limit.
    #[must_use]
    pub fn pending_count(&self, now: Timestamp) -> usize {
        self.sends.iter().take_while(|(at, _)| *at <= now).count()
    }

    /// When the next message is to be sent; may be past.
    #[must_use]
    pub fn next_send(&self) -> Option<Timestamp> {
        self.sends.first().map(|(at, _)| *at)
    }

    fn narrowest(&self, filter: &Filter) -> Narrowest<'_> {
        let wanted = [
            lookup(&self.by_order, filter.order_id.as_ref()),
            lookup(&self.by_household, filter.household_id.as_ref()),
            lookup(&self.by_cadre, filter.cadre_id.as_ref()),
            lookup(&self.by_phase, filter.phase.as_ref()),
            lookup(&self.by_kind, filter.kind.as_ref()),
        ];
        let mut best: Option<&Ids> = None;
        for found in wanted.into_iter().flatten() {
            match found {
                None => return Narrowest::Nothing,
                Some(ids) if best.is_none_or(|b| ids.len() < b.len()) => best = Some(ids),
                Some(_) => {}
            }
        }
        best.map_or(Narrowest::All(&self.notifications), Narrowest::Index)
    }
}

enum Narrowest<'a> {
    Nothing,
    Index(&'a Ids),
    All(&'a BTreeMap<Arc<str>, Notification>),
}

/// None where it is not asked for; `Some(None)` where there is none of it.
fn lookup<'a, K: Eq + Hash>(
    index: &'a HashMap<K, Ids>,
    wanted: Option<&K>,
) -> Option<Option<&'a Ids>> {
    wanted.map(|key| index.get(key))
}
