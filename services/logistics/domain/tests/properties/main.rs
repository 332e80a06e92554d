//! What holds for every plan, every day and every history.

mod days;
mod nonsense;
mod plans;
mod snapshots;
#[path = "../rules/world.rs"]
mod world;
