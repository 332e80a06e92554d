//! Balanced planning of trips on foot (S17). Pure arithmetic over parcels in
//! the order of the doors: knows no state, no events, no clock.
//!
//! A trip serves whole entrances where they fit; an entrance too heavy for one
//! trip is split over several, the first of which fills up the trip at hand,
//! so that as few trips as possible are walked. Each trip goes to the member
//! with the least load, therefore the heaviest and the lightest load differ by
//! at most one trip if they did before.

use std::collections::VecDeque;

use proto::types::v1::Door;

use crate::{door::Entrance, units::Grams};

/// Limits of one plan; they keep its events small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub trips: usize,
    /// Stops of one trip.
    pub stops: usize,
    /// Encoded stops of one trip.
    pub trip_bytes: usize,
    /// Encoded stops of all trips.
    pub plan_bytes: usize,
}

impl Limits {
    /// The service's: a plan's events stay below 48 KiB, one below 8 KiB, also
    /// with the longest ids.
    pub const STANDARD: Self = Self {
        trips: 24,
        stops: 32,
        trip_bytes: 6 * 1024,
        plan_bytes: 30 * 1024,
    };
}

/// A parcel to be planned.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    pub order_id: &'a str,
    pub door: &'a Door,
    pub weight: Grams,
}

impl Item<'_> {
    /// An upper bound of what its stop takes in an event.
    fn bytes(&self) -> usize {
        let door = self.door;
        let codes = [
            &door.community,
            &door.grid,
            &door.building,
            &door.entrance,
            &door.door,
        ];
        codes.iter().fold(self.order_id.len(), |sum, code| {
            sum.saturating_add(code.len())
        }) + 40
    }
}

/// A member who can be sent out.
#[derive(Debug, Clone, Copy)]
pub struct Porter<'a> {
    pub member_id: &'a str,
    /// For one trip.
    pub capacity: Grams,
    /// Planned and carried in this shift before.
    pub load: Grams,
}

impl Porter<'_> {
    /// With a second person.
    const fn capacity_of_two(&self) -> Grams {
        self.capacity.times(2)
    }
}

#[derive(Debug, Clone)]
pub struct Trip<'a> {
    /// Number in the list of porters.
    pub porter: usize,
    pub items: Vec<Item<'a>>,
    pub weight: Grams,
}

/// Plans trips for `items`, which come in the order of the doors. A parcel
/// too heavy even for two is passed over.
pub fn plan<'a>(
    items: impl Iterator<Item = Item<'a>>,
    porters: &[Porter<'_>],
    limits: Limits,
) -> Vec<Trip<'a>> {
    let mut queue = Queue::new(items);
    let mut loads: Vec<Grams> = porters.iter().map(|p| p.load).collect();
    let mut trips: Vec<Trip<'a>> = vec![];
    let mut bytes = 0_usize;
    while trips.len() < limits.trips && bytes + limits.trip_bytes <= limits.plan_bytes {
        let Some(first) = queue.first() else { break };
        let Some((porter, alone)) = choose(porters, &loads, first.weight) else {
            queue.take_first();
            continue;
        };
        let mut trip = Load::default();
        if alone {
            trip.take(queue.take_first());
        } else {
            queue.fill(&mut trip, porters[porter].capacity, limits);
        }
        bytes += trip.bytes;
        loads[porter] = loads[porter].plus(trip.weight);
        trips.push(Trip {
            porter,
            items: trip.items,
            weight: trip.weight,
        });
    }
    trips
}

/// The member with the least load who can carry the weight, or, where nobody
/// can alone, together with another; then the parcel goes alone. Ties by id.
fn choose(porters: &[Porter<'_>], loads: &[Grams], weight: Grams) -> Option<(usize, bool)> {
    let least = |capacity: &dyn Fn(&Porter<'_>) -> Grams| {
        (0..porters.len())
            .filter(|&p| capacity(&porters[p]) >= weight)
            .min_by_key(|&p| (loads[p], porters[p].member_id))
    };
    least(&|porter| porter.capacity)
        .map(|porter| (porter, false))
        .or_else(|| least(&|porter| porter.capacity_of_two()).map(|porter| (porter, true)))
}

/// What a trip has so far.
#[derive(Default)]
struct Load<'a> {
    items: Vec<Item<'a>>,
    weight: Grams,
    bytes: usize,
}

impl<'a> Load<'a> {
    fn take(&mut self, item: Option<Item<'a>>) {
        if let Some(item) = item {
            self.weight = self.weight.plus(item.weight);
            self.bytes += item.bytes();
            self.items.push(item);
        }
    }

    fn has_room(&self, more: &Size, capacity: Grams, limits: Limits) -> bool {
        self.weight.plus(more.weight) <= capacity
            && self.items.len() + more.stops <= limits.stops
            && self.bytes + more.bytes <= limits.trip_bytes
    }
}

#[derive(Default)]
struct Size {
    stops: usize,
    weight: Grams,
    bytes: usize,
}

impl Size {
    fn of<'a>(items: impl IntoIterator<Item = &'a Item<'a>>) -> Self {
        items.into_iter().fold(Self::default(), |sum, item| Self {
            stops: sum.stops + 1,
            weight: sum.weight.plus(item.weight),
            bytes: sum.bytes + item.bytes(),
        })
    }
}

/// The parcels still to be planned, one entrance at a time: no more of them
/// are looked at than the plan needs.
struct Queue<'a, I: Iterator<Item = Item<'a>>> {
    rest: std::iter::Peekable<I>,
    /// What is left of the entrance at hand.
    entrance: VecDeque<Item<'a>>,
}

impl<'a, I: Iterator<Item = Item<'a>>> Queue<'a, I> {
    fn new(items: I) -> Self {
        Self {
            rest: items.peekable(),
            entrance: VecDeque::new(),
        }
    }

    fn first(&mut self) -> Option<Item<'a>> {
        if self.entrance.is_empty() {
            self.entrance.extend(self.rest.next());
            if let Some(first) = self.entrance.front() {
                let here = Entrance::of(first.door);
                while let Some(next) = self.rest.next_if(|item| here.has(item.door)) {
                    self.entrance.push_back(next);
                }
            }
        }
        self.entrance.front().copied()
    }

    fn take_first(&mut self) -> Option<Item<'a>> {
        self.first();
        self.entrance.pop_front()
    }

    fn fill(&mut self, trip: &mut Load<'a>, capacity: Grams, limits: Limits) {
        // The first parcel fits: the porter was chosen for it.
        while let Some(first) = self.first() {
            let begun = trip.items.first();
            if begun.is_some_and(|item| item.door.community != first.door.community) {
                return;
            }
            let whole = Size::of(&self.entrance);
            if trip.has_room(&whole, capacity, limits) {
                for item in self.entrance.drain(..) {
                    trip.take(Some(item));
                }
                continue;
            }
            if begun.is_some() && Load::default().has_room(&whole, capacity, limits) {
                return;
            }
            while let Some(item) = self.entrance.front() {
                let size = Size::of([item]);
                if !trip.items.is_empty() && !trip.has_room(&size, capacity, limits) {
                    return;
                }
                trip.take(self.entrance.pop_front());
            }
        }
    }
}
