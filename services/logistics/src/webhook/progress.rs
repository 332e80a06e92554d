//! How far each webhook has got, in a small file beside the log. What is lost
//! with it is delivered again, from where the webhook was registered: at least
//! once, never less.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use decider::{Position, Revision, Timestamp};
use parking_lot::Mutex;
use proto::{logistics::v1 as pb, time::to_proto};
use serde::{Deserialize, Serialize};
use service_kit::durable_file;

/// Tries that failed since the last delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// Seconds since 1970.
    pub since_secs: u64,
    pub tries: u32,
    pub error: String,
    /// The webhook's, when the first of them failed: resumed, it begins anew.
    pub revision: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct One {
    cursor: u64,
    failing: Option<Failing>,
}

struct Inner {
    webhooks: BTreeMap<String, One>,
    is_saved: bool,
}

/// The progress of a partition's webhooks.
#[derive(Clone)]
pub struct Progress {
    path: PathBuf,
    inner: Arc<Mutex<Inner>>,
}

impl Progress {
    /// Reads the file; one that is missing or none is as if nothing had been
    /// delivered yet.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        let read = std::fs::read(path).ok();
        let webhooks = match read.map(|bytes| serde_json::from_slice(&bytes)) {
            Some(Ok(webhooks)) => webhooks,
            Some(Err(error)) => {
                let path = path.display();
                tracing::error!(%path, %error, "webhooks begin anew where they were registered");
                BTreeMap::new()
            }
            None => BTreeMap::new(),
        };
        Self {
            path: path.to_owned(),
            inner: Arc::new(Mutex::new(Inner {
                webhooks,
                is_saved: true,
            })),
        }
    }

    #[must_use]
    pub fn cursor(&self, webhook_id: &str) -> Position {
        let inner = self.inner.lock();
        Position(inner.webhooks.get(webhook_id).map_or(0, |one| one.cursor))
    }

    fn change<R>(&self, webhook_id: &str, f: impl FnOnce(&mut One) -> R) -> R {
        let mut inner = self.inner.lock();
        inner.is_saved = false;
        f(inner.webhooks.entry(webhook_id.to_owned()).or_default())
    }

    /// Everything up to here was delivered, or is nothing to be delivered.
    pub fn reached(&self, webhook_id: &str, position: Position) {
        self.change(webhook_id, |one| one.cursor = position.0);
    }

    pub fn delivered(&self, webhook_id: &str) {
        let mut inner = self.inner.lock();
        if let Some(one) = inner.webhooks.get_mut(webhook_id)
            && one.failing.take().is_some()
        {
            inner.is_saved = false;
        }
    }

    /// A try failed; gives all that have since the last delivery.
    pub fn failed(
        &self,
        webhook_id: &str,
        revision: Revision,
        now_secs: u64,
        error: &str,
    ) -> Failing {
        self.change(webhook_id, |one| {
            let before = one.failing.take();
            let before = before.filter(|failing| failing.revision == revision.0);
            let failing = Failing {
                since_secs: before
                    .as_ref()
                    .map_or(now_secs, |failing| failing.since_secs),
                tries: before.map_or(1, |failing| failing.tries.saturating_add(1)),
                error: error.to_owned(),
                revision: revision.0,
            };
            one.failing = Some(failing.clone());
            failing
        })
    }

    /// Adds to what the API shows of a webhook.
    pub fn show(&self, webhook: &mut pb::Webhook) {
        let inner = self.inner.lock();
        let Some(one) = inner.webhooks.get(&webhook.webhook_id) else {
            return;
        };
        webhook.cursor = webhook.cursor.max(one.cursor);
        if let Some(failing) = &one.failing {
            webhook.failing_since_time = Some(to_proto(time(failing.since_secs)));
            webhook.failed_tries = i32::try_from(failing.tries).unwrap_or(i32::MAX);
            if webhook.last_error.is_empty() {
                webhook.last_error.clone_from(&failing.error);
            }
        }
    }

    /// Forgets webhooks that were removed.
    pub fn keep_only(&self, exists: impl Fn(&str) -> bool) {
        let mut inner = self.inner.lock();
        let before = inner.webhooks.len();
        inner.webhooks.retain(|id, _| exists(id));
        if inner.webhooks.len() != before {
            inner.is_saved = false;
        }
    }

    /// Writes the file where something has changed; one caller at a time.
    ///
    /// # Errors
    /// The disk fails.
    pub fn save(&self) -> io::Result<()> {
        let bytes = {
            let mut inner = self.inner.lock();
            if inner.is_saved {
                return Ok(());
            }
            inner.is_saved = true;
            serde_json::to_vec(&inner.webhooks).expect("texts and numbers are JSON")
        };
        let saved = durable_file::replace(&self.path, &bytes);
        if saved.is_err() {
            self.inner.lock().is_saved = false;
        }
        saved
    }
}

/// The moment so many seconds after the beginning of 1970.
pub fn time(secs: u64) -> Timestamp {
    Timestamp(i64::try_from(secs.saturating_mul(1000)).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_found_again_and_failures_begin_anew_with_a_new_revision() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("webhooks-0.json");
        let progress = Progress::open(&path);
        progress.reached("a", Position(7));
        progress.failed("a", Revision(1), 100, "no");
        let failing = progress.failed("a", Revision(1), 160, "still no");
        assert_eq!((failing.since_secs, failing.tries), (100, 2));
        progress.save().expect("saved");

        let again = Progress::open(&path);
        assert_eq!(again.cursor("a"), Position(7));
        let failing = again.failed("a", Revision(1), 200, "no");
        assert_eq!((failing.since_secs, failing.tries), (100, 3));
        let failing = again.failed("a", Revision(2), 300, "no");
        assert_eq!(
            (failing.since_secs, failing.tries),
            (300, 1),
            "it was resumed"
        );
        again.keep_only(|id| id != "a");
        assert_eq!(again.cursor("a"), Position::ZERO);
    }

    #[test]
    fn a_damaged_file_loses_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("webhooks-0.json");
        std::fs::write(&path, "{\"a\":").expect("written");
        assert_eq!(Progress::open(&path).cursor("a"), Position::ZERO);
    }
}
