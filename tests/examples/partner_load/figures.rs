//! How long reports take to be answered.

use std::{fmt, time::Duration};

use parking_lot::Mutex;
use tokio::sync::watch;

pub struct Figures {
    times: Mutex<Option<Vec<Duration>>>,
    /// Firms that have reported something.
    driving: watch::Sender<usize>,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            times: Mutex::new(None),
            driving: watch::Sender::new(0),
        }
    }
}

/// Of the time that was measured.
pub struct Taken {
    pub reports: usize,
    pub over: Duration,
    pub median: Duration,
    pub p99: Duration,
    pub longest: Duration,
}

impl Figures {
    pub fn drives(&self) {
        self.driving.send_modify(|firms| *firms += 1);
    }

    pub async fn all_drive(&self, firms: usize) {
        let mut driving = self.driving.subscribe();
        // The sender is `self`.
        let _ = driving.wait_for(|driving| *driving >= firms).await;
    }

    pub fn begin(&self) {
        *self.times.lock() = Some(Vec::new());
    }

    /// A report was answered.
    pub fn answered(&self, after: Duration) {
        if let Some(times) = &mut *self.times.lock() {
            times.push(after);
        }
    }

    pub fn end(&self, over: Duration) -> Taken {
        let mut times = self.times.lock().take().unwrap_or_default();
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 1000).copied();
        Taken {
            reports: times.len(),
            over,
            median: at(500).unwrap_or_default(),
            p99: at(990).unwrap_or_default(),
            longest: times.last().copied().unwrap_or_default(),
        }
    }
}

impl Taken {
    pub fn per_second(&self) -> f64 {
        self.reports as f64 / self.over.as_secs_f64()
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        write!(
            f,
            "reports answered       {} in {:.1} s, {:.0}/s; median {:.1} ms, p99 {:.1} ms, longest \
             {:.1} ms",
            self.reports,
            self.over.as_secs_f64(),
            self.per_second(),
            ms(self.median),
            ms(self.p99),
            ms(self.longest)
        )
    }
}
