//! The calendar of RFC 3339.
//!
//! The crates `time` and `jiff` were considered: they add 6 kB and 128 kB to a module, which Envoy
//! compiles when it starts: docs/performance.md says how little of the bound on that is left. The
//! filter reads the dates of a ring itself. Tests compare each day with `time`.

use std::fmt;

use super::UnixMillis;

const DAY: i64 = 86_400;

/// Milliseconds since 1970 of an RFC 3339 instant, rounded down. Any one byte may separate
/// date and time, as section 5.6 permits; a leap second is the last millisecond before it, and
/// is at the end of a month in UTC.
pub(super) fn parse(text: &[u8]) -> Option<i64> {
    let mut text = Text(text);
    let year = text.digits(4)?;
    text.byte(b"-")?;
    let month = text.digits(2)?;
    text.byte(b"-")?;
    let day = text.digits(2)?;
    text.next()?;
    let hour = text.digits(2)?;
    text.byte(b":")?;
    let minute = text.digits(2)?;
    text.byte(b":")?;
    let second = text.digits(2)?;
    let millis = text.fraction()?;
    let offset = text.offset()?;
    let fits = text.0.is_empty()
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour <= 23
        && minute <= 59
        && second <= 60;
    if !fits {
        return None;
    }
    let time = seconds(hour, minute)?.checked_add(second.min(59))?;
    let date = days(year, month, day)?.checked_mul(DAY)?;
    let utc = date.checked_add(time)?.checked_sub(offset)?;
    if second < 60 {
        return utc.checked_mul(1000)?.checked_add(millis);
    }
    let next = utc.checked_add(1)?;
    let is_month = next.rem_euclid(DAY) == 0 && date_of(next.div_euclid(DAY))?.2 == 1;
    let millis = next.checked_mul(1000)?.checked_sub(1)?;
    is_month.then_some(millis)
}

/// An instant in UTC, not after 9999.
pub(super) fn write(millis: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let millis = i64::try_from(millis.min(UnixMillis::LAST.0)).unwrap_or(0);
    let day = millis / 1000 / DAY;
    let (year, month, day) = date_of(day).unwrap_or_default();
    let (hour, minute, second) = (
        millis / 3_600_000 % 24,
        millis / 60_000 % 60,
        millis / 1000 % 60,
    );
    let millis = millis % 1000;
    write!(
        f,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
    )
}

/// What is not read yet.
struct Text<'a>(&'a [u8]);

impl Text<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn byte(&mut self, allowed: &[u8]) -> Option<u8> {
        self.next().filter(|byte| allowed.contains(byte))
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        (0..count).try_fold(0_i64, |number, _| {
            let digit = i64::from(self.byte(b"0123456789")?.wrapping_sub(b'0'));
            number.checked_mul(10)?.checked_add(digit)
        })
    }

    /// Milliseconds; what is finer is dropped.
    fn fraction(&mut self) -> Option<i64> {
        let Some(rest) = self.0.strip_prefix(b".") else {
            return Some(0);
        };
        let count = rest.iter().take_while(|it| it.is_ascii_digit()).count();
        let (digits, rest) = rest.split_at_checked(count).filter(|_| count > 0)?;
        self.0 = rest;
        let weights = digits.iter().zip([100, 10, 1]);
        Some(
            weights
                .map(|(digit, weight)| i64::from(digit.wrapping_sub(b'0')).saturating_mul(weight))
                .sum(),
        )
    }

    /// Seconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.byte(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1_i64,
            _ => return Some(0),
        };
        let hour = self.digits(2).filter(|it| *it <= 23)?;
        self.byte(b":")?;
        let minute = self.digits(2).filter(|it| *it <= 59)?;
        seconds(hour, minute)?.checked_mul(sign)
    }
}

fn seconds(hour: i64, minute: i64) -> Option<i64> {
    let minutes = hour.checked_mul(60)?.checked_add(minute)?;
    minutes.checked_mul(60)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years begin in March here,
/// so that the day of leap years is the last; 146097 days are 400 years.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let year = year.checked_sub(i64::from(month <= 2))?;
    let (cycle, year) = (year.div_euclid(400), year.rem_euclid(400));
    let month = month.checked_add(9)? % 12;
    let of_month = month.checked_mul(153)?.checked_add(2)? / 5;
    let of_year = of_month.checked_add(day)?.checked_sub(1)?;
    let leaps = (year / 4).checked_sub(year / 100)?;
    let of_cycle = year
        .checked_mul(365)?
        .checked_add(leaps)?
        .checked_add(of_year)?;
    cycle
        .checked_mul(146_097)?
        .checked_add(of_cycle)?
        .checked_sub(719_468)
}

/// Year, month and day of a day since 1970-01-01.
fn date_of(day: i64) -> Option<(i64, i64, i64)> {
    let day = day.checked_add(719_468)?;
    let (cycle, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    // 1460 days are four years without the leap day, 36524 a century, 146096 a cycle.
    let leaps = (day / 36_524)
        .checked_sub(day / 1460)?
        .checked_sub(day / 146_096)?;
    let year = day.checked_add(leaps)? / 365;
    let before = year
        .checked_mul(365)?
        .checked_add(year / 4)?
        .checked_sub(year / 100)?;
    let day = day.checked_sub(before)?;
    let month = day.checked_mul(5)?.checked_add(2)? / 153;
    let of_month = month.checked_mul(153)?.checked_add(2)? / 5;
    let day = day.checked_sub(of_month)?.checked_add(1)?;
    let month = month.checked_add(2)? % 12;
    let month = month.checked_add(1)?;
    let year = cycle.checked_mul(400)?.checked_add(year)?;
    Some((year.checked_add(i64::from(month <= 2))?, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;

    /// What a library for dates says.
    fn expected(text: &str) -> Option<i64> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
    }

    #[test]
    fn each_day_is_read_and_printed_as_a_library_does() {
        for day in 0..2_932_897_u64 {
            let at = UnixMillis(day * 86_400_000 + 43_200_123);
            let text = at.to_string();
            assert_eq!(UnixMillis::parse(&text), Ok(at), "{text}");
            if day % 97 == 0 {
                assert_eq!(expected(&text).map(i64::unsigned_abs), Some(at.0));
            }
        }
        assert_eq!(UnixMillis(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn leap_seconds_are_at_the_end_of_a_month() {
        for text in [
            "2016-12-31T23:59:60Z",
            "2017-01-01T00:59:60.5+01:00",
            "2016-12-30T23:59:60Z",
            "2016-12-31T22:59:60Z",
            "2016-12-31T23:59:61Z",
            "2016-02-29T12:00:00z",
            "2015-02-29T12:00:00Z",
            "1900-02-29T12:00:00Z",
            "2000-02-29T12:00:00Z",
            "2016-04-31T12:00:00Z",
            "2016-04-30 12:00:00-23:59",
            "2016-04-30T12:00:00.Z",
            "2016-04-30T12:00:00.1234567890123Z",
        ] {
            assert_eq!(parse(text.as_bytes()), expected(text), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_as_a_library_does(
            text in "[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,12})?(Z|[+-][0-2][0-9]:[0-6][0-9]|x)?"
        ) {
            proptest::prop_assert_eq!(parse(text.as_bytes()), expected(&text));
        }

        #[test]
        fn untrusted_bytes_never_panic(bytes: Vec<u8>, millis: u64) {
            let _ = (parse(&bytes), UnixMillis(millis).to_string());
        }
    }
}
