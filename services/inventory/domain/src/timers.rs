//! What time calls for: expired lots are taken off the shelves, and the queue
//! is worked when goods or decisions came, a part at a time so that no group
//! of events grows large. The surplus trade has timers of its own.

use decider::{Context, Due, EventSet, Timestamp};
use proto::{InventoryEvent, inventory::v1::SpoilCause};

use crate::{
    command::Command,
    intake,
    lot::spoiled_units,
    queue::{Seq, Served},
    rejection::Rejection,
    replacement,
    reservation::Shelves,
    state::{Book, State},
    surplus,
};

/// Events of one part of the work.
const PART_EVENTS_MAX: usize = 32;
/// Encoded size at which a part ends; one more event of up to 25 KiB still
/// leaves it below what a command may record.
const PART_BYTES_MAX: usize = 20 * 1024;
/// Commands given out at once.
const DUE_MAX: usize = 64;

pub(crate) fn due(state: &State, now: Timestamp) -> Vec<Due<Command>> {
    let areas = state.timers.iter().take_while(|(at, _)| *at <= now);
    let areas = areas.take(DUE_MAX).map(|(at, area)| Due {
        area: area.clone(),
        at: *at,
        command: Command::AllocateDemand,
    });
    let mut due: Vec<_> = areas.collect();
    due.extend(surplus::due(&state.surplus, now, DUE_MAX));
    due.sort_by_key(|due| due.at);
    due.truncate(DUE_MAX);
    due
}

pub(crate) fn next_due(state: &State) -> Option<Timestamp> {
    let area = state.timers.first().map(|(at, _)| *at);
    area.into_iter()
        .chain(surplus::next_due(&state.surplus))
        .min()
}

/// One part of the area's work.
///
/// It makes progress whenever it is due. What is ready counts on all units on
/// hand; if some of them have expired meanwhile, taking them off the shelf is
/// the progress.
pub(crate) fn allocate(state: &State, context: &Context) -> Result<Vec<InventoryEvent>, Rejection> {
    let Some(book) = state.books.get(&context.area) else {
        return Ok(Vec::new());
    };
    let mut work = Work {
        state,
        book,
        shelves: Shelves::new(state, &context.area, context.now),
        events: Vec::new(),
        bytes: 0,
    };
    work.take_off_expired(context.now);
    if book.procurement.closed {
        work.answer_all();
    } else {
        work.serve_ready();
    }
    Ok(work.events)
}

struct Work<'a> {
    state: &'a State,
    book: &'a Book,
    shelves: Shelves<'a>,
    events: Vec<InventoryEvent>,
    bytes: usize,
}

impl Work<'_> {
    fn is_full(&self) -> bool {
        self.events.len() >= PART_EVENTS_MAX || self.bytes >= PART_BYTES_MAX
    }

    fn push(&mut self, event: InventoryEvent) {
        self.bytes = self.bytes.saturating_add(event.encode().len());
        self.events.push(event);
    }

    fn take_off_expired(&mut self, now: Timestamp) {
        let expired = self.book.expiring.iter().take_while(|(at, _)| *at <= now);
        for (_, lot_id) in expired {
            if self.is_full() {
                break;
            }
            if let Some(lot) = self.state.lots.get(lot_id) {
                let (units, cause) = (lot.stock.on_hand, SpoilCause::Expired);
                self.push(spoiled_units(lot, units, cause, ""));
            }
        }
    }

    /// Buying is over: everybody gets what there is, the oldest first.
    fn answer_all(&mut self) {
        for seq in self.book.queue.all() {
            if self.is_full() {
                break;
            }
            self.serve(seq, true);
        }
    }

    /// Who can be served is, and then perhaps those who stood behind.
    fn serve_ready(&mut self) {
        let queue = &self.book.queue;
        let mut candidates = queue.ready().clone();
        let mut served = Served::new();
        while let Some(seq) = candidates.pop_first() {
            if self.is_full() {
                break;
            }
            if !queue.is_first(seq, &served) || !self.serve(seq, false) {
                continue;
            }
            served.insert(seq);
            for (product_id, _) in queue.wants(seq) {
                candidates.extend(queue.heads(product_id, &served));
            }
        }
    }

    /// Whether the entry was answered: always where it must be.
    fn serve(&mut self, seq: Seq, must: bool) -> bool {
        let queue = &self.book.queue;
        let plan = self.shelves.plan(queue.wants(seq));
        if !plan.in_stock && !must {
            return false;
        }
        let event = if let Some(waiting) = queue.replacement(seq) {
            let Some(demand) = self.state.demands.get(&waiting.order_id) else {
                return false;
            };
            // A replacement is whole or none: nothing is taken for half a bag.
            if plan.short.is_empty() {
                self.shelves.take(&plan);
            }
            replacement::answer(self.state, demand, waiting, plan)
        } else if let Some(waiting) = queue.order(seq) {
            self.shelves.take(&plan);
            intake::answer(&waiting.order_id, plan)
        } else {
            return false;
        };
        self.push(event);
        true
    }
}
