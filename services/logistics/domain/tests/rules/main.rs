//! The rules of the logistics service, as given/when/then.

mod custody;
mod doorstep;
mod haulage;
mod history;
mod journeys;
mod passes;
mod plans;
mod queries;
mod roster;
mod tenders;
mod webhooks;
mod world;
