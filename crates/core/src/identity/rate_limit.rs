//! How many requests the holder of an API key may send: a number in a span of time.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::{Millis, UnixMillis};

/// Requests in a span of time, such as `100/1m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    requests: u32,
    seconds: u32,
}

/// The text is no such limit.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a number of requests from 1 to 1000000, a slash, and whole seconds of at most a day, \
     such as \"100/1m\""
)]
pub struct MalformedRateLimit;

impl RateLimit {
    /// Most requests.
    pub const MAX_REQUESTS: u32 = 1_000_000;

    const MAX_SECONDS: u64 = 86_400;

    /// Reads a number, a slash and a duration.
    ///
    /// # Errors
    /// [`MalformedRateLimit`] for any other text, and beyond the bounds.
    pub fn parse(text: &str) -> Result<Self, MalformedRateLimit> {
        let (requests, span) = text.split_once('/').ok_or(MalformedRateLimit)?;
        let is_number = requests.bytes().all(|byte| byte.is_ascii_digit());
        let requests = requests.parse().map_err(|_| MalformedRateLimit)?;
        let Millis(span) = Millis::parse(span).map_err(|_| MalformedRateLimit)?;
        let seconds = UnixMillis(span).as_secs();
        let fits = is_number
            && (1..=Self::MAX_REQUESTS).contains(&requests)
            && span.is_multiple_of(1000)
            && (1..=Self::MAX_SECONDS).contains(&seconds);
        let seconds = u32::try_from(seconds).map_err(|_| MalformedRateLimit)?;
        fits.then_some(Self { requests, seconds })
            .ok_or(MalformedRateLimit)
    }

    /// How many requests.
    pub fn requests(self) -> u32 {
        self.requests
    }

    /// In how many seconds.
    pub fn seconds(self) -> u32 {
        self.seconds
    }

    /// Whether it never permits more than the other: neither at once nor in the long run.
    pub fn is_within(self, other: Self) -> bool {
        let pace = |one: Self, span: Self| u64::from(one.requests).checked_mul(span.seconds.into());
        self.requests <= other.requests && pace(self, other) <= pace(other, self)
    }
}

/// The longest unit of which the span has a whole number.
impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
        let whole = |(unit, _): &(u32, _)| self.seconds.is_multiple_of(*unit);
        let (unit, name) = units.into_iter().find(whole).unwrap_or((1, "s"));
        let number = self.seconds.checked_div(unit).unwrap_or(self.seconds);
        write!(f, "{}/{number}{name}", self.requests)
    }
}

impl Serialize for RateLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RateLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_and_a_span() {
        for (text, printed) in [
            ("100/1m", "100/1m"),
            ("100/60s", "100/1m"),
            ("1/1s", "1/1s"),
            ("1000000/1d", "1000000/1d"),
            ("5/90s", "5/90s"),
            ("5/24h", "5/1d"),
        ] {
            assert_eq!(RateLimit::parse(text).unwrap().to_string(), printed);
        }
        for wrong in [
            "",
            "100",
            "/1m",
            "100/",
            "0/1m",
            "1000001/1m",
            "+5/1m",
            "1.5/1m",
            "5/500ms",
            "5/1500ms",
            "5/25h",
            "5/0s",
            "5/1m/1m",
            " 5/1m",
            "-5/1m",
            "4294967296/1m",
        ] {
            assert_eq!(RateLimit::parse(wrong), Err(MalformedRateLimit), "{wrong}");
        }
    }

    #[test]
    fn a_limit_is_within_another_at_once_and_in_the_long_run() {
        let is_within = |one: &str, other: &str| {
            RateLimit::parse(one)
                .unwrap()
                .is_within(RateLimit::parse(other).unwrap())
        };
        assert!(is_within("100/1m", "100/1m"));
        assert!(is_within("10/1m", "100/1m"));
        assert!(is_within("100/1h", "100/1m"));
        assert!(!is_within("100/1m", "100/1h"));
        assert!(!is_within("200/1h", "100/1m"), "at once");
        assert!(!is_within("2/1s", "100/1m"), "in the long run");
    }
}
