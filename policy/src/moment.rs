//! Moments as files write them: a date or a time with an offset, read to microseconds.
//!
//! Fails for a time without an offset, which is another moment in every place, and for one before
//! 1970.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use thiserror::Error;

use crate::text::quote;

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{} is not a moment; write 2026-12-31 (its beginning in UTC) or 2026-12-31T18:00:00Z", quote(.0))]
pub struct MomentError(String);

/// Microseconds since the beginning of 1970.
pub(crate) fn read_moment(text: &str) -> Result<u64, MomentError> {
    let day = || {
        text.parse::<Date>()
            .ok()
            .filter(|_| text.len() == DATE_BYTES)
    };
    let time = || text.parse::<Timestamp>().ok();
    let moment = match day() {
        Some(date) => TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok(),
        None => time(),
    };
    moment
        .and_then(|moment| u64::try_from(moment.as_microsecond()).ok())
        .ok_or_else(|| MomentError(text.to_owned()))
}

/// `2026-12-31`, and not the other ways in which dates can be written.
const DATE_BYTES: usize = 10;

/// As messages and digests write it.
pub(crate) fn moment_text(now_us: u64) -> String {
    let moment = i64::try_from(now_us)
        .ok()
        .and_then(|us| Timestamp::from_microsecond(us).ok());
    moment.map_or_else(
        || format!("{now_us} µs after 1970"),
        |moment| moment.to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_dates_and_times_with_an_offset() {
        let second = |text| read_moment(text).map(|us| us / 1_000_000).ok();
        assert_eq!(second("1970-01-02"), Some(86_400));
        assert_eq!(second("1970-01-01T00:00:01Z"), Some(1));
        assert_eq!(second("1970-01-01T02:00:01+02:00"), Some(1));
        assert_eq!(moment_text(86_400_000_000), "1970-01-02T00:00:00Z");
    }

    #[test]
    fn refuses_what_is_another_moment_elsewhere() {
        for text in [
            "1970-01-01T00:00:01",
            "00:00:01",
            "1969-12-31",
            "1970-02-30",
            "",
            "x",
            "1970-01-02T00:00",
        ] {
            assert!(read_moment(text).is_err(), "{text}");
        }
    }
}
