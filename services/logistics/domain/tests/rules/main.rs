//! The rules of the logistics service, as given/when/then.

mod custody;
mod doorstep;
mod haulage;
mod history;
mod journeys;
mod match_loads;
mod passes;
mod plans;
mod queries;
mod roster;
mod tenders;
mod world;
