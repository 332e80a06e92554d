//! The surplus trade, rule by rule.

mod carrying;
mod demands;
mod listings;
mod prices;
mod proposals;
#[path = "../support/market.rs"]
mod support;

use decider::{Domain, Rejected};
use inventory_domain::{Listing, Rejection, Stock};
use proto::InventoryEvent as E;
use support::Market;

pub fn listing<'a>(market: &'a Market, id: &str) -> &'a Listing {
    let found = market.state.listing(&market.context.area, id);
    found.expect("it is listed")
}

pub fn reason(refused: Result<Vec<E>, Rejection>) -> &'static str {
    refused.expect_err("it is to be refused").reason()
}

pub fn sound(market: &Market) {
    assert_eq!(Stock::violations(&market.state), []);
}
