//! From reserved units to labelled bags that one person can carry.

use proto::inventory::v1::Bag;

use crate::units::{Grams, Units};

/// No bag is heavier, unless a single unit is.
pub const BAG_WEIGHT_MAX: Grams = Grams(25_000);

/// What of one product is to be packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToPack {
    pub product_id: String,
    pub quantity: Units,
    pub unit_weight: Grams,
}

impl ToPack {
    fn bag_count(&self) -> i64 {
        let per_bag = (BAG_WEIGHT_MAX.0 / self.unit_weight.0.max(1)).max(1);
        let full = self.quantity.0.max(0) / per_bag;
        full + i64::from(self.quantity.0.max(0) % per_bag > 0)
    }
}

/// How many bags the goods need; known before any is made, since an absurd
/// order could need millions.
#[must_use]
pub fn count_bags(goods: &[ToPack]) -> i64 {
    goods
        .iter()
        .fold(0, |sum, line| i64::saturating_add(sum, line.bag_count()))
}

/// Bags labelled `<order id>-<n>`, n from 1. A product that needs several bags
/// is spread evenly over them.
#[must_use]
pub fn pack(order_id: &str, goods: &[ToPack]) -> Vec<Bag> {
    let mut bags = Vec::new();
    for line in goods {
        let count = line.bag_count();
        for n in 0..count {
            let quantity = line.quantity.0 / count + i64::from(n < line.quantity.0 % count);
            bags.push(Bag {
                label: format!("{order_id}-{}", bags.len() + 1),
                product_id: line.product_id.clone(),
                quantity_units: quantity,
                weight_grams: line.unit_weight.times(Units(quantity)).0,
            });
        }
    }
    bags
}

/// Label of the `m`-th bag that stands in for the original of `label`:
/// `<order id>-<n>r<m>`, also where `label` is a replacement itself.
#[must_use]
pub fn replacement_label(order_id: &str, label: &str, m: usize) -> String {
    format!("{}r{m}", original_label(order_id, label))
}

/// `<order id>-2r1` → `<order id>-2`.
#[must_use]
pub fn original_label<'a>(order_id: &str, label: &'a str) -> &'a str {
    // The order id may contain an `r`, the number behind it cannot.
    let number = label
        .strip_prefix(order_id)
        .and_then(|rest| rest.find('r'))
        .map_or(label.len(), |at| order_id.len() + at);
    &label[..number]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(product_id: &str, quantity: i64, unit_grams: i64) -> ToPack {
        ToPack {
            product_id: product_id.into(),
            quantity: Units(quantity),
            unit_weight: Grams(unit_grams),
        }
    }

    #[test]
    fn a_line_that_one_person_can_carry_is_one_bag() {
        let bags = pack("o", &[line("rice", 5, 5_000), line("oil", 2, 5_000)]);
        let labels: Vec<_> = bags.iter().map(|b| b.label.as_str()).collect();
        assert_eq!(labels, ["o-1", "o-2"]);
        assert_eq!(bags[0].weight_grams, 25_000);
    }

    #[test]
    fn a_heavy_line_is_spread_evenly() {
        let bags = pack("o", &[line("rice", 12, 5_000)]);
        let units: Vec<_> = bags.iter().map(|b| b.quantity_units).collect();
        assert_eq!(units, [4, 4, 4]);
        assert!(bags.iter().all(|b| b.weight_grams <= BAG_WEIGHT_MAX.0));
    }

    #[test]
    fn a_unit_heavier_than_a_bag_may_be_is_alone_in_its_bag() {
        let bags = pack("o", &[line("stove", 2, 40_000)]);
        assert_eq!(bags.len(), 2);
        assert_eq!(bags[1].weight_grams, 40_000);
    }

    #[test]
    fn counting_agrees_with_packing_and_survives_absurd_numbers() {
        let goods = [line("a", 13, 7_000), line("b", 1, 1), line("c", 0, 5)];
        assert_eq!(count_bags(&goods), 6);
        assert_eq!(pack("o", &goods).len(), 6);
        let absurd = [line("a", i64::MAX, i64::MAX), line("b", i64::MAX, 0)];
        assert_eq!(count_bags(&absurd), i64::MAX);
    }

    #[test]
    fn a_replacement_of_a_replacement_counts_from_the_original() {
        assert_eq!(replacement_label("or-r1", "or-r1-2", 1), "or-r1-2r1");
        assert_eq!(replacement_label("or-r1", "or-r1-2r1", 2), "or-r1-2r2");
    }
}
