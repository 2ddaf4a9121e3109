//! Durations, sizes and instants as people write them: `"30s"`, `"1.5h"`, `"8MiB"`,
//! `2012-06-14T09:30:00.250Z`.

use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// Reads `"250ms"`, `"30s"`, `"1.5m"`, `"12h"`, `"4d"`, or a bare number of seconds.
///
/// # Errors
/// Says what was wrong with the text.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let seconds_in_unit = match unit {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        other => {
            return Err(format!("unknown unit {other:?}; use ms, s, m, h or d, as in \"30s\""));
        }
    };
    let number: f64 = number
        .parse()
        .map_err(|_| format!("{text:?} is not a duration; write one like \"30s\" or \"1.5h\""))?;
    seconds(number * seconds_in_unit)
}

/// A number of seconds as a duration; refuses what is negative, not finite or beyond reason.
///
/// # Errors
/// Says what was wrong with the number.
pub fn seconds(number: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(number).map_err(|_| format!("{number} seconds is not a duration"))
}

/// Reads `"64KiB"`, `"8MiB"`, `"1GB"`, or a bare number of bytes.
///
/// # Errors
/// Says what was wrong with the text.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let bytes_in_unit: u64 = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        other => {
            return Err(format!("unknown unit {other:?}; use KiB, MiB or GiB, as in \"8MiB\""));
        }
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(bytes_in_unit))
        .ok_or_else(|| format!("{text:?} is not a size; write one like \"8MiB\""))
}

/// So many of a thing, in words: `1 message`, `2 messages`.
pub fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// A duration as people write it, the way the settings read it.
pub fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis >= size && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    format!("{millis}ms")
}

/// An instant as RFC 3339 has it, in UTC and always to the millisecond, so that texts sort as the
/// instants do. An instant before 1970 counts as 1970.
pub fn utc(time: SystemTime) -> String {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
    let whole = DateTime::from_secs(seconds).fmt(Format::DateTime).unwrap_or_default();
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), since_epoch.subsec_millis())
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-' || c == '+'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("9"), Ok(Duration::from_secs(9)));
        assert_eq!(duration("1.5 h"), Ok(Duration::from_mins(90)));
        assert_eq!(duration("4d"), Ok(Duration::from_hours(96)));
        for wrong in ["", "s", "1 fortnight", "-1s", "1e400", "nan"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("8MiB"), Ok(8 << 20));
        assert_eq!(size("1 GB"), Ok(1_000_000_000));
        for wrong in ["", "MiB", "1.5MiB", "-1", "99999999999GiB", "1 Mib"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn instants() {
        let at = |millis| utc(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_827_696_005), "2000-02-29T12:34:56.005Z");
        assert_eq!(at(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn what_is_shown_can_be_read() {
        for text in ["250ms", "9s", "90m", "4d", "43201s", "1ms"] {
            assert_eq!(show(duration(text).unwrap()), text);
        }
    }
}
