//! Spans of time as people write them: numbers with units.
//!
//! The crate `humantime` was considered. It reads the same texts and a bare `0`, which is no span
//! here; tests compare both. It adds 6 kB to a module, which Envoy compiles when it starts:
//! docs/performance.md says how little of the bound on that is left.

/// Whole milliseconds of a text such as `1h 30m`; a fraction must be exact in nanoseconds,
/// from hours on in seconds.
pub(super) fn millis(text: &str) -> Option<u64> {
    let (mut secs, mut nanos) = (0_u64, 0_u64);
    let mut rest = text.trim_ascii_start();
    rest.chars().next()?;
    while !rest.is_empty() {
        let first = rest.starts_with(|it: char| it.is_ascii_digit());
        let (whole, _, after) = number(rest).filter(|_| first)?;
        let fraction = after.strip_prefix('.').map(number);
        let after = match fraction {
            Some(fraction) => fraction?.2,
            None => after,
        };
        let end = after.find(|it: char| !it.is_ascii_alphabetic() && it != '\u{b5}');
        let (name, after) = after.split_at_checked(end.unwrap_or(after.len()))?;
        let (in_secs, in_nanos) = unit(name)?;
        let (to, by) = match in_secs {
            0 => (&mut nanos, in_nanos),
            _ => (&mut secs, in_secs),
        };
        *to = to.checked_add(whole.checked_mul(by)?)?;
        if let Some((part, scale, _)) = fraction.flatten() {
            let (to, by) = match in_nanos {
                1 => return None,
                0 => (&mut secs, in_secs),
                _ => (&mut nanos, in_nanos),
            };
            let part = part.checked_mul(by)?;
            let is_exact = part.checked_rem(scale)? == 0;
            *to = to.checked_add(part.checked_div(scale).filter(|_| is_exact)?)?;
        }
        rest = after.trim_ascii_start();
    }
    secs.checked_mul(1000)?.checked_add(nanos / 1_000_000)
}

/// The digits that a text begins with, blanks between them aside: their value, ten to the
/// power of how many they are, and what follows.
fn number(text: &str) -> Option<(u64, u64, &str)> {
    let end = text.find(|it: char| !it.is_ascii_digit() && !it.is_ascii_whitespace());
    let (digits, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
    let (mut value, mut scale) = (0_u64, 1_u64);
    let mut is_empty = true;
    for digit in digits.bytes().filter(u8::is_ascii_digit) {
        is_empty = false;
        let digit = u64::from(digit.wrapping_sub(b'0'));
        value = value.checked_mul(10)?.checked_add(digit)?;
        // Too many digits for a fraction, which is then no exact one.
        scale = scale.checked_mul(10).unwrap_or(0);
    }
    (!is_empty).then_some((value, scale, rest))
}

/// One of it in seconds, and in nanoseconds: 0 is for what is not counted in these.
fn unit(name: &str) -> Option<(u64, u64)> {
    Some(match name {
        "nanos" | "nsec" | "ns" => (0, 1),
        "usec" | "us" | "\u{b5}s" => (0, 1000),
        "millis" | "msec" | "ms" => (0, 1_000_000),
        "seconds" | "second" | "secs" | "sec" | "s" => (1, 1_000_000_000),
        "minutes" | "minute" | "mins" | "min" | "m" => (60, 60_000_000_000),
        "hours" | "hour" | "hrs" | "hr" | "h" => (3600, 0),
        "days" | "day" | "d" => (86_400, 0),
        "weeks" | "week" | "wks" | "wk" | "w" => (604_800, 0),
        // 30.44 and 365.25 days.
        "months" | "month" | "M" => (2_630_016, 0),
        "years" | "year" | "yrs" | "yr" | "y" => (31_557_600, 0),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::millis;

    /// The library reads a bare `0`. It has no unit, and no span may be 0 ms anyway.
    fn expected(text: &str) -> Option<u64> {
        if text == "0" {
            return None;
        }
        let span = humantime::parse_duration(text).ok()?;
        u64::try_from(span.as_millis()).ok()
    }

    #[test]
    fn the_units_are_those_of_a_library() {
        for text in [
            "1.5h",
            "1.0001h",
            "1.5ms",
            "1.ms",
            ".5s",
            "1 .5 s",
            "1 0s",
            "1s2s",
            "1s.5",
            "1y1M1w1d",
            "3h 30m",
            " 1s ",
            "1s,",
            "0",
            "1",
            "s",
            "1.0ns",
            "1ns",
            "1\u{b5}s",
            "1.50000m",
            "1.1m",
            "18446744073709551616s",
            "18446744073709551615ms",
            "999999999years",
            "",
        ] {
            assert_eq!(millis(text), expected(text), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_as_a_library_does(
            text in "([0-9]{1,4}(\\.[0-9]{0,4})? ?(nanos|nsec|ns|usec|us|millis|msec|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|wks?|w|months?|M|years?|yrs?|y|x|) ?){0,3}"
        ) {
            proptest::prop_assert_eq!(millis(&text), expected(&text));
        }

        #[test]
        fn untrusted_text_never_panics(text: String) {
            let _ = millis(&text);
        }
    }
}
