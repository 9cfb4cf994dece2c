//! Durations, moments and sizes as people type them.

/// `10s`, `500ms`, `2m`, `1h` as milliseconds.
pub(crate) fn wall_ms(text: &str) -> Result<u64, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    scaled(text, &units).ok_or_else(|| format!("`{text}` is no duration; write 500ms, 10s or 2m"))
}

/// `64MiB`, `1GiB`, `100000` as bytes.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let units = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("", 1),
    ];
    scaled(text, &units).ok_or_else(|| format!("`{text}` is no size; write 256MiB, 1GiB or bytes"))
}

/// A moment, or a duration back from now, as microseconds since 1970.
pub(crate) fn since(text: &str) -> Result<u64, String> {
    let units = [
        ("s", 1_000_000),
        ("m", 60_000_000),
        ("h", 3_600_000_000),
        ("d", 86_400_000_000),
    ];
    let back = || {
        let now = u64::try_from(jiff::Timestamp::now().as_microsecond()).ok()?;
        now.checked_sub(scaled(text, &units)?)
    };
    moment(text).or_else(back).ok_or_else(|| {
        format!("`{text}` is no time; write 2026-11-01, 2026-11-01T08:00:00Z, 12h or 30d")
    })
}

/// A date is its beginning in UTC.
fn moment(text: &str) -> Option<u64> {
    let day = || format!("{text}T00:00:00Z").parse::<jiff::Timestamp>().ok();
    let at = text.parse::<jiff::Timestamp>().ok().or_else(day)?;
    u64::try_from(at.as_microsecond()).ok()
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    units.iter().find_map(|(unit, scale)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*scale)
    })
}

#[cfg(test)]
mod tests {
    use super::{bytes, since, wall_ms};

    #[test]
    fn what_people_type_is_read() {
        assert_eq!(wall_ms("10s"), Ok(10_000));
        assert_eq!(wall_ms("500ms"), Ok(500));
        assert_eq!(bytes("256MiB"), Ok(256 << 20));
        assert_eq!(bytes("7"), Ok(7));
        assert_eq!(since("1970-01-02"), Ok(86_400_000_000));
        assert_eq!(since("1970-01-01T00:00:01Z"), Ok(1_000_000));
        let (hour, day) = (since("1h").unwrap_or(0), since("1d").unwrap_or(0));
        assert!(hour > day && day > 0, "{hour} {day}");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "10", "s", "-1s", "1.5s", "99999999999999999999ms"] {
            assert!(wall_ms(text).is_err(), "{text}");
            assert!(since(text).is_err(), "{text}");
        }
        for text in ["", "MiB", "1TiB", "99999999999GiB", "1 MiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
