//! The rules of the logistics service, as given/when/then.

mod custody;
mod doorstep;
mod history;
mod plans;
mod queries;
mod roster;
mod world;
