//! Durations and sizes as people type them.

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

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    units.iter().find_map(|(unit, scale)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*scale)
    })
}

#[cfg(test)]
mod tests {
    use super::{bytes, wall_ms};

    #[test]
    fn what_people_type_is_read() {
        assert_eq!(wall_ms("10s"), Ok(10_000));
        assert_eq!(wall_ms("500ms"), Ok(500));
        assert_eq!(bytes("256MiB"), Ok(256 << 20));
        assert_eq!(bytes("7"), Ok(7));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "10", "s", "-1s", "1.5s", "99999999999999999999ms"] {
            assert!(wall_ms(text).is_err(), "{text}");
        }
        for text in ["", "MiB", "1TiB", "99999999999GiB", "1 MiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
