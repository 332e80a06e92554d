//! What holds for every plan, every day and every history.

mod absurd;
mod days;
#[path = "../rules/haulage.rs"]
mod haulage;
mod loads;
mod nonsense;
mod plans;
mod snapshots;
#[path = "../rules/trunk.rs"]
mod trunk;
#[path = "../rules/world.rs"]
mod world;
