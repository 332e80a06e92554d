//! What can be asked of the state. Everything is within one area; lists are
//! in a fixed order and go on behind a key, so that a page is found again
//! whatever happened meanwhile.

use std::ops::Bound;

use decider::{Area, Timestamp};
use proto::inventory::v1::DemandState;

use crate::{demand::Demand, lot::Lot, procurement::Procurement, product::Product, state::State};

/// How many wait in an area.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueLength {
    pub orders: usize,
    pub replacements: usize,
}

/// A page was asked for behind an order that the area does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no order {after} is known in the area; take the page token of the page before")]
pub struct UnknownPage {
    pub after: String,
}

impl State {
    #[must_use]
    pub fn product(&self, area: &Area, product_id: &str) -> Option<&Product> {
        self.books.get(area)?.products.get(product_id)
    }

    /// By product id, behind `after`.
    pub fn products(&self, area: &Area, after: Option<&str>) -> impl Iterator<Item = &Product> {
        let behind = behind(after);
        self.books
            .get(area)
            .into_iter()
            .flat_map(move |book| book.products.range::<str, _>(behind))
            .map(|(_, product)| product)
    }

    #[must_use]
    pub fn lot(&self, area: &Area, lot_id: &str) -> Option<&Lot> {
        self.lots.get(lot_id).filter(|lot| lot.area == *area)
    }

    /// By lot id, behind `after`; of one product or of all.
    pub fn lots(
        &self,
        area: &Area,
        product_id: Option<&str>,
        after: Option<&str>,
    ) -> impl Iterator<Item = &Lot> {
        let book = self.books.get(area);
        let lots = match product_id {
            None => book.map(|book| &book.lots),
            Some(id) => book
                .and_then(|book| book.products.get(id))
                .map(|product| &product.lots),
        };
        let behind = behind(after);
        lots.into_iter()
            .flat_map(move |lots| lots.range::<str, _>(behind))
            .filter_map(|lot_id| self.lots.get(lot_id))
    }

    #[must_use]
    pub fn demand(&self, area: &Area, order_id: &str) -> Option<&Demand> {
        self.demands
            .get(order_id)
            .filter(|demand| demand.area == *area)
    }

    /// In the order of the doors (then of order ids), behind the order `after`,
    /// which may meanwhile be in another state. `Unspecified` means any state.
    ///
    /// # Errors
    /// The area has no order `after`.
    pub fn demands(
        &self,
        area: &Area,
        state: DemandState,
        after: Option<&str>,
    ) -> Result<impl Iterator<Item = &Demand>, UnknownPage> {
        let behind = match after {
            None => Bound::Unbounded,
            Some(order_id) => match self.demand(area, order_id) {
                Some(demand) => Bound::Excluded(demand.door_key()),
                None => {
                    return Err(UnknownPage {
                        after: order_id.to_owned(),
                    });
                }
            },
        };
        let doors = self.books.get(area).and_then(|book| book.doors.get(&state));
        Ok(doors
            .into_iter()
            .flat_map(move |doors| doors.range((behind.clone(), Bound::Unbounded)))
            .filter_map(|(_, order_id)| self.demands.get(order_id)))
    }

    /// How many orders of the area are in the state (`Unspecified`: in any).
    #[must_use]
    pub fn demand_count(&self, area: &Area, state: DemandState) -> usize {
        let doors = self.books.get(area).and_then(|book| book.doors.get(&state));
        doors.map_or(0, std::collections::BTreeSet::len)
    }

    /// Whether buying goes on; it does where nobody ever closed it.
    #[must_use]
    pub fn procurement(&self, area: &Area) -> Procurement {
        let book = self.books.get(area);
        book.map_or_else(Procurement::default, |book| book.procurement.clone())
    }

    #[must_use]
    pub fn queue_length(&self, area: &Area) -> QueueLength {
        let queue = self.books.get(area).map(|book| &book.queue);
        queue.map_or_else(QueueLength::default, |queue| QueueLength {
            orders: queue.order_count(),
            replacements: queue.replacement_count(),
        })
    }

    /// When the order that waits longest in the area was queued.
    #[must_use]
    pub fn waiting_since(&self, area: &Area) -> Option<Timestamp> {
        let book = self.books.get(area)?;
        let orders = book.queue.all().filter_map(|seq| book.queue.order(seq));
        let first = orders.map(|order| &order.order_id).next()?;
        self.demands.get(first).map(|demand| demand.queued)
    }
}

fn behind(after: Option<&str>) -> (Bound<&str>, Bound<&str>) {
    (
        after.map_or(Bound::Unbounded, Bound::Excluded),
        Bound::Unbounded,
    )
}
