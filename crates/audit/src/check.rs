//! The checks across services, one file for each group of invariants. Each
//! looks at events alone; where a domain's state is compared with them, that
//! is said.

pub(crate) mod coverage;
pub(crate) mod custody;
pub(crate) mod deliveries;
pub(crate) mod doorstep;
pub(crate) mod gate;
pub(crate) mod lots;
pub(crate) mod passes;
pub(crate) mod prices;
pub(crate) mod receipts;
pub(crate) mod replica;
pub(crate) mod surplus;
pub(crate) mod trunk;

use decider::{Invariant, Violation};

/// What a check came to.
#[derive(Debug)]
pub(crate) struct Found {
    invariant: Invariant,
    /// Facts that were looked at.
    pub facts: u64,
    pub violations: Vec<Violation>,
    /// What is still under way, so that nothing can be said of it yet.
    pub pending: Vec<String>,
}

impl Found {
    pub(crate) fn new(invariant: Invariant) -> Self {
        Self {
            invariant,
            facts: 0,
            violations: Vec::new(),
            pending: Vec::new(),
        }
    }

    pub(crate) fn violated(&mut self, entity: impl Into<String>, detail: impl Into<String>) {
        self.violations.push(Violation {
            invariant: self.invariant,
            entity: entity.into(),
            detail: detail.into(),
        });
    }

    pub(crate) fn pending(&mut self, what: impl Into<String>) {
        self.pending.push(what.into());
    }
}
