//! The order service's rules, as given/when/then. One file per subject.

mod contingency;
mod coverage;
mod erasure;
mod fulfilment;
mod given;
mod group_buy;
mod household;
mod lists;
mod order;
