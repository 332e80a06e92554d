//! The rules of the notification service, as specifications.

mod calls;
mod contacts;
mod erasure;
mod fixtures;
mod integrity;
mod messages;
mod properties;
mod queries;
mod receipts;
mod requests;
mod visits;
