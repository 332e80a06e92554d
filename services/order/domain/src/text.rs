//! Values as people and records read them. Nothing here decides anything.

use decider::Timestamp;
use proto::{
    logistics::v1::ExceptionCode,
    order::v1::{CancelReason, Channel, GroupBuyState, OrderState},
};

/// RFC 3339 in UTC, to the second.
pub(crate) fn time(time: Timestamp) -> String {
    let seconds = time.0.div_euclid(1000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days to a civil date by eras of 400 years that begin on 1 March, so that
    // the leap day is an era's, century's and year's last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

pub(crate) fn order_state(state: OrderState) -> &'static str {
    bare(state.as_str_name(), "ORDER_STATE_")
}

pub(crate) fn group_buy_state(state: GroupBuyState) -> &'static str {
    bare(state.as_str_name(), "GROUP_BUY_STATE_")
}

pub(crate) fn channel(channel: Channel) -> &'static str {
    bare(channel.as_str_name(), "CHANNEL_")
}

pub(crate) fn cancel_reason(reason: CancelReason) -> &'static str {
    bare(reason.as_str_name(), "CANCEL_REASON_")
}

/// An exception code in lower_snake_case, as events and people have it.
pub(crate) fn exception(code: ExceptionCode) -> String {
    bare(code.as_str_name(), "EXCEPTION_CODE_").to_ascii_lowercase()
}

fn bare(name: &'static str, prefix: &str) -> &'static str {
    name.strip_prefix(prefix).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_civil_dates() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_662_076_800_000, "2022-09-02T00:00:00Z"),
            (951_782_399_999, "2000-02-28T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(time(Timestamp(millis)), text);
        }
        // Any number is a time; none is a panic.
        let _ = (time(Timestamp(i64::MAX)), time(Timestamp(i64::MIN)));
    }

    #[test]
    fn codes_are_lower_snake_case() {
        assert_eq!(exception(ExceptionCode::OutOfArea), "out_of_area");
        assert_eq!(order_state(OrderState::OutForDelivery), "OUT_FOR_DELIVERY");
    }
}
