//! What a receiver found of single bags.

use crate::logistics::v1::{BagCondition, BagReceipt, LineReceipt};

impl BagReceipt {
    #[must_use]
    pub fn of(label: impl Into<String>, condition: BagCondition) -> Self {
        Self {
            label: label.into(),
            condition: condition.into(),
        }
    }
}

impl LineReceipt {
    /// Labels of the bags that were found so.
    pub fn bags_in(&self, condition: BagCondition) -> impl Iterator<Item = &str> {
        let found = self.bags.iter();
        let found = found.filter(move |bag| bag.condition() == condition);
        found.map(|bag| &*bag.label)
    }
}
