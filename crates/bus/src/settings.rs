//! What a stream must be set to, and the check that it is.
//!
//! Servers drop configuration fields that they do not know and keep an
//! existing stream as it is, so settings are always read back from the server
//! and compared.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

use crate::error::BusError;
use crate::names::StreamName;

/// How long a server remembers the ids of messages. They tell two writers
/// apart that publish at the same moment; the default of two minutes would be
/// hundreds of megabytes of ids at the relay's full rate.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(5);

/// The replica of a log: nothing in it is ever dropped, removed or replaced.
pub(crate) fn of_log(name: &StreamName, replicas: usize) -> Config {
    Config {
        name: name.to_string(),
        subjects: vec![name.subjects()],
        description: Some(format!(
            "Replica of the event log of {}, partition {}",
            name.service, name.partition
        )),
        max_messages_per_subject: -1,
        duplicate_window: DUPLICATE_WINDOW,
        deny_delete: true,
        deny_purge: true,
        allow_rollup: false,
        ..endless(replicas)
    }
}

/// Values of one key that a bucket holds at most. One counts, the last; while
/// it is replaced there are two, and one that was left over by a crash may be a
/// third. A bucket that let go of the old one by itself would not overwrite it.
pub(crate) const BUCKET_HISTORY: i64 = 8;

/// A key bucket (NATS ADR-8): the last value of a key counts, and values can
/// be destroyed. Unlike the usual bucket it allows deleting single messages,
/// which is the only operation that overwrites a value on disk.
pub(crate) fn of_bucket(bucket: &str, replicas: usize) -> Config {
    Config {
        name: format!("KV_{bucket}"),
        subjects: vec![format!("$KV.{bucket}.>")],
        description: Some("Data keys; a purged key is gone for good".into()),
        max_messages_per_subject: BUCKET_HISTORY,
        deny_delete: false,
        deny_purge: false,
        allow_rollup: true,
        ..endless(replicas)
    }
}

/// A register: the last value of each key.
pub(crate) fn of_register(bucket: &str, replicas: usize) -> Config {
    Config {
        description: Some("How far each history was seen; written over and over".into()),
        ..of_bucket(bucket, replicas)
    }
}

/// Kept in files without any limit, read from the leader only.
fn endless(replicas: usize) -> Config {
    Config {
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        max_messages: -1,
        max_bytes: -1,
        max_message_size: -1,
        max_consumers: -1,
        num_replicas: replicas,
        allow_direct: false,
        ..Config::default()
    }
}

/// Refuses a stream whose settings differ in what matters.
pub(crate) fn check(wanted: &Config, found: &Config) -> Result<(), BusError> {
    let differs = |setting: &'static str, wanted_value: String, found_value: String| {
        if wanted_value == found_value {
            Ok(())
        } else {
            Err(BusError::Settings {
                stream: wanted.name.clone(),
                setting,
                wanted: wanted_value,
                found: found_value,
            })
        }
    };
    macro_rules! same {
        ($($setting:literal: $field:ident),* $(,)?) => {
            $(differs($setting, format!("{:?}", wanted.$field), format!("{:?}", found.$field))?;)*
        };
    }
    same! {
        "subjects": subjects,
        "storage": storage,
        "retention": retention,
        "discard": discard,
        "max_msgs_per_subject": max_messages_per_subject,
        "max_age": max_age,
        "deny_delete": deny_delete,
        "deny_purge": deny_purge,
        "allow_rollup_hdrs": allow_rollup,
        "allow_direct": allow_direct,
        "no_ack": no_ack,
        "sealed": sealed,
        "mirror": mirror,
        "sources": sources,
        "subject_transform": subject_transform,
    }
    for (setting, value) in [
        ("max_msgs", found.max_messages),
        ("max_bytes", found.max_bytes),
        ("max_msg_size", i64::from(found.max_message_size)),
    ] {
        // The server takes both 0 and -1 for "no limit".
        if value > 0 {
            differs(setting, "unlimited".into(), value.to_string())?;
        }
    }
    if found.num_replicas < wanted.num_replicas {
        differs(
            "num_replicas",
            format!("at least {}", wanted.num_replicas),
            found.num_replicas.to_string(),
        )?;
    }
    Ok(())
}
