//! Yunhe with its growers and the five firms that buy from them, made from a
//! seed. Synthetic throughout, apart from the names of three firms, which the
//! sources have; growers appear only as codes.

use proto::inventory::v1::Grade;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Chengxi subdistrict.
pub const AREA: &str = "321202002";

/// What Yunhe has too much of.
pub struct Crop {
    pub product_id: &'static str,
    pub name: &'static str,
    pub unit_grams: i64,
    pub reference_fen_per_kg: i64,
    pub cap_fen_per_kg: i64,
    /// Until when it can be fetched, in minutes of the day.
    pub until: i64,
    /// What a grower asks, in fen for a kilogram.
    asking: std::ops::Range<i64>,
    /// Units of one listing.
    units: std::ops::Range<i64>,
}

/// Greens do not keep; radish keeps until the next noon.
pub const CROPS: [Crop; 3] = [
    Crop {
        product_id: "radish-10kg",
        name: "萝卜 10 kg / radish, a crate of 10 kg",
        unit_grams: 10_000,
        reference_fen_per_kg: 120,
        cap_fen_per_kg: 180,
        until: 36 * 60,
        asking: 80..150,
        units: 8..70,
    },
    Crop {
        product_id: "hyacinth-bean-5kg",
        name: "扁豆 5 kg / hyacinth bean, a basket of 5 kg",
        unit_grams: 5_000,
        reference_fen_per_kg: 400,
        cap_fen_per_kg: 600,
        until: 18 * 60,
        asking: 300..480,
        units: 4..40,
    },
    Crop {
        product_id: "greens-4kg",
        name: "青菜 4 kg / greens, a bundle of 4 kg",
        unit_grams: 4_000,
        reference_fen_per_kg: 250,
        cap_fen_per_kg: 375,
        until: 14 * 60 + 30,
        asking: 180..300,
        units: 5..50,
    },
];

#[derive(Debug, Clone)]
pub struct Listing {
    /// Of [`CROPS`].
    pub crop: usize,
    pub units: i64,
    pub grade: Grade,
    pub asking_fen_per_kg: i64,
    /// The price is above the cap at first, and is lowered when that is said.
    pub too_dear: bool,
    /// In minutes of the day.
    pub harvested: i64,
}

#[derive(Debug, Clone)]
pub struct Grower {
    pub id: String,
    pub field: String,
    pub zone: &'static str,
    /// Has no smartphone: his cadre lists and answers for him.
    pub by_cadre: bool,
    pub listings: Vec<Listing>,
}

#[derive(Debug, Clone)]
pub struct Buyer {
    pub id: String,
    pub name: &'static str,
    pub zone: &'static str,
    /// When it receives, in minutes of the day.
    pub window: (i64, i64),
    /// Wants the same every day of a week.
    pub standing: bool,
    /// Units and highest price, by crop.
    pub wants: [(i64, i64); 3],
}

/// What somebody does with a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Confirms,
    Refuses,
    /// Is not reached in time.
    Silent,
}

#[derive(Debug)]
pub struct Village {
    pub seed: u64,
    pub community: String,
    pub growers: Vec<Grower>,
    pub buyers: Vec<Buyer>,
}

/// Id, name, zone, hours, and share of what there is in per cent.
type Firm = (&'static str, &'static str, &'static str, (i64, i64), i64);

const FIRMS: [Firm; 5] = [
    (
        "kaiwen",
        "凯文酒店 / Kaiwen Hotel",
        "yunhe-south",
        (10 * 60 + 30, 14 * 60),
        28,
    ),
    (
        "meilan",
        "江苏梅兰化工 / Jiangsu Meilan Chemical",
        "town-west",
        (11 * 60, 16 * 60),
        26,
    ),
    (
        "hampton",
        "希尔顿欢朋酒店 / Hampton by Hilton",
        "town-east",
        (11 * 60, 15 * 60),
        18,
    ),
    (
        "canteen-d",
        "食堂 D / canteen D",
        "town-east",
        (11 * 60, 16 * 60),
        14,
    ),
    (
        "canteen-e",
        "食堂 E / canteen E",
        "yunhe-north",
        (12 * 60, 17 * 60),
        9,
    ),
];

impl Village {
    /// The same seed and size make the same village, on every machine.
    #[must_use]
    pub fn new(seed: u64, size: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let community = if seed == crate::scenario::SEED {
            "yunhe".to_owned()
        } else {
            format!("yunhe-{seed}")
        };
        let growers: Vec<Grower> = (0..size).map(|n| grower(&mut rng, &community, n)).collect();
        let offered = [0, 1, 2].map(|crop| {
            let listings = growers.iter().flat_map(|grower| &grower.listings);
            let of_crop = listings.filter(|listing| listing.crop == crop);
            of_crop.map(|listing| listing.units).sum::<i64>()
        });
        let buyers = FIRMS.iter().map(|(id, name, zone, window, share)| Buyer {
            id: format!("{community}-{id}"),
            name,
            zone,
            window: *window,
            standing: *id == "kaiwen",
            wants: [0, 1, 2].map(|crop| {
                let highest = CROPS[crop].asking.end;
                let most = rng.random_range(highest - 20..highest + 20);
                ((offered[crop] * share / 100).max(1), most)
            }),
        });
        Self {
            seed,
            buyers: buyers.collect(),
            community,
            growers,
        }
    }

    /// The person who answers for those who cannot themselves.
    #[must_use]
    pub fn cadre(&self) -> String {
        format!("{}-cadre", self.community)
    }

    /// What a side does with a proposal of these two: the same whenever it is
    /// asked.
    #[must_use]
    pub fn answer(&self, side: &str, grower: &str, buyer: &str, product: &str) -> Answer {
        match self.draw([side, grower, buyer, product]) {
            0..3 => Answer::Refuses,
            3..5 => Answer::Silent,
            _ => Answer::Confirms,
        }
    }

    /// Whether one unit of what the grower sells the buyer breaks on the way.
    #[must_use]
    pub fn is_broken(&self, grower: &str, buyer: &str, product: &str) -> bool {
        self.draw(["broken", grower, buyer, product]) < 5
    }

    /// A number below 100 that does not depend on what was drawn before.
    fn draw(&self, of: [&str; 4]) -> u64 {
        // FNV-1a.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ self.seed;
        for byte in of.join("/").bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        (hash >> 32) % 100
    }

    /// All that is listed.
    #[must_use]
    pub fn grams(&self) -> i64 {
        let listings = self.growers.iter().flat_map(|grower| &grower.listings);
        listings.map(|l| l.units * CROPS[l.crop].unit_grams).sum()
    }
}

fn grower(rng: &mut ChaCha8Rng, community: &str, n: usize) -> Grower {
    let mut listings = Vec::new();
    for (crop, what) in CROPS.iter().enumerate() {
        // Everybody has something: the crop of his number, and others by luck.
        if n % CROPS.len() != crop && !rng.random_bool(0.35) {
            continue;
        }
        let asking = rng.random_range(what.asking.clone());
        listings.push(Listing {
            crop,
            units: rng.random_range(what.units.clone()),
            grade: [Grade::A, Grade::B, Grade::B, Grade::C][rng.random_range(0..4)],
            asking_fen_per_kg: asking,
            too_dear: rng.random_bool(0.04),
            harvested: rng.random_range(5 * 60..6 * 60 + 30),
        });
    }
    Grower {
        id: format!("{community}-g{:03}", n + 1),
        // Neighbours bring their goods to the same field gate.
        field: format!("{community}-field-{:02}", n / 3 + 1),
        zone: if n % 6 < 3 {
            "yunhe-north"
        } else {
            "yunhe-south"
        },
        by_cadre: rng.random_bool(0.2),
        listings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_village() {
        let shown = |village: &Village| format!("{village:?}");
        assert_eq!(shown(&Village::new(7, 40)), shown(&Village::new(7, 40)));
        assert_ne!(shown(&Village::new(7, 40)), shown(&Village::new(8, 40)));
    }

    #[test]
    fn there_is_more_than_the_five_firms_want() {
        let village = Village::new(crate::scenario::SEED, 60);
        assert_eq!(village.buyers.len(), 5);
        for crop in 0..CROPS.len() {
            let listings = village.growers.iter().flat_map(|g| &g.listings);
            let of_crop = listings.filter(|l| l.crop == crop);
            let offered: i64 = of_crop.map(|l| l.units).sum();
            let wanted: i64 = village.buyers.iter().map(|b| b.wants[crop].0).sum();
            assert!(0 < wanted && wanted <= offered, "{wanted} of {offered}");
        }
    }

    #[test]
    fn everybody_has_something_and_some_ask_too_much_or_have_no_smartphone() {
        let village = Village::new(crate::scenario::SEED, 60);
        assert!(village.growers.iter().all(|g| !g.listings.is_empty()));
        assert!(village.growers.iter().any(|g| g.by_cadre));
        let mut listings = village.growers.iter().flat_map(|g| &g.listings);
        assert!(listings.any(|l| l.too_dear));
    }
}
