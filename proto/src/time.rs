//! Between protobuf timestamps and the domain's milliseconds.

use decider::Timestamp;

/// Whole milliseconds; a finer part is cut off.
#[must_use]
pub fn to_proto(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.0.div_euclid(1000),
        nanos: i32::try_from(time.0.rem_euclid(1000)).unwrap_or(0) * 1_000_000,
    }
}

#[must_use]
pub fn from_proto(time: &prost_types::Timestamp) -> Timestamp {
    Timestamp(
        time.seconds
            .saturating_mul(1000)
            .saturating_add(i64::from(time.nanos) / 1_000_000),
    )
}

/// An unset timestamp is 1970, as protobuf has it.
#[must_use]
pub fn or_epoch(time: Option<&prost_types::Timestamp>) -> Timestamp {
    time.map(from_proto).unwrap_or_default()
}
