//! Times as people read them, in UTC as the logs have them.

use decider::Timestamp;
use jiff::{Timestamp as Instant, tz::TimeZone};

fn format(time: Timestamp, pattern: &str) -> String {
    Instant::from_millisecond(time.0).map_or_else(
        |_| format!("{} ms", time.0),
        |instant| {
            instant
                .to_zoned(TimeZone::UTC)
                .strftime(pattern)
                .to_string()
        },
    )
}

/// `2022-09-02`.
pub(crate) fn date(time: Timestamp) -> String {
    format(time, "%Y-%m-%d")
}

/// `08:00:01`.
pub(crate) fn clock(time: Timestamp) -> String {
    format(time, "%H:%M:%S")
}

/// `2022-09-02 08:00:01`.
pub(crate) fn full(time: Timestamp) -> String {
    format(time, "%Y-%m-%d %H:%M:%S")
}

/// RFC 3339 with milliseconds, for machines.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    format(time, "%Y-%m-%dT%H:%M:%S.%3fZ")
}

/// RFC 3339, of seconds since 1970.
pub(crate) fn seconds(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok();
    let time = time.and_then(|s| Instant::from_second(s).ok());
    time.map_or_else(|| format!("{seconds} s"), |time| time.to_string())
}

/// Reads RFC 3339 with a zone.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let time: Instant = text.parse().ok()?;
    Some(Timestamp(time.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_utc_and_none_is_a_panic() {
        let time = Timestamp(1_662_076_800_123);
        assert_eq!(full(time), "2022-09-02 00:00:00");
        assert_eq!(rfc3339(time), "2022-09-02T00:00:00.123Z");
        assert_eq!(clock(Timestamp(i64::MAX)), "9223372036854775807 ms");
    }
}
