//! Every plan serves each parcel once, keeps capacities, and is balanced.

use std::collections::BTreeMap;

use logistics_domain::{
    Entrance, Grams,
    planning::{Item, Limits, Porter, Trip, plan},
};
use proptest::prelude::*;
use proto::types::v1::Door;

/// Parcels by entrance: weights of its doors.
type Town = Vec<Vec<i64>>;

const UNBOUNDED: Limits = Limits {
    trips: usize::MAX,
    stops: 32,
    trip_bytes: 6 * 1024,
    plan_bytes: usize::MAX,
};

struct Parcel {
    order_id: String,
    door: Door,
    weight: Grams,
}

fn parcels(town: &Town) -> Vec<Parcel> {
    let doors = town.iter().enumerate().flat_map(|(e, doors)| {
        doors.iter().enumerate().map(move |(d, weight)| Parcel {
            order_id: format!("o-{e}-{d}"),
            door: Door {
                community: format!("c{}", e / 20),
                grid: "G1".into(),
                building: format!("B{}", e / 4),
                entrance: format!("E{e}"),
                door: d.to_string(),
            },
            weight: Grams(*weight),
        })
    });
    doors.collect()
}

fn items(parcels: &[Parcel]) -> impl Iterator<Item = Item<'_>> {
    parcels.iter().map(|p| Item {
        order_id: &p.order_id,
        door: &p.door,
        weight: p.weight,
    })
}

fn porters(capacities: &[i64]) -> (Vec<String>, Vec<Grams>) {
    let names = (0..capacities.len()).map(|n| format!("m-{n}")).collect();
    (names, capacities.iter().copied().map(Grams).collect())
}

fn porter_list<'a>(names: &'a [String], capacities: &[Grams]) -> Vec<Porter<'a>> {
    let both = names.iter().zip(capacities);
    both.map(|(member_id, capacity)| Porter {
        member_id,
        capacity: *capacity,
        load: Grams::ZERO,
    })
    .collect()
}

fn served<'a>(trips: &'a [Trip<'a>]) -> Vec<&'a str> {
    trips
        .iter()
        .flat_map(|t| t.items.iter().map(|i| i.order_id))
        .collect()
}

fn town(grams_max: i64) -> impl Strategy<Value = Town> {
    prop::collection::vec(prop::collection::vec(0..=grams_max, 1..20), 0..60)
}

fn capacities() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(60_000_i64..=200_000, 1..14)
}

proptest! {
    #[test]
    fn every_parcel_is_planned_once_in_the_order_of_the_doors(
        town in town(60_000), capacities in capacities(),
    ) {
        let parcels = parcels(&town);
        let (names, capacities) = porters(&capacities);
        let trips = plan(items(&parcels), &porter_list(&names, &capacities), UNBOUNDED);
        let all: Vec<&str> = parcels.iter().map(|p| p.order_id.as_str()).collect();
        prop_assert_eq!(served(&trips), all);
    }

    #[test]
    fn no_trip_is_too_heavy_too_long_or_in_two_communities(
        town in town(300_000), capacities in capacities(),
    ) {
        let parcels = parcels(&town);
        let (names, capacities) = porters(&capacities);
        let strongest = capacities.iter().max().copied().unwrap_or_default();
        let trips = plan(items(&parcels), &porter_list(&names, &capacities), UNBOUNDED);
        for trip in &trips {
            let capacity = capacities[trip.porter];
            let weight: Grams = trip.items.iter().map(|i| i.weight).sum();
            prop_assert_eq!(weight, trip.weight);
            // Only a parcel that nobody can carry alone is carried by two.
            let for_two = trip.items.len() == 1 && weight > strongest;
            let limit = capacity.times(if for_two { 2 } else { 1 });
            prop_assert!(weight <= limit);
            prop_assert!((1..=UNBOUNDED.stops).contains(&trip.items.len()));
            let first = &trip.items[0].door.community;
            prop_assert!(trip.items.iter().all(|i| i.door.community == *first));
        }
        // What is left over is too heavy for any two.
        let served = served(&trips);
        for parcel in &parcels {
            let liftable = parcel.weight <= strongest.times(2);
            let times = served.iter().filter(|id| **id == parcel.order_id).count();
            prop_assert_eq!(times, usize::from(liftable), "{}", parcel.order_id);
        }
    }

    #[test]
    fn the_heaviest_and_the_lightest_load_differ_by_at_most_one_trip(
        town in town(60_000), capacities in capacities(),
    ) {
        let parcels = parcels(&town);
        let (names, capacities) = porters(&capacities);
        let trips = plan(items(&parcels), &porter_list(&names, &capacities), UNBOUNDED);
        let mut loads = vec![Grams::ZERO; capacities.len()];
        for trip in &trips {
            loads[trip.porter] = loads[trip.porter].plus(trip.weight);
        }
        let most = loads.iter().max().copied().unwrap_or_default();
        let least = loads.iter().min().copied().unwrap_or_default();
        let one_trip = capacities.iter().max().copied().unwrap_or_default();
        prop_assert!(most.minus(least) <= one_trip, "{loads:?}");
    }

    #[test]
    fn an_entrance_that_fits_one_trip_is_served_by_one(town in town(10_000)) {
        let parcels = parcels(&town);
        let (names, capacities) = porters(&[190_000, 190_000, 190_000]);
        let trips = plan(items(&parcels), &porter_list(&names, &capacities), UNBOUNDED);
        let mut visits: BTreeMap<Entrance, usize> = BTreeMap::new();
        for trip in &trips {
            let mut here: Vec<Entrance> = trip.items.iter().map(|i| Entrance::of(i.door)).collect();
            here.dedup();
            for entrance in here {
                *visits.entry(entrance).or_default() += 1;
            }
        }
        // 19 doors of at most 10 kg always fit into 190 kg.
        prop_assert!(visits.values().all(|v| *v == 1), "{visits:?}");
    }

    #[test]
    fn a_plan_in_parts_is_the_plan_at_once(town in town(60_000), trips_max in 1_usize..5) {
        let parcels = parcels(&town);
        let (names, capacities) = porters(&[120_000; 3]);
        let team = porter_list(&names, &capacities);
        let whole = plan(items(&parcels), &team, UNBOUNDED);
        let limits = Limits { trips: trips_max, ..UNBOUNDED };
        let mut team = team;
        let mut parts = vec![];
        loop {
            let done = parts.iter().map(|t: &Trip<'_>| t.items.len()).sum();
            let part = plan(items(&parcels).skip(done), &team, limits);
            if part.is_empty() {
                break;
            }
            for trip in &part {
                team[trip.porter].load = team[trip.porter].load.plus(trip.weight);
            }
            parts.extend(part);
        }
        let shape = |trips: &[Trip<'_>]| -> Vec<(usize, usize)> {
            trips.iter().map(|t| (t.porter, t.items.len())).collect()
        };
        prop_assert_eq!(shape(&parts), shape(&whole));
    }
}
