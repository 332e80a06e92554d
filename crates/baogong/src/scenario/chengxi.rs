//! The Yunhe part of the Chengxi day: growers who cannot sell list what they
//! have, five firms ask, the area matches them, both sides confirm, the loads
//! to carry it are drafted and tendered, and partner firms' robots bring them
//! to the buyers.
//!
//! As in the Zhichaka day every request id is made from the seed, and a day
//! that has begun goes on where it was.

mod answers;
mod haulage;
mod summary;
pub mod village;

use anyhow::Context;
use decider::{Role, Timestamp};
use futures::{StreamExt, TryStreamExt, stream};
use proto::{
    inventory::v1::{
        CapPolicy, Category, CloseMatchingRequest, DefineProductRequest, OfferSurplusRequest,
        OpenMatchingRequest, PlaceBulkDemandRequest, RegisterBuyerRequest,
        SetReferencePriceRequest, Spot,
    },
    logistics::v1::{GetCheckpointRequest, RegisterCheckpointRequest},
    time::to_proto,
};
use tonic::{Code, Status};

use super::day::{begun_on, date, refused};
use crate::{
    client::{Suite, by},
    robot::Robot,
};
pub use summary::Summary;
use village::{AREA, CROPS, Grower, Listing, Village};

/// Who runs the suite in the subdistrict.
const OFFICE: &str = "chengxi-office";
const DISPATCHER: &str = "chengxi-dispatcher";
/// Calls under way at the same time.
const PARALLEL: usize = 32;
/// 1 April 2022, 00:00 local time (UTC+8).
const FIRST_DAY: Timestamp = Timestamp(1_648_742_400_000);
const DAY_MINUTES: i64 = 24 * 60;
const ANSWER_MINUTES: i32 = 30;
const LOAD_WAIT_MINUTES: i32 = 15;
/// Minute of the day by which everybody has answered.
const LOADS_DRAFTED: i64 = 10 * 60;

/// The day under way.
pub struct Yunhe {
    suite: Suite,
    village: Village,
    midnight: Timestamp,
    /// The firms that carry.
    robots: Vec<Robot>,
}

impl Yunhe {
    /// Finds out which day it is, as the Zhichaka day does.
    ///
    /// # Errors
    /// The suite does not answer, or runs on the system clock.
    pub async fn begin(suite: Suite, village: Village) -> anyhow::Result<Self> {
        let now = suite.test_clock().await?;
        let first = now
            .0
            .saturating_sub(FIRST_DAY.0)
            .div_euclid(DAY_MINUTES * 60_000)
            + 1;
        let next = FIRST_DAY.plus_minutes(first.max(0) * DAY_MINUTES);
        let gate = format!("{}-gate", village.community);
        let found = suite
            .call(async |mut suite| {
                let request = GetCheckpointRequest {
                    area: AREA.to_owned(),
                    min_position: 0,
                    checkpoint_id: gate.clone(),
                };
                suite.logistics.get_checkpoint(request).await
            })
            .await;
        let midnight = match found {
            Ok(checkpoint) => begun_on(&checkpoint.name)?,
            Err(status) if status.code() == Code::NotFound => next,
            Err(status) => return Err(refused("looking for a day that has begun", &status)),
        };
        Ok(Self {
            suite,
            village,
            midnight,
            robots: Vec::new(),
        })
    }

    /// # Errors
    /// A call was refused that the day cannot do without.
    pub async fn play(mut self) -> anyhow::Result<Summary> {
        self.phase("06:00 prices, buyers, carriers", 6 * 60, Self::prepare)
            .await?;
        self.phase("07:00 growers list", 7 * 60, Self::list).await?;
        self.phase("08:00 firms ask", 8 * 60, Self::ask).await?;
        self.phase("08:30 matching", 8 * 60 + 30, Self::open_matching)
            .await?;
        self.phase("08:32 both sides answer", 8 * 60 + 32, Self::answer_all)
            .await?;
        self.phase("10:00 loads are drafted", LOADS_DRAFTED, async |day| {
            day.close_matching().await?;
            day.find_hauliers().await
        })
        .await?;
        self.phase("14:30 at the buyers", haulage::HANDED_OVER, Self::carry)
            .await?;
        self.summary().await
    }

    async fn phase(
        &mut self,
        name: &'static str,
        minute: i64,
        run: impl AsyncFnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let started = std::time::Instant::now();
        self.clock_at(minute).await.context(name)?;
        run(self).await.context(name)?;
        self.suite.settle().await.context(name)?;
        eprintln!("{name:<36} {:>6.2} s", started.elapsed().as_secs_f64());
        Ok(())
    }

    async fn clock_at(&self, minute: i64) -> Result<(), Status> {
        self.suite.advance_clocks(self.at(minute)).await
    }

    fn at(&self, minute: i64) -> Timestamp {
        self.midnight.plus_minutes(minute)
    }

    fn request_id(&self, what: &str, of: &str) -> String {
        format!("{}:{what}:{of}", self.village.community)
    }

    fn spot(&self, place_id: &str, zone: &str) -> Option<Spot> {
        Some(Spot {
            place_id: place_id.to_owned(),
            zone: zone.to_owned(),
        })
    }

    /// Makes a call for each item, many at a time.
    async fn each<I, T>(
        &self,
        what: &'static str,
        items: impl IntoIterator<Item = I>,
        call: impl AsyncFn(I) -> Result<T, Status>,
    ) -> anyhow::Result<Vec<T>> {
        stream::iter(items)
            .map(|item| call(item))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await
            .map_err(|status| refused(what, &status))
    }

    async fn prepare(&mut self) -> anyhow::Result<()> {
        let checkpoint = RegisterCheckpointRequest {
            request_id: self.request_id("checkpoint", "gate"),
            area: AREA.to_owned(),
            checkpoint_id: format!("{}-gate", self.village.community),
            name: format!("运河社区卡口 / Yunhe gate, {}", date(self.midnight)),
            communities: vec![self.village.community.clone()],
        };
        self.suite
            .call(async |mut suite| {
                let request = by(Role::Operator, OFFICE, checkpoint.clone());
                suite.logistics.register_checkpoint(request).await
            })
            .await
            .map_err(|status| refused("the checkpoint", &status))?;
        self.each("products and prices", &CROPS, async |crop| {
            let product = DefineProductRequest {
                request_id: self.request_id("product", crop.product_id),
                area: AREA.to_owned(),
                product_id: crop.product_id.to_owned(),
                name: crop.name.to_owned(),
                unit_grams: crop.unit_grams,
                category: Category::Produce.into(),
            };
            self.suite
                .call(async |mut suite| {
                    let request = by(Role::Dispatcher, DISPATCHER, product.clone());
                    suite.inventory.define_product(request).await
                })
                .await?;
            let price = SetReferencePriceRequest {
                request_id: self.request_id("price", crop.product_id),
                area: AREA.to_owned(),
                product_id: crop.product_id.to_owned(),
                reference_fen_per_kg: crop.reference_fen_per_kg,
                cap_fen_per_kg: crop.cap_fen_per_kg,
                policy: CapPolicy::Refuse.into(),
            };
            self.suite
                .call(async |mut suite| {
                    let request = by(Role::Dispatcher, DISPATCHER, price.clone());
                    suite.surplus.set_reference_price(request).await
                })
                .await
        })
        .await?;
        self.each("buyers", &self.village.buyers, async |buyer| {
            let register = RegisterBuyerRequest {
                request_id: self.request_id("buyer", &buyer.id),
                area: AREA.to_owned(),
                buyer_id: buyer.id.clone(),
                name: buyer.name.to_owned(),
                place: self.spot(&buyer.id, buyer.zone),
            };
            self.suite
                .call(async |mut suite| {
                    let request = by(Role::Dispatcher, DISPATCHER, register.clone());
                    suite.surplus.register_buyer(request).await
                })
                .await
        })
        .await?;
        self.admit_hauliers().await
    }

    /// Who acts for a grower: himself, or his cadre.
    fn hand_of(&self, grower: &Grower) -> (Role, String) {
        if grower.by_cadre {
            (Role::Cadre, self.village.cadre())
        } else {
            (Role::Resident, grower.id.clone())
        }
    }

    async fn list(&mut self) -> anyhow::Result<()> {
        let growers = self.village.growers.iter();
        let listings = growers.flat_map(|grower| grower.listings.iter().map(move |l| (grower, l)));
        self.each("listing", listings, async |(grower, listing)| {
            if listing.too_dear {
                let dear = CROPS[listing.crop].cap_fen_per_kg + 20;
                match self.offer(grower, listing, dear, "dear").await {
                    // Recorded, and told; the grower asks less.
                    Err(status) if status.code() == Code::FailedPrecondition => {}
                    other => return other,
                }
            }
            let asking = listing.asking_fen_per_kg;
            self.offer(grower, listing, asking, "list").await
        })
        .await?;
        Ok(())
    }

    async fn offer(
        &self,
        grower: &Grower,
        listing: &Listing,
        asking_fen_per_kg: i64,
        what: &str,
    ) -> Result<(), Status> {
        let crop = &CROPS[listing.crop];
        let (role, hand) = self.hand_of(grower);
        let offer = OfferSurplusRequest {
            request_id: self.request_id(what, &format!("{}-{}", grower.id, crop.product_id)),
            area: AREA.to_owned(),
            grower_id: grower.id.clone(),
            product_id: crop.product_id.to_owned(),
            quantity_units: listing.units,
            grade: listing.grade.into(),
            harvested_time: Some(to_proto(self.at(listing.harvested))),
            field: self.spot(&grower.field, grower.zone),
            from_time: Some(to_proto(self.at(7 * 60))),
            to_time: Some(to_proto(self.at(crop.until))),
            asking_fen_per_kg,
            reference_fen_per_kg: 0,
        };
        self.suite
            .call(async |mut suite| {
                let request = by(role, &hand, offer.clone());
                suite.surplus.offer_surplus(request).await
            })
            .await
            .map(|_| ())
    }

    async fn ask(&mut self) -> anyhow::Result<()> {
        let buyers = self.village.buyers.iter();
        let wants =
            buyers.flat_map(|buyer| buyer.wants.iter().zip(&CROPS).map(move |w| (buyer, w)));
        self.each(
            "asking",
            wants,
            async |(buyer, ((units, highest), crop))| {
                let (from, to) = buyer.window;
                let week = self.at(to + 6 * DAY_MINUTES);
                let demand = PlaceBulkDemandRequest {
                    request_id: self
                        .request_id("ask", &format!("{}-{}", buyer.id, crop.product_id)),
                    area: AREA.to_owned(),
                    buyer_id: buyer.id.clone(),
                    product_id: crop.product_id.to_owned(),
                    quantity_units: *units,
                    lowest_grade: 0,
                    from_time: Some(to_proto(self.at(from))),
                    to_time: Some(to_proto(self.at(to))),
                    highest_fen_per_kg: *highest,
                    repeat_until_time: buyer.standing.then(|| to_proto(week)),
                };
                self.suite
                    .call(async |mut suite| {
                        let request = by(Role::Resident, &buyer.id, demand.clone());
                        suite.surplus.place_bulk_demand(request).await
                    })
                    .await
            },
        )
        .await?;
        Ok(())
    }

    async fn open_matching(&mut self) -> anyhow::Result<()> {
        let open = OpenMatchingRequest {
            request_id: self.request_id("matching", "open"),
            area: AREA.to_owned(),
            answer_minutes: ANSWER_MINUTES,
            load_wait_minutes: LOAD_WAIT_MINUTES,
        };
        self.suite
            .call(async |mut suite| {
                let request = by(Role::Dispatcher, DISPATCHER, open.clone());
                suite.surplus.open_matching(request).await
            })
            .await
            .map_err(|status| refused("opening", &status))?;
        Ok(())
    }

    /// What is confirmed does not wait for others any longer.
    async fn close_matching(&mut self) -> anyhow::Result<()> {
        let close = CloseMatchingRequest {
            request_id: self.request_id("matching", "close"),
            area: AREA.to_owned(),
        };
        self.suite
            .call(async |mut suite| {
                let request = by(Role::Dispatcher, DISPATCHER, close.clone());
                suite.surplus.close_matching(request).await
            })
            .await
            .map_err(|status| refused("closing", &status))?;
        Ok(())
    }
}
