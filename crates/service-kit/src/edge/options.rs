//! `[limits]`.

use std::time::Duration;

use ::access::Class;
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

/// So many calls a second for long, and so many at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    pub per_sec: u32,
    pub burst: u32,
}

/// What one caller may take, and what all connections together may. The
/// defaults leave two hundred firms with ten reports a second each far below.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsOptions {
    /// For each caller, calls that change nothing.
    pub reads: Rate,
    /// For each caller, calls that change something.
    pub writes: Rate,
    /// For each caller, calls that report (each up to 100 reports). The
    /// messages of a stream of requests are slowed down to it, not refused.
    pub reports: Rate,
    /// For each caller, streams of answers opened.
    pub watches: Rate,
    /// For each address, calls without a token and tokens seen for the first
    /// time: those cost a signature's check.
    pub strangers: Rate,
    /// Callers told apart, for each of the rates; those beyond share one.
    pub callers_max: usize,
    /// Streams that one caller has open.
    pub streams_per_caller_max: usize,
    /// Connections from one address.
    pub connections_per_peer_max: usize,
    /// Connections altogether.
    pub connections_max: usize,
    /// Calls under way on one connection (HTTP/2 streams).
    pub calls_per_connection_max: u32,
    /// Metadata of one call.
    pub header_bytes_max: u32,
    /// Calls on one connection that were opened and taken back before they
    /// were looked at; one more ends the connection.
    pub reset_calls_max: usize,
    /// Calls on one connection that the caller took back within ten seconds,
    /// before they were answered; one more ends the connection.
    pub cancelled_calls_max: usize,
    /// A connection is asked for a sign of life so often …
    pub keepalive_secs: u64,
    /// … and ends when none comes for so long.
    pub keepalive_timeout_secs: u64,
    /// Connections older than this are asked to come again; 0: never.
    pub connection_age_secs_max: u64,
    /// A connection that does not begin to speak HTTP/2 ends after this.
    pub greeting_secs_max: u64,
    /// Longest time for a call whose answer is no stream.
    pub call_ms_max: u64,
    /// A stream whose reader takes nothing ends after this.
    pub stall_secs_max: u64,
    /// Longest request that changes nothing or opens a stream.
    pub read_bytes_max: usize,
    /// Longest request that changes something, and longest message in a stream
    /// of requests.
    pub write_bytes_max: usize,
    /// Longest answer; gRPC's clients take 4 MiB unless told otherwise.
    pub answer_bytes_max: usize,
}

impl Default for LimitsOptions {
    fn default() -> Self {
        let rate = |per_sec, burst| Rate { per_sec, burst };
        Self {
            reads: rate(1_000, 2_000),
            writes: rate(500, 2_000),
            reports: rate(200, 1_000),
            watches: rate(20, 100),
            strangers: rate(100, 500),
            callers_max: 10_000,
            streams_per_caller_max: 64,
            connections_per_peer_max: 512,
            connections_max: 4_096,
            calls_per_connection_max: 1_000,
            header_bytes_max: 16 * 1024,
            reset_calls_max: 20,
            cancelled_calls_max: 1_000,
            keepalive_secs: 30,
            keepalive_timeout_secs: 10,
            connection_age_secs_max: 0,
            greeting_secs_max: 10,
            call_ms_max: 60_000,
            stall_secs_max: 60,
            read_bytes_max: 64 * 1024,
            write_bytes_max: 1024 * 1024,
            answer_bytes_max: 4 * 1024 * 1024,
        }
    }
}

/// Longer messages cannot come: tonic's own limit.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

impl LimitsOptions {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |field, value: &dyn std::fmt::Debug, why| {
            Err(ConfigError::Value {
                field,
                value: format!("{value:?}"),
                why,
            })
        };
        for (field, rate) in [
            ("limits.reads", self.reads),
            ("limits.writes", self.writes),
            ("limits.reports", self.reports),
            ("limits.watches", self.watches),
            ("limits.strangers", self.strangers),
        ] {
            if rate.per_sec == 0 || rate.burst == 0 {
                return wrong(field, &rate, "per_sec and burst must be at least 1");
            }
        }
        let counts = [
            ("limits.callers_max", self.callers_max),
            ("limits.streams_per_caller_max", self.streams_per_caller_max),
            (
                "limits.connections_per_peer_max",
                self.connections_per_peer_max,
            ),
            ("limits.connections_max", self.connections_max),
            (
                "limits.calls_per_connection_max",
                self.calls_per_connection_max as usize,
            ),
            ("limits.reset_calls_max", self.reset_calls_max),
            ("limits.cancelled_calls_max", self.cancelled_calls_max),
            ("limits.keepalive_secs", seconds(self.keepalive_secs)),
            (
                "limits.keepalive_timeout_secs",
                seconds(self.keepalive_timeout_secs),
            ),
            ("limits.greeting_secs_max", seconds(self.greeting_secs_max)),
            ("limits.call_ms_max", seconds(self.call_ms_max)),
            ("limits.stall_secs_max", seconds(self.stall_secs_max)),
        ];
        if let Some((field, value)) = counts.into_iter().find(|(_, value)| *value == 0) {
            return wrong(field, &value, "must be at least 1");
        }
        // A token alone may have 8 KiB.
        if self.header_bytes_max < 10 * 1024 {
            let value = &self.header_bytes_max;
            return wrong(
                "limits.header_bytes_max",
                value,
                "at least 10240: a token may have 8192",
            );
        }
        for (field, bytes) in [
            ("limits.read_bytes_max", self.read_bytes_max),
            ("limits.write_bytes_max", self.write_bytes_max),
            ("limits.answer_bytes_max", self.answer_bytes_max),
        ] {
            if !(1024..=MESSAGE_BYTES_MAX).contains(&bytes) {
                return wrong(field, &bytes, "1024 to 4194304 bytes are possible");
            }
        }
        Ok(())
    }

    /// The longest request of a class; of a stream, the longest message.
    #[must_use]
    pub const fn request_bytes_max(&self, class: Class) -> usize {
        match class {
            Class::Public | Class::Read | Class::Watch | Class::Admin => self.read_bytes_max,
            Class::Write | Class::Report => self.write_bytes_max,
        }
    }

    pub(crate) const fn rate(&self, class: Class) -> Rate {
        match class {
            Class::Public | Class::Read | Class::Admin => self.reads,
            Class::Write => self.writes,
            Class::Report => self.reports,
            Class::Watch => self.watches,
        }
    }

    pub(crate) const fn stall(&self) -> Duration {
        Duration::from_secs(self.stall_secs_max)
    }

    /// How often stalled streams are looked for.
    pub(crate) fn look_every(&self) -> Duration {
        (self.stall() / 4).clamp(Duration::from_millis(100), Duration::from_secs(5))
    }
}

fn seconds(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
