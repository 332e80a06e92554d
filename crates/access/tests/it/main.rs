//! Tokens and rules as a service meets them: what is taken, and every kind of
//! forgery that is not.

mod forged;
mod methods;
mod revoked;
mod rules;
mod support;
mod times;
