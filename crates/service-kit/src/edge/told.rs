//! What was refused, in the log and in the metrics. A flood of refusals must
//! not become a flood of lines: of each reason one line a second is written,
//! which says how many others there were since the last.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use decider::Service;
use parking_lot::Mutex;

const EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Told {
    service: Service,
    last: Mutex<HashMap<&'static str, Last>>,
}

struct Last {
    at: Instant,
    untold: u64,
}

impl Told {
    pub(crate) fn new(service: Service) -> Self {
        Self {
            service,
            last: Mutex::default(),
        }
    }

    /// Counts a refusal of the edge and tells of it. `who` is a code or an
    /// address, never a person's name.
    pub(crate) fn refused(&self, reason: &'static str, who: &dyn std::fmt::Display, path: &str) {
        metrics::counter!(
            "baogong_limits_refused_total",
            "service" => self.service.name(), "reason" => reason
        )
        .increment(1);
        if let Some(others) = self.may_tell(reason) {
            tracing::info!(
                service = %self.service, method = path, reason, caller = %who, others, "refused"
            );
        }
    }

    /// Whether a line may be written now, and how many were not since the
    /// last.
    pub(crate) fn may_tell(&self, reason: &'static str) -> Option<u64> {
        let now = Instant::now();
        let mut all = self.last.lock();
        match all.get_mut(reason) {
            Some(last) if now.duration_since(last.at) < EVERY => {
                last.untold += 1;
                None
            }
            Some(last) => {
                last.at = now;
                Some(std::mem::take(&mut last.untold))
            }
            None => {
                all.insert(reason, Last { at: now, untold: 0 });
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_for_each_reason() {
        let told = Told::new(Service::Order);
        assert_eq!(told.may_tell("RATE_LIMITED"), Some(0));
        for _ in 0..10_000 {
            let line = told.may_tell("RATE_LIMITED");
            // The machine may be slow, so that the second is over.
            assert!(line.is_none_or(|others| others > 0));
        }
        assert_eq!(told.may_tell("TOO_LARGE"), Some(0), "another reason");
    }
}
