//! The only place where a service reads the time.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use decider::Timestamp;

/// The service's clock: the machine's, or one that an operator's call sets.
#[derive(Debug)]
pub enum Clock {
    System,
    /// Stands still until it is advanced. For rehearsals and tests: a day
    /// passes in seconds, with every timer firing in order.
    Test(AtomicI64),
}

impl Clock {
    #[must_use]
    pub fn test(start: Timestamp) -> Self {
        Self::Test(AtomicI64::new(start.0))
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Self::Test(now) => Timestamp(now.load(Ordering::SeqCst)),
        }
    }

    #[must_use]
    pub const fn is_test(&self) -> bool {
        matches!(self, Self::Test(_))
    }

    /// Sets a test clock forward, never back; a system clock is left alone.
    pub fn advance(&self, to: Timestamp) {
        if let Self::Test(now) = self {
            now.fetch_max(to.0, Ordering::SeqCst);
        }
    }
}
