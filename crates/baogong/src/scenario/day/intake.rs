//! Morning: the contingency, the team, the households, their orders.

use crate::client::by;
use decider::Role;
use std::collections::BTreeMap;

use proto::{
    inventory::v1::{Category, DefineProductRequest},
    logistics::v1::{AssignShiftRequest, RegisterMemberRequest},
    order::v1::{
        ActivateContingencyRequest, Channel, GetContingencyRequest, Offer, OpenGroupBuyRequest,
        PlaceOrderRequest, RegisterHouseholdRequest,
    },
    time::to_proto,
    types::v1::Line,
};
use tonic::{Code, Status};

use super::{Day, OFFICE, refused};
use crate::scenario::world::{GRIDS, Household, MEMBER_CAPACITY_GRAMS, MEMBERS, SET, World};

/// Shifts of the day: post, first and last hour.
const SHIFTS: [(&str, i64, i64); 2] = [("checkpoint", 8, 12), ("delivery", 13, 22)];
/// No wave begins later than this minute of the day.
pub(super) const LAST_WAVE: i64 = 20 * 60 + 20;
/// When the group buys close, in minutes of the day.
const GROUP_BUYS_CLOSE: i64 = 9 * 60;
/// At least so many households of each grid must take part.
const GROUP_BUY_MINIMUM: i32 = 2;

impl Day {
    pub(super) async fn prepare(&mut self) -> anyhow::Result<()> {
        self.register_checkpoint()
            .await
            .map_err(|status| refused("registering the checkpoint", &status))?;
        self.activate_contingency()
            .await
            .map_err(|status| refused("activating the contingency", &status))?;
        self.define_products().await?;
        self.register_team().await?;
        let households = &self.world.households;
        self.each("registering households", households, async |household| {
            self.register_household(household).await
        })
        .await?;
        self.prepare_trunk().await
    }

    /// A contingency that another rehearsal activated serves this one too.
    async fn activate_contingency(&self) -> Result<(), Status> {
        let look = GetContingencyRequest {
            area: self.area(),
            min_position: 0,
        };
        let found = self
            .suite
            .call(async |mut suite| suite.order.get_contingency(look.clone()).await)
            .await?;
        if found.active {
            return Ok(());
        }
        let request = ActivateContingencyRequest {
            request_id: self.request_id("contingency", "activate"),
            area: self.area(),
            reason: "静态管理 / static management".to_owned(),
        };
        self.suite
            .call(async |mut suite| {
                suite
                    .order
                    .activate_contingency(by(Role::Operator, OFFICE, request.clone()))
                    .await
            })
            .await
            .map(|_| ())
    }

    async fn define_products(&self) -> anyhow::Result<()> {
        let categories = [Category::Staple, Category::Oil, Category::Produce];
        let products = SET.into_iter().zip(categories);
        self.each(
            "defining products",
            products,
            async |((id, name, unit_grams), category)| {
                let request = DefineProductRequest {
                    request_id: self.request_id("product", id),
                    area: self.area(),
                    product_id: id.to_owned(),
                    name: name.to_owned(),
                    unit_grams,
                    category: category.into(),
                };
                let defined = self
                    .suite
                    .call(async |mut suite| {
                        suite
                            .inventory
                            .define_product(by(Role::Operator, OFFICE, request.clone()))
                            .await
                    })
                    .await;
                match defined {
                    // Another rehearsal defined it.
                    Err(status) if status.code() == Code::AlreadyExists => Ok(()),
                    defined => defined.map(|_| ()),
                }
            },
        )
        .await?;
        Ok(())
    }

    async fn register_team(&self) -> anyhow::Result<()> {
        self.each("registering the team", 0..MEMBERS, async |n| {
            let member = self.world.member(n);
            let request = RegisterMemberRequest {
                request_id: self.request_id("member", &member),
                area: self.area(),
                member_id: member.clone(),
                capacity_grams: MEMBER_CAPACITY_GRAMS,
                leader: n == 0,
            };
            self.suite
                .call(async |mut suite| {
                    suite
                        .logistics
                        .register_member(by(Role::Operator, OFFICE, request.clone()))
                        .await
                })
                .await?;
            for (post, from, to) in SHIFTS {
                let request = AssignShiftRequest {
                    request_id: self.request_id(&format!("shift-{post}"), &member),
                    area: self.area(),
                    member_id: member.clone(),
                    checkpoint_id: self.world.checkpoint.clone(),
                    post: post.to_owned(),
                    starts_time: Some(to_proto(self.at(from * 60))),
                    ends_time: Some(to_proto(self.at(to * 60))),
                };
                self.suite
                    .call(async |mut suite| {
                        suite
                            .logistics
                            .assign_shift(by(Role::Operator, OFFICE, request.clone()))
                            .await
                    })
                    .await?;
            }
            Ok(())
        })
        .await?;
        Ok(())
    }

    async fn register_household(&self, household: &Household) -> Result<(), Status> {
        let request = RegisterHouseholdRequest {
            request_id: self.request_id("household", &short(&household.id)),
            area: self.area(),
            household_id: household.id.clone(),
            door: Some(household.door.clone()),
            contact: Some(household.contact.clone()),
            needs: household.needs.iter().map(|need| (*need).into()).collect(),
            cadre_id: household.cadre.clone(),
            language: household.language.to_owned(),
            people: household.people,
        };
        self.suite
            .call(async |mut suite| {
                suite
                    .order
                    .register_household(by(Role::Cadre, &household.cadre, request.clone()))
                    .await
            })
            .await
            .map(|_| ())
    }

    pub(super) async fn take_orders(&mut self) -> anyhow::Result<()> {
        let group_buys: BTreeMap<String, String> = self
            .each("opening group buys", 0..GRIDS, async |n| {
                let grid = World::grid(n);
                let id = self.open_group_buy(&grid).await?;
                Ok((grid, id))
            })
            .await?
            .into_iter()
            .collect();
        self.totals.group_buys = group_buys.len() as u64;
        let households = &self.world.households;
        self.each("taking orders", households, async |household| {
            self.place_order(household, &group_buys).await
        })
        .await?;
        Ok(())
    }

    async fn open_group_buy(&self, grid: &str) -> Result<String, Status> {
        let offers = SET.map(|(product, _, grams)| Offer {
            product_id: product.to_owned(),
            // 4 yuan a kilogram, whatever it is: the prices are not the point.
            price_fen: grams * 400 / 1000,
            limit_per_household_units: 2,
        });
        let request = OpenGroupBuyRequest {
            request_id: self.request_id("group-buy", grid),
            area: self.area(),
            title: format!("{grid} 生活物资团购 / daily set"),
            organizer_id: format!("{}-organizer-{grid}", self.world.community),
            offers: offers.to_vec(),
            minimum_households: GROUP_BUY_MINIMUM,
            cap_households: 0,
            opens_time: None,
            closes_time: Some(to_proto(self.at(GROUP_BUYS_CLOSE))),
            community: self.world.community.clone(),
            grid: grid.to_owned(),
            tolerance_percent: 50,
        };
        let opened = self
            .suite
            .call(async |mut suite| {
                suite
                    .order
                    .open_group_buy(by(Role::Resident, &request.organizer_id, request.clone()))
                    .await
            })
            .await?;
        Ok(opened.group_buy_id)
    }

    async fn place_order(
        &self,
        household: &Household,
        group_buys: &BTreeMap<String, String>,
    ) -> Result<(), Status> {
        let joined = group_buys
            .get(&household.door.grid)
            .filter(|_| household.group_buy);
        let lines = SET.map(|(product, _, _)| Line {
            product_id: product.to_owned(),
            quantity_units: 1,
        });
        let request = PlaceOrderRequest {
            request_id: self.request_id("order", &short(&household.id)),
            area: self.area(),
            household_id: household.id.clone(),
            lines: lines.to_vec(),
            channel: if joined.is_some() {
                Channel::GroupBuy
            } else {
                Channel::Phone
            }
            .into(),
            group_buy_id: joined.cloned().unwrap_or_default(),
            placed_by: if joined.is_some() {
                String::new()
            } else {
                format!(
                    "{}-grid-worker-{}",
                    self.world.community, household.door.grid
                )
            },
        };
        self.suite
            .call(async |mut suite| {
                let request = if joined.is_some() {
                    by(Role::Resident, &household.id, request.clone())
                } else {
                    by(Role::Member, &request.placed_by, request.clone())
                };
                suite.order.place_order(request).await
            })
            .await
            .map(|_| ())
    }

    /// The clock has fired the windows; the orders of the group buys are
    /// released when the phase has come to rest.
    pub(super) async fn close_group_buys(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// A household's id without its community, which the request id has already.
fn short(id: &str) -> String {
    let mut parts: Vec<&str> = id.rsplit('-').take(4).collect();
    parts.reverse();
    parts.join("-")
}
