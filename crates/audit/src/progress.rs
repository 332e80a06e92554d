//! Tells a person at a terminal how far a long read has come.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

/// Where the reading of a log stands.
pub trait Progress: Sync {
    /// `what` is being read, `records` are there so far.
    fn reading(&self, what: &str, records: u64);

    /// `what` is being written, `records` in all.
    fn writing(&self, what: &str, records: u64) {
        self.reading(what, records);
    }
}

/// Says nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Silent;

impl Progress for Silent {
    fn reading(&self, _: &str, _: u64) {}
}

/// One line on stderr that goes away when the work is done; nothing where
/// stderr is not a terminal.
pub(crate) struct Terminal(Option<ProgressBar>);

impl Terminal {
    pub(crate) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let style = ProgressStyle::with_template("{spinner} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner().with_style(style);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(Some(bar))
    }
}

impl Progress for Terminal {
    fn reading(&self, what: &str, records: u64) {
        if let Some(bar) = &self.0 {
            bar.set_message(format!("reading {what}: {records} records"));
        }
    }

    fn writing(&self, what: &str, records: u64) {
        if let Some(bar) = &self.0 {
            bar.set_message(format!("writing {what}: {records} records"));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
