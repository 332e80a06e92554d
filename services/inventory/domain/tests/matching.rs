//! The plan of a round: what its module promises, for all that can be put in.

use std::collections::{BTreeMap, BTreeSet};

use decider::{Timestamp, spec::START};
use inventory_domain::{
    FenPerKg, Grams, Units,
    matching::{Pair, Supply, Wish, fits, pickup_window, plan},
};
use proptest::prelude::*;
use proto::inventory::v1::Grade;

/// Ids are borrowed, so numbers are drawn and dressed up.
#[derive(Debug, Clone)]
struct Field {
    id: String,
    product: &'static str,
    zone: &'static str,
    grade: Grade,
    unit_grams: i64,
    asking: i64,
    from_min: i64,
    to_min: i64,
    harvested_min: i64,
    open: i64,
    served: i64,
}

#[derive(Debug, Clone)]
struct Firm {
    id: String,
    product: &'static str,
    zone: &'static str,
    lowest: Grade,
    highest: i64,
    from_min: i64,
    to_min: i64,
    open: i64,
    served: i64,
}

fn minute(minutes: i64) -> Timestamp {
    START.plus_minutes(minutes)
}

impl Field {
    fn supply(&self) -> Supply<'_> {
        Supply {
            listing_id: &self.id,
            product_id: self.product,
            zone: self.zone,
            grade: self.grade,
            unit_weight: Grams(self.unit_grams),
            asking: FenPerKg(self.asking),
            from: minute(self.from_min),
            to: minute(self.to_min),
            harvested: minute(self.harvested_min),
            open: Units(self.open),
            listed: Units(self.open + self.served),
            served: Units(self.served),
        }
    }
}

impl Firm {
    fn wish(&self) -> Wish<'_> {
        Wish {
            demand_id: &self.id,
            product_id: self.product,
            zone: self.zone,
            lowest_grade: self.lowest,
            highest: FenPerKg(self.highest),
            from: minute(self.from_min),
            to: minute(self.to_min),
            open: Units(self.open),
            asked: Units(self.open + self.served),
            served: Units(self.served),
        }
    }
}

const PRODUCTS: [&str; 2] = ["radish", "greens"];
const ZONES: [&str; 3] = ["z1", "z2", "z3"];
const GRADES: [Grade; 4] = [Grade::A, Grade::B, Grade::C, Grade::Unspecified];

fn fields() -> impl Strategy<Value = Vec<Field>> {
    let field = (
        (0..2usize, 0..3usize, 0..3usize),
        prop_oneof![Just(500_i64), Just(10_000), Just(1_000_000)],
        80..120_i64,
        (-300..900_i64, 1..2_000_i64, -900..0_i64),
        (1..400_i64, 0..50_i64),
    );
    prop::collection::vec(field, 0..25).prop_map(|all| {
        let fields = all.into_iter().enumerate();
        fields
            .map(|(n, (places, unit_grams, asking, times, units))| Field {
                // Ids in an order of their own.
                id: format!("L{}-{n}", (n * 7) % 10),
                product: PRODUCTS[places.0],
                zone: ZONES[places.1],
                grade: GRADES[places.2],
                unit_grams,
                asking,
                from_min: times.0,
                to_min: times.0 + times.1,
                harvested_min: times.2,
                open: units.0,
                served: units.1,
            })
            .collect()
    })
}

fn firms() -> impl Strategy<Value = Vec<Firm>> {
    let firm = (
        (0..2usize, 0..3usize, 0..4usize),
        90..130_i64,
        (-300..2_000_i64, 1..900_i64),
        (1..900_i64, 0..50_i64),
    );
    prop::collection::vec(firm, 0..8).prop_map(|all| {
        let firms = all.into_iter().enumerate();
        firms
            .map(|(n, (places, highest, times, units))| Firm {
                id: format!("D{}-{n}", (n * 3) % 5),
                product: PRODUCTS[places.0],
                zone: ZONES[places.1],
                lowest: GRADES[places.2],
                highest,
                from_min: times.0,
                to_min: times.0 + times.1,
                open: units.0,
                served: units.1,
            })
            .collect()
    })
}

/// Pairs that were refused: by the sum of two numbers.
fn refused(listing_id: &str, demand_id: &str) -> bool {
    let sum: u32 = listing_id
        .bytes()
        .chain(demand_id.bytes())
        .map(u32::from)
        .sum();
    sum.is_multiple_of(7)
}

struct Planned<'a> {
    supplies: Vec<Supply<'a>>,
    wishes: Vec<Wish<'a>>,
    pairs: Vec<Pair<'a>>,
    left: BTreeMap<&'a str, i64>,
}

fn planned<'a>(fields: &'a [Field], firms: &'a [Firm]) -> Planned<'a> {
    let supplies: Vec<_> = fields.iter().map(Field::supply).collect();
    let wishes: Vec<_> = firms.iter().map(Firm::wish).collect();
    let pairs = plan(&supplies, &wishes, START, refused);
    let mut left = BTreeMap::new();
    left.extend(supplies.iter().map(|s| (s.listing_id, s.open.0)));
    left.extend(wishes.iter().map(|w| (w.demand_id, w.open.0)));
    for pair in &pairs {
        for id in [pair.listing_id, pair.demand_id] {
            *left.get_mut(id).expect("an id that was put in") -= pair.units.0;
        }
    }
    Planned {
        supplies,
        wishes,
        pairs,
        left,
    }
}

impl<'a> Planned<'a> {
    fn supply(&self, id: &str) -> &Supply<'a> {
        let found = self.supplies.iter().find(|s| s.listing_id == id);
        found.expect("it was put in")
    }

    fn wish(&self, id: &str) -> &Wish<'a> {
        let found = self.wishes.iter().find(|w| w.demand_id == id);
        found.expect("it was put in")
    }

    fn feasible(&self, supply: &Supply<'_>, wish: &Wish<'_>) -> bool {
        fits(supply, wish, START) && !refused(supply.listing_id, wish.demand_id)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_given_or_got_more_than_is_open(fields in fields(), firms in firms()) {
        let planned = planned(&fields, &firms);
        prop_assert!(planned.left.values().all(|left| *left >= 0));
        prop_assert!(planned.pairs.iter().all(|pair| pair.units.0 > 0));
        let once: BTreeSet<_> = planned.pairs.iter().map(|p| (p.listing_id, p.demand_id)).collect();
        prop_assert_eq!(once.len(), planned.pairs.len());
    }

    #[test]
    fn no_pair_breaks_a_limit(fields in fields(), firms in firms()) {
        let planned = planned(&fields, &firms);
        for pair in &planned.pairs {
            let (supply, wish) = (planned.supply(pair.listing_id), planned.wish(pair.demand_id));
            prop_assert!(!refused(pair.listing_id, pair.demand_id));
            prop_assert_eq!(supply.product_id, wish.product_id);
            prop_assert!(supply.asking <= wish.highest);
            prop_assert!(wish.lowest_grade == Grade::Unspecified || supply.grade as i32 <= wish.lowest_grade as i32);
            let (from, to) = pickup_window(supply, wish, START).expect("a time to fetch it");
            prop_assert!(from >= supply.from && to <= supply.to, "while it is there");
            prop_assert!(from >= START.plus_minutes(30), "not before a vehicle can come");
            prop_assert!(to.plus_minutes(60) <= wish.to, "early enough for the buyer");
            prop_assert!(from.plus_minutes(24 * 60) >= wish.from, "not too early for the buyer");
            prop_assert!(from.plus_minutes(30) <= to);
        }
    }

    #[test]
    fn no_feasible_pair_is_left_over(fields in fields(), firms in firms()) {
        let planned = planned(&fields, &firms);
        for supply in &planned.supplies {
            for wish in &planned.wishes {
                let both_open = planned.left[supply.listing_id] > 0 && planned.left[wish.demand_id] > 0;
                prop_assert!(!(both_open && planned.feasible(supply, wish)), "{supply:?} {wish:?}");
            }
        }
    }

    #[test]
    fn who_is_left_with_something_is_not_more_urgent_than_who_was_served(
        fields in fields(),
        firms in firms(),
    ) {
        let urgency = |supply: &Supply<'_>| supply.to.0.div_euclid(6 * 3_600_000);
        let planned = planned(&fields, &firms);
        for pair in &planned.pairs {
            let (served, wish) = (planned.supply(pair.listing_id), planned.wish(pair.demand_id));
            for other in &planned.supplies {
                let open = planned.left[other.listing_id] > 0;
                if open && planned.feasible(other, wish) {
                    prop_assert!(urgency(other) >= urgency(served), "{other:?} waits for {served:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_leaves_its_zone_while_somebody_there_wants_it(fields in fields(), firms in firms()) {
        let planned = planned(&fields, &firms);
        for pair in &planned.pairs {
            let (supply, wish) = (planned.supply(pair.listing_id), planned.wish(pair.demand_id));
            for at_home in planned.wishes.iter().filter(|w| w.zone == supply.zone) {
                let open = planned.left[at_home.demand_id] > 0;
                prop_assert!(
                    wish.zone == supply.zone || !open || !planned.feasible(supply, at_home)
                );
            }
        }
    }

    #[test]
    fn the_order_of_what_is_put_in_does_not_matter(
        fields in fields(),
        firms in firms(),
        turn in any::<usize>(),
    ) {
        let first = planned(&fields, &firms).pairs;
        let (mut other_fields, mut other_firms) = (fields.clone(), firms.clone());
        other_fields.reverse();
        other_firms.reverse();
        let by = turn % other_fields.len().max(1);
        other_fields.rotate_left(by);
        prop_assert_eq!(first, planned(&other_fields, &other_firms).pairs);
    }

    /// Growers who differ in nothing but how much they have get shares of it
    /// that differ by one portion at most: an eighth, or 100 kg.
    #[test]
    fn equals_get_equal_shares(
        open in prop::collection::vec(1..400_i64, 1..20),
        asked in 1..4_000_i64,
    ) {
        let fields: Vec<_> = open.iter().enumerate().map(|(n, open)| Field {
            id: format!("L{n:02}"),
            product: "radish",
            zone: "z1",
            grade: Grade::B,
            unit_grams: 10_000,
            asking: 100,
            from_min: 0,
            to_min: 600,
            harvested_min: -60,
            open: *open,
            served: 0,
        }).collect();
        let firm = Firm {
            id: "D".into(),
            product: "radish",
            zone: "z1",
            lowest: Grade::Unspecified,
            highest: 100,
            from_min: 60,
            to_min: 600,
            open: asked,
            served: 0,
        };
        let supplies: Vec<_> = fields.iter().map(Field::supply).collect();
        let pairs = plan(&supplies, &[firm.wish()], START, |_, _| false);
        let given = |field: &Field| {
            let of = pairs.iter().find(|pair| pair.listing_id == field.id);
            of.map_or(0, |pair| pair.units.0)
        };
        let portion = |field: &Field| ((field.open + 7) / 8).max(10).min(field.open);
        for one in &fields {
            for other in fields.iter().filter(|other| given(other) < other.open) {
                // share(one) − portion(one) ≤ share(other), without dividing.
                prop_assert!(
                    (given(one) - portion(one)) * other.open <= given(other) * one.open,
                    "{} of {} and {} of {}",
                    given(one), one.open, given(other), other.open
                );
            }
        }
    }
}

#[test]
fn absurd_numbers_do_not_overflow() {
    let supply = Supply {
        listing_id: "L",
        product_id: "radish",
        zone: "z",
        grade: Grade::A,
        unit_weight: Grams(i64::MAX),
        asking: FenPerKg(i64::MIN),
        from: Timestamp(i64::MIN),
        to: Timestamp(i64::MAX),
        harvested: Timestamp(i64::MIN),
        open: Units(i64::MAX),
        listed: Units(i64::MAX),
        served: Units(i64::MAX),
    };
    let wish = Wish {
        demand_id: "D",
        product_id: "radish",
        zone: "z",
        lowest_grade: Grade::Unspecified,
        highest: FenPerKg(i64::MAX),
        from: Timestamp(i64::MIN),
        to: Timestamp(i64::MAX),
        open: Units(i64::MAX),
        asked: Units(i64::MIN),
        served: Units(i64::MAX),
    };
    let pairs = plan(&[supply], &[wish], Timestamp(i64::MAX - 1), |_, _| false);
    assert!(pairs.len() <= 1);
}
