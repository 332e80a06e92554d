//! The notification service.

pub mod channel;
pub mod template;
