//! Until when a call is to be answered: `grpc-timeout` of the caller (gRPC over
//! HTTP/2, "Timeout"), and the service's own limit.

use std::time::Duration;

use tokio::time::Instant;
use tonic::codegen::http::HeaderMap;

/// In a request's extensions: what is not decided by then is not decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(pub Instant);

/// The answer that a deadline has passed must itself arrive before the caller
/// and tonic give up, or it is never read.
const AHEAD_MAX: Duration = Duration::from_millis(5);

impl Deadline {
    /// The sooner of both.
    pub(super) fn of(headers: &HeaderMap, longest: Option<Duration>) -> Option<Self> {
        let asked = headers
            .get("grpc-timeout")
            .and_then(|value| parse(value.to_str().ok()?));
        let asked = asked.map(|asked| asked - AHEAD_MAX.min(asked / 4));
        let soonest = match (asked, longest) {
            (Some(asked), Some(longest)) => asked.min(longest),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return None,
        };
        // So far away that it cannot be told is as good as none.
        Instant::now().checked_add(soonest).map(Self)
    }

    #[must_use]
    pub fn has_passed(self) -> bool {
        self.0 <= Instant::now()
    }
}

/// 1 to 8 digits and a unit.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        for (text, read) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("99999999S", Some(Duration::from_secs(99_999_999))),
            ("250m", Some(Duration::from_millis(250))),
            ("7u", Some(Duration::from_micros(7))),
            ("0n", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("1", None),
            ("123456789S", None),
            ("-1S", None),
            ("1s", None),
            ("1é", None),
        ] {
            assert_eq!(parse(text), read, "{text}");
        }
    }
}
