//! Names of JetStream streams and subjects. Nothing else may compose them.

use std::fmt;

/// The JetStream stream of one service partition.
///
/// Its display form is the stream's name, for example `BAOGONG_ORDER_0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName {
    /// In lower case, for example `order`.
    pub service: String,
    pub partition: u32,
}

impl StreamName {
    #[must_use]
    pub fn new(service: impl Into<String>, partition: u32) -> Self {
        Self {
            service: service.into(),
            partition,
        }
    }

    /// What every subject of the stream begins with, for example
    /// `baogong.order.0.`.
    #[must_use]
    pub fn subject_prefix(&self) -> String {
        format!("baogong.{}.{}.", self.service, self.partition)
    }

    /// All subjects of the stream, for example `baogong.order.0.>`.
    #[must_use]
    pub fn subjects(&self) -> String {
        format!("{}>", self.subject_prefix())
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "BAOGONG_{}_{}",
            self.service.to_uppercase(),
            self.partition
        )
    }
}

/// Subject of one event, for example `baogong.order.0.632725100.OrderPlaced`.
///
/// `event_type` is the short name, without its package.
#[must_use]
pub fn subject(service: &str, partition: u32, area: &str, event_type: &str) -> String {
    format!("baogong.{service}.{partition}.{area}.{event_type}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_operators_see_them() {
        let order = StreamName::new("order", 0);
        assert_eq!(order.to_string(), "BAOGONG_ORDER_0");
        assert_eq!(order.subjects(), "baogong.order.0.>");
        let subject = subject("order", 0, "632725100", "OrderPlaced");
        assert_eq!(subject, "baogong.order.0.632725100.OrderPlaced");
        assert!(subject.starts_with(&order.subject_prefix()));
    }
}
