//! What became of a grower's surplus, and which loss that avoided (S09).
//!
//! - at risk: (listed − withdrawn) × reference price. What is withdrawn the
//!   grower uses himself.
//! - income: delivered × agreed price.
//! - loss avoided: delivered × the lower of agreed price and reference price,
//!   since nobody avoids more loss than he would have had. What is damaged,
//!   short or lost on the way avoids nothing.
//!
//! Sums are exact, in gram × fen/kg, that is in thousandths of a fen.

use serde::{Deserialize, Serialize};

use super::Match;
use crate::units::{FenPerKg, Grams};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub listings: u64,
    pub listed: Grams,
    pub withdrawn: Grams,
    pub expired: Grams,
    /// Confirmed and to come.
    pub confirmed: Grams,
    pub delivered: Grams,
    /// Damaged, short or lost on the way.
    pub lost: Grams,
    at_risk: i128,
    income: i128,
    avoided: i128,
}

fn value(weight: Grams, price: FenPerKg) -> i128 {
    i128::from(weight.0) * i128::from(price.0)
}

/// Rounded down to whole fen.
fn fen(value: i128) -> i64 {
    let fen = value.div_euclid(1000);
    i64::try_from(fen).unwrap_or(if fen < 0 { i64::MIN } else { i64::MAX })
}

impl Report {
    pub(crate) fn list(&mut self, weight: Grams, reference: FenPerKg) {
        self.listed = self.listed.plus(weight);
        self.at_risk = self.at_risk.saturating_add(value(weight, reference));
    }

    /// The listing is changed.
    pub(crate) fn unlist(&mut self, weight: Grams, reference: FenPerKg) {
        self.listed = self.listed.minus(weight);
        self.at_risk = self.at_risk.saturating_sub(value(weight, reference));
    }

    pub(crate) fn withdraw(&mut self, weight: Grams, reference: FenPerKg) {
        self.withdrawn = self.withdrawn.plus(weight);
        self.at_risk = self.at_risk.saturating_sub(value(weight, reference));
    }

    pub(crate) fn expire(&mut self, weight: Grams) {
        self.expired = self.expired.plus(weight);
    }

    pub(crate) fn confirm(&mut self, weight: Grams) {
        self.confirmed = self.confirmed.plus(weight);
    }

    /// It was confirmed and will not be carried.
    pub(crate) fn take_back(&mut self, weight: Grams) {
        self.confirmed = self.confirmed.minus(weight);
    }

    pub(crate) fn deliver(&mut self, trade: &Match, accepted: Grams) {
        self.confirmed = self.confirmed.minus(trade.weight);
        self.delivered = self.delivered.plus(accepted);
        self.lost = self.lost.plus(trade.weight.minus(accepted));
        let (price, reference) = (trade.price, trade.reference);
        self.income = self.income.saturating_add(value(accepted, price));
        let avoided = value(accepted, price.min(reference));
        self.avoided = self.avoided.saturating_add(avoided);
    }

    #[must_use]
    pub fn at_risk_fen(&self) -> i64 {
        fen(self.at_risk)
    }

    #[must_use]
    pub fn income_fen(&self) -> i64 {
        fen(self.income)
    }

    #[must_use]
    pub fn avoided_fen(&self) -> i64 {
        fen(self.avoided)
    }

    /// Avoided ÷ at risk in 1/100 per cent, rounded down; 0 where nothing is at
    /// risk.
    #[must_use]
    pub fn avoided_basis_points(&self) -> i32 {
        if self.at_risk <= 0 {
            return 0;
        }
        let share = self.avoided.saturating_mul(10_000) / self.at_risk;
        i32::try_from(share).unwrap_or(i32::MAX)
    }
}
