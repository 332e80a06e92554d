//! The community of a rehearsal, made from a seed: doors, needs, habits, and
//! what goes wrong. Synthetic throughout; individuals appear only as roles.

use proto::{
    order::v1::Contact,
    types::v1::{Door, Need},
};
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// Xiangda town, Nangqian county.
pub const AREA: &str = "632725100";
pub const GRIDS: usize = 12;
pub const MEMBERS: usize = 12;
pub const CADRES: usize = 24;
/// What a member can move in one trip with a handcart.
pub const MEMBER_CAPACITY_GRAMS: i64 = 120_000;
/// Floors of an entrance, and doors on each.
const FLOORS: usize = 6;
const DOORS_PER_FLOOR: usize = 2;
const ENTRANCES_PER_BUILDING: usize = 3;

/// The set that every household gets, in the source's figures: rice 10 jin,
/// oil 20 jin, produce 10 jin (1 jin = 500 g).
pub const SET: [(&str, &str, i64); 3] = [
    ("rice-5kg", "大米 5 kg / rice 5 kg", 5_000),
    ("oil-10kg", "食用油 10 kg / cooking oil 10 kg", 10_000),
    ("produce-5kg", "蔬果 5 kg / produce 5 kg", 5_000),
];

/// How a household answers the message that its goods are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Says so by itself.
    Receipt,
    /// Only on the telephone.
    Call,
    /// Not even then: the cadre goes.
    Visit,
}

#[derive(Debug, Clone)]
pub struct Household {
    pub id: String,
    pub door: Door,
    pub contact: Contact,
    pub needs: Vec<Need>,
    pub cadre: String,
    pub language: &'static str,
    pub people: i32,
    /// Orders in its grid's group buy, otherwise by telephone.
    pub group_buy: bool,
    pub answer: Answer,
    /// Which bag of the set is damaged on the way, counted from 1.
    pub damaged_bag: Option<usize>,
    /// Which bag of the set is not there when the carrier hands it over,
    /// counted from 1: of one household.
    pub short_bag: Option<usize>,
    /// The first attempt fails.
    pub first_attempt_fails: bool,
}

#[derive(Debug)]
pub struct World {
    pub seed: u64,
    pub community: String,
    pub checkpoint: String,
    pub households: Vec<Household>,
    /// The member who does not come in the afternoon.
    pub absent_member: usize,
}

impl World {
    /// The same seed and size make the same community, on every machine.
    #[must_use]
    pub fn new(seed: u64, size: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let community = if seed == super::SEED {
            "zhichaka".to_owned()
        } else {
            format!("zhichaka-{seed}")
        };
        let mut households: Vec<Household> = doors(&community, size)
            .into_iter()
            .enumerate()
            .map(|(n, door)| household(&mut rng, &community, n, door))
            .collect();
        // Drawn by count, so that a small community has each of them too.
        for (share, mark) in [
            (0.005, mark_damaged as fn(&mut Household, &mut ChaCha8Rng)),
            (0.012, mark_failing),
        ] {
            let mut order: Vec<usize> = (0..size).collect();
            order.shuffle(&mut rng);
            for n in order.into_iter().take(share_of(size, share)) {
                mark(&mut households[n], &mut rng);
            }
        }
        let absent_member = rng.random_range(1..MEMBERS);
        // Drawn last, so that the rest of a seed's day stays as it was.
        let whole = households.iter_mut().filter(|h| h.damaged_bag.is_none());
        let mut whole: Vec<_> = whole.collect();
        if !whole.is_empty() {
            let unlucky = rng.random_range(0..whole.len());
            whole[unlucky].short_bag = Some(rng.random_range(1..=SET.len()));
        }
        Self {
            seed,
            checkpoint: format!("{community}-gate"),
            community,
            households,
            absent_member,
        }
    }

    #[must_use]
    pub fn grid(n: usize) -> String {
        format!("G{:02}", n + 1)
    }

    #[must_use]
    pub fn member(&self, n: usize) -> String {
        format!("{}-m{:02}", self.community, n + 1)
    }
}

/// At least one, rounded up.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
fn share_of(size: usize, share: f64) -> usize {
    ((size as f64 * share).ceil() as usize).max(1)
}

fn mark_damaged(household: &mut Household, rng: &mut ChaCha8Rng) {
    household.damaged_bag = Some(rng.random_range(1..=SET.len()));
}

fn mark_failing(household: &mut Household, _: &mut ChaCha8Rng) {
    household.first_attempt_fails = true;
}

/// Fills the grids evenly, and in each grid building after building.
fn doors(community: &str, size: usize) -> Vec<Door> {
    let mut doors = Vec::with_capacity(size);
    for grid in 0..GRIDS {
        let share = size / GRIDS + usize::from(grid < size % GRIDS);
        for n in 0..share {
            let per_entrance = FLOORS * DOORS_PER_FLOOR;
            let entrance = n / per_entrance;
            let place = n % per_entrance;
            doors.push(Door {
                community: community.to_owned(),
                grid: World::grid(grid),
                building: format!("B{}", entrance / ENTRANCES_PER_BUILDING + 1),
                entrance: format!("E{}", entrance % ENTRANCES_PER_BUILDING + 1),
                door: format!(
                    "{}0{}",
                    place / DOORS_PER_FLOOR + 1,
                    place % DOORS_PER_FLOOR + 1
                ),
            });
        }
    }
    doors
}

fn household(rng: &mut ChaCha8Rng, community: &str, n: usize, door: Door) -> Household {
    let mut needs = Vec::new();
    for (need, share) in [
        (Need::Elderly, 0.08),
        (Need::NoSmartphone, 0.06),
        (Need::BottledGas, 0.30),
        (Need::Expecting, 0.004),
    ] {
        if rng.random_bool(share) {
            needs.push(need);
        }
    }
    let telephoned = needs.contains(&Need::Elderly) || needs.contains(&Need::NoSmartphone);
    let answer = match rng.random_range(0..1000) {
        0..12 => Answer::Visit,
        12..45 => Answer::Call,
        _ if telephoned => Answer::Call,
        _ => Answer::Receipt,
    };
    Household {
        id: format!(
            "{community}-{}-{}-{}-{}",
            door.grid, door.building, door.entrance, door.door
        ),
        contact: Contact {
            name: format!("住户 {:04}", n + 1),
            phone: format!("1990000{:04}", n + 1),
            address: format!(
                "{} {} {} {} {}",
                community, door.grid, door.building, door.entrance, door.door
            ),
            email: String::new(),
        },
        needs,
        cadre: format!("{community}-c{:02}", n % CADRES + 1),
        language: if rng.random_bool(0.02) { "en" } else { "zh" },
        people: rng.random_range(1..=6),
        // About six in ten of all: those without a smartphone cannot.
        group_buy: !telephoned && rng.random_bool(0.69),
        answer,
        damaged_bag: None,
        short_bag: None,
        first_attempt_fails: false,
        door,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_community() {
        let shown = |world: &World| format!("{world:?}");
        assert_eq!(shown(&World::new(7, 200)), shown(&World::new(7, 200)));
        assert_ne!(shown(&World::new(7, 200)), shown(&World::new(8, 200)));
    }

    #[test]
    fn the_community_has_the_size_and_the_habits_of_the_sources() {
        let world = World::new(super::super::SEED, 1127);
        assert_eq!(world.households.len(), 1127);
        let mut ids: Vec<_> = world.households.iter().map(|h| &h.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 1127, "every door is one household");
        let group = world.households.iter().filter(|h| h.group_buy).count();
        assert!(
            (600..760).contains(&group),
            "six in ten order together: {group}"
        );
        for answer in [Answer::Receipt, Answer::Call, Answer::Visit] {
            assert!(world.households.iter().any(|h| h.answer == answer));
        }
        assert!(world.households.iter().any(|h| h.damaged_bag.is_some()));
        let short = world.households.iter().filter(|h| h.short_bag.is_some());
        assert_eq!(short.count(), 1);
        assert!(world.households.iter().any(|h| h.first_attempt_fails));
    }
}
