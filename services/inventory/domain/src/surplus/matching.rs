//! Which surplus is proposed to which buyer: a plan for one round, made from
//! what is open on both sides. Pure arithmetic on whole numbers.
//!
//! A pair is *feasible* when the product is the same, the grade is good enough,
//! the asking price is at most the buyer's highest, the pair was not refused
//! before, and the goods can be fetched for [`PICKUP_MINUTES_MIN`] at least
//! within the listing's time, so that they reach the buyer in his window
//! ([`TRAVEL_MINUTES`]) and are not under way for longer than
//! [`CARRY_MINUTES_MAX`].
//!
//! 1. Listings of a product are served by urgency: those of which the time ends
//!    within the same six hours are equally urgent, earlier ones go first.
//! 2. Among the equally urgent, the one goes first of which the smallest share
//!    is promised so far (promised ÷ listed), then the longer harvested, then
//!    the smaller id. It is given a portion: an eighth of what it listed,
//!    though at least [`PORTION_GRAMS_MIN`], so that nobody is fetched for a
//!    handful. Then it is compared again: shares differ by one portion at most.
//! 3. Its portions go to the buyer that it was first given, as long as that
//!    one wants more, so that it is fetched for few buyers. A buyer is chosen
//!    in the listing's zone before others, then the one with the smallest share
//!    of its demand promised, then the one whose window ends first, then by id.
//!
//! What holds of a plan, whatever is put in:
//! - no listing gives more than is open of it, no demand gets more;
//! - every pair of it is feasible, and each pair stands in it once;
//! - nothing is left over: of each feasible pair one side is used up;
//! - a listing that is left with something is not less urgent than one that
//!   was given units of a demand which it could have served itself;
//! - no listing goes to another zone while a feasible demand of its own zone
//!   stays open;
//! - it does not depend on the order in which listings and demands come.
//!
//! With L listings and D demands of a product there are at most L × (8 + D)
//! portions, each found in O(D + log L): O(L × D × (8 + D)) at worst, with
//! D being the buyers' side, which is short. Memory is O(L × D).

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use decider::Timestamp;
use proto::inventory::v1::Grade;

use crate::units::{FenPerKg, Grams, Units};

/// From the field to the buyer, loading included.
pub const TRAVEL_MINUTES: i64 = 60;
/// A time to fetch something is at least that long.
pub const PICKUP_MINUTES_MIN: i64 = 30;
/// From now until a vehicle can be at the field.
pub const LEAD_MINUTES: i64 = 30;
/// Between being fetched and the beginning of the buyer's window at most.
pub const CARRY_MINUTES_MAX: i64 = 24 * 60;
/// Goods that end within the same six hours are equally urgent.
const URGENCY_MS: i64 = 6 * 3_600_000;
/// A listing is given away in so many portions at most...
const PORTIONS: i64 = 8;
/// ...and none of them is smaller, unless less is left.
pub const PORTION_GRAMS_MIN: Grams = Grams(100_000);

/// What is open of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supply<'a> {
    pub listing_id: &'a str,
    pub product_id: &'a str,
    pub zone: &'a str,
    /// Not `Unspecified`.
    pub grade: Grade,
    pub unit_weight: Grams,
    pub asking: FenPerKg,
    /// When it can be fetched.
    pub from: Timestamp,
    pub to: Timestamp,
    pub harvested: Timestamp,
    /// Above zero.
    pub open: Units,
    /// Above zero.
    pub listed: Units,
    /// Of what was listed, promised to somebody before this round.
    pub served: Units,
}

/// What is open of a demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish<'a> {
    pub demand_id: &'a str,
    pub product_id: &'a str,
    pub zone: &'a str,
    /// `Unspecified`: any.
    pub lowest_grade: Grade,
    pub highest: FenPerKg,
    /// When the buyer receives.
    pub from: Timestamp,
    pub to: Timestamp,
    /// Above zero.
    pub open: Units,
    /// Above zero.
    pub asked: Units,
    /// Of what was asked, promised before this round.
    pub served: Units,
}

/// So many units of one listing for one demand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair<'a> {
    pub listing_id: &'a str,
    pub demand_id: &'a str,
    pub units: Units,
}

/// When the supply can be fetched for the wish; none where it cannot.
#[must_use]
pub fn pickup_window(
    supply: &Supply<'_>,
    wish: &Wish<'_>,
    now: Timestamp,
) -> Option<(Timestamp, Timestamp)> {
    let earliest = wish.from.plus_minutes(-CARRY_MINUTES_MAX);
    let from = supply
        .from
        .max(earliest)
        .max(now.plus_minutes(LEAD_MINUTES));
    let to = supply.to.min(wish.to.plus_minutes(-TRAVEL_MINUTES));
    (from.plus_minutes(PICKUP_MINUTES_MIN) <= to).then_some((from, to))
}

/// Whether the two fit, apart from what was refused.
#[must_use]
pub fn fits(supply: &Supply<'_>, wish: &Wish<'_>, now: Timestamp) -> bool {
    // A is 1: the smaller, the better.
    let any = wish.lowest_grade == Grade::Unspecified;
    supply.product_id == wish.product_id
        && (any || supply.grade as i32 <= wish.lowest_grade as i32)
        && supply.asking <= wish.highest
        && pickup_window(supply, wish, now).is_some()
}

/// The plan of one round, in the order in which it came about. `passed_over`
/// says that a listing is not to be proposed for a demand again.
#[must_use]
pub fn plan<'a>(
    supplies: &[Supply<'a>],
    wishes: &[Wish<'a>],
    now: Timestamp,
    passed_over: impl Fn(&str, &str) -> bool,
) -> Vec<Pair<'a>> {
    let mut products = BTreeMap::<&str, (Vec<&Supply<'a>>, Vec<&Wish<'a>>)>::new();
    for supply in supplies.iter().filter(|supply| supply.open > Units::ZERO) {
        products
            .entry(supply.product_id)
            .or_default()
            .0
            .push(supply);
    }
    for wish in wishes.iter().filter(|wish| wish.open > Units::ZERO) {
        products.entry(wish.product_id).or_default().1.push(wish);
    }
    let mut pairs = Vec::new();
    for (mut supplies, mut wishes) in products.into_values() {
        supplies.sort_by_key(|supply| supply.listing_id);
        wishes.sort_by_key(|wish| wish.demand_id);
        let feasible = |supply: &Supply<'_>, wish: &Wish<'_>| {
            fits(supply, wish, now) && !passed_over(supply.listing_id, wish.demand_id)
        };
        Planner::new(&supplies, &wishes, feasible).run(&mut pairs);
    }
    pairs
}

/// Promised ÷ whole, compared without dividing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    promised: Units,
    whole: Units,
}

impl Ord for Share {
    fn cmp(&self, other: &Self) -> Ordering {
        let cross = |a: Units, b: Units| i128::from(a.0) * i128::from(b.0);
        cross(self.promised, other.whole).cmp(&cross(other.promised, self.whole))
    }
}

impl PartialOrd for Share {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One product's round.
struct Planner<'p, 'a> {
    supplies: &'p [&'p Supply<'a>],
    wishes: &'p [&'p Wish<'a>],
    /// Of each supply, the wishes that it fits.
    feasible: Vec<Vec<usize>>,
    open_supply: Vec<Units>,
    open_wish: Vec<Units>,
    /// The wish that a supply's portions go to.
    current: Vec<Option<usize>>,
}

impl<'p, 'a> Planner<'p, 'a> {
    fn new(
        supplies: &'p [&'p Supply<'a>],
        wishes: &'p [&'p Wish<'a>],
        feasible: impl Fn(&Supply<'_>, &Wish<'_>) -> bool,
    ) -> Self {
        let of = |supply: &&Supply<'_>| {
            let all = wishes.iter().enumerate();
            all.filter(|(_, wish)| feasible(supply, wish))
                .map(|(n, _)| n)
                .collect()
        };
        Self {
            feasible: supplies.iter().map(of).collect(),
            open_supply: supplies.iter().map(|supply| supply.open).collect(),
            open_wish: wishes.iter().map(|wish| wish.open).collect(),
            current: vec![None; supplies.len()],
            supplies,
            wishes,
        }
    }

    fn run(mut self, pairs: &mut Vec<Pair<'a>>) {
        let mut classes = BTreeMap::<i64, Vec<usize>>::new();
        for (n, supply) in self.supplies.iter().enumerate() {
            let class = supply.to.0.div_euclid(URGENCY_MS);
            classes.entry(class).or_default().push(n);
        }
        let mut given = BTreeMap::<(usize, usize), Units>::new();
        let mut order = Vec::new();
        for class in classes.into_values() {
            let mut line: BTreeSet<_> = class.into_iter().map(|n| self.place(n)).collect();
            while let Some((_, _, _, n)) = line.pop_first() {
                let Some(wish) = self.wish_for(n) else {
                    continue;
                };
                let units = self.portion(n).min(self.open_wish[wish]);
                self.open_supply[n] = self.open_supply[n].minus(units);
                self.open_wish[wish] = self.open_wish[wish].minus(units);
                self.current[n] = Some(wish);
                let sum = given.entry((n, wish)).or_insert_with(|| {
                    order.push((n, wish));
                    Units::ZERO
                });
                *sum = sum.plus(units);
                if self.open_supply[n] > Units::ZERO {
                    line.insert(self.place(n));
                }
            }
        }
        pairs.extend(order.into_iter().map(|(n, wish)| Pair {
            listing_id: self.supplies[n].listing_id,
            demand_id: self.wishes[wish].demand_id,
            units: given[&(n, wish)],
        }));
    }

    /// Where a supply stands among the equally urgent.
    fn place(&self, n: usize) -> (Share, Timestamp, &'a str, usize) {
        let supply = self.supplies[n];
        let now_given = supply.open.minus(self.open_supply[n]);
        let share = Share {
            promised: supply.served.plus(now_given),
            whole: supply.listed.max(Units(1)),
        };
        (share, supply.harvested, supply.listing_id, n)
    }

    fn portion(&self, n: usize) -> Units {
        let supply = self.supplies[n];
        let ceil = |whole: i64, part: i64| whole.max(0).saturating_add(part - 1) / part;
        let eighth = ceil(supply.listed.0, PORTIONS);
        let least = ceil(PORTION_GRAMS_MIN.0, supply.unit_weight.0.max(1));
        Units(eighth.max(least).max(1)).min(self.open_supply[n])
    }

    fn wish_for(&self, n: usize) -> Option<usize> {
        let is_open = |wish: &usize| self.open_wish[*wish] > Units::ZERO;
        if let Some(current) = self.current[n].filter(is_open) {
            return Some(current);
        }
        let open = self.feasible[n].iter().copied().filter(is_open);
        open.min_by_key(|n_wish| {
            let wish = self.wishes[*n_wish];
            let now_given = wish.open.minus(self.open_wish[*n_wish]);
            let share = Share {
                promised: wish.served.plus(now_given),
                whole: wish.asked.max(Units(1)),
            };
            let elsewhere = wish.zone != self.supplies[n].zone;
            (elsewhere, share, wish.to, wish.demand_id)
        })
    }
}
