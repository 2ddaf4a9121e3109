//! Dates and times for `MySQL`, which knows neither the T nor, in `MariaDB`, the time zone of
//! ISO 8601.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Duration, PrimitiveDateTime, Time};

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const SECONDS: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]:[second]");
const MINUTES: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]");

/// `2026-01-31T13:00:00.25+01:00` is `2026-01-31 12:00:00.25`; without a time zone it stays as it
/// is, and so does a date alone. Nothing where it is neither.
pub(super) fn in_utc(text: &str) -> Option<String> {
    let text = text.trim();
    let Some((date, time)) = text.split_once(['T', 't', ' ']) else {
        return Date::parse(text, DATE).ok().map(|_date| text.to_owned());
    };
    let date = Date::parse(date, DATE).ok()?;
    let zone_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (time, zone) = time.split_at_checked(zone_at)?;
    let (time, fraction) = time.split_once('.').map_or((time, None), |(a, b)| (a, Some(b)));
    let time = Time::parse(time, SECONDS).or_else(|_| Time::parse(time, MINUTES)).ok()?;
    let moment = PrimitiveDateTime::new(date, time).checked_sub(offset(zone)?)?;
    let (date, time) = (moment.date().format(DATE).ok()?, moment.time().format(SECONDS).ok()?);
    match fraction {
        Some(digits) if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) => None,
        Some(digits) => Some(format!("{date} {time}.{digits}")),
        None => Some(format!("{date} {time}")),
    }
}

/// `Z`, `+01`, `+0100` or `-05:30`, or nothing.
fn offset(zone: &str) -> Option<Duration> {
    let mut letters = zone.chars();
    let sign = match letters.next() {
        None => return Some(Duration::ZERO),
        Some('Z' | 'z') => return letters.next().is_none().then_some(Duration::ZERO),
        Some('-') => -1,
        Some(_) => 1,
    };
    let digits: String = letters.filter(|letter| *letter != ':').collect();
    let number = |text: Option<&str>| text?.parse::<i64>().ok();
    let hours = number(digits.get(..2)).filter(|hours| *hours <= 23)?;
    let minutes = match digits.len() {
        2 => 0,
        4 => number(digits.get(2..)).filter(|minutes| *minutes <= 59)?,
        _ => return None,
    };
    Some(Duration::minutes(sign * (hours * 60 + minutes)))
}

#[cfg(test)]
mod tests {
    use super::in_utc;

    #[test]
    fn a_time_zone_is_taken_off() {
        for (written, meant) in [
            ("2026-01-31", "2026-01-31"),
            ("2026-01-31T12:00", "2026-01-31 12:00:00"),
            ("2026-01-31 12:00:00.125", "2026-01-31 12:00:00.125"),
            ("2026-01-31T12:00:00Z", "2026-01-31 12:00:00"),
            ("2026-01-01T00:30:00.5+01:00", "2025-12-31 23:30:00.5"),
            ("2026-01-31T12:00:00-0530", "2026-01-31 17:30:00"),
            ("2026-01-31T12:00:00+05", "2026-01-31 07:00:00"),
        ] {
            assert_eq!(in_utc(written).as_deref(), Some(meant));
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "soon",
            "2026-02-30",
            "2026-01-31T25:00",
            "2026-01-31T12:00:00.",
            "2026-01-31T12:00:00ZZ",
            "2026-01-31T12:00:00+1",
            "2026-01-31T12:00:00+é9",
            "12:00",
        ] {
            assert_eq!(in_utc(text), None, "{text}");
        }
    }
}
