//! The rules of the logistics service, as given/when/then.

mod at_rest;
mod contacts;
mod custody;
mod doorstep;
mod haulage;
mod history;
mod journeys;
mod manifests;
mod match_loads;
mod passes;
mod photos;
mod plans;
mod proofs;
mod queries;
mod recalls;
mod roster;
mod routes;
mod tenders;
mod trunk;
mod unloading;
mod webhooks;
mod world;
