//! Instants and durations as values: parsing and arithmetic, never a clock.

use std::fmt;

use serde::{Deserialize, Serialize};

mod civil;
mod duration;

/// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

/// A span of time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

/// Why a text is no instant or no duration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text is not RFC 3339, or lies outside 1970 to 9999.
    #[error("must be an RFC 3339 instant from 1970 on, such as \"2026-12-01T00:00:00Z\"")]
    Instant,
    /// The text is not a number with a unit, or rounds to nothing.
    #[error("must be a duration of at least 1 ms, such as \"300ms\", \"10m\" or \"3h\"")]
    Duration,
}

impl UnixMillis {
    /// The last instant that RFC 3339 can express: 9999-12-31T23:59:59.999Z.
    pub const LAST: Self = Self(253_402_300_799_999);

    /// The start of a unix second; saturates at the end of time.
    pub fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Whole seconds since the epoch, rounded down.
    pub fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// Later by `span`; saturates at the end of time.
    pub fn plus(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// Parses an RFC 3339 instant of any offset.
    ///
    /// # Errors
    /// [`TimeError::Instant`] for any other text and for instants before 1970.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let millis = civil::parse(text.as_bytes()).ok_or(TimeError::Instant)?;
        u64::try_from(millis)
            .map(Self)
            .map_err(|_| TimeError::Instant)
    }
}

/// RFC 3339 in UTC with milliseconds, such as `2026-11-22T00:00:00.000Z`.
impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        civil::write(self.0, f)
    }
}

impl Millis {
    /// A span of whole seconds; saturates.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Parses `"300ms"`, `"10m"`, `"3h"`, `"30d"` and their sums.
    ///
    /// # Errors
    /// [`TimeError::Duration`] for any other text and for spans under 1 ms,
    /// which Envoy would take as "no timeout".
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        duration::millis(text)
            .filter(|millis| *millis > 0)
            .map(Self)
            .ok_or(TimeError::Duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_with_their_offset_and_printed_in_utc() {
        let at = UnixMillis::parse("2026-12-01T02:00:00+02:00").unwrap();
        assert_eq!(at.to_string(), "2026-12-01T00:00:00.000Z");
        assert_eq!(at.as_secs(), 1_796_083_200);
        assert!(UnixMillis::parse("1969-12-31T23:59:59Z").is_err());
        assert!(UnixMillis::parse("2026-12-01").is_err());
    }

    #[test]
    fn durations_have_a_unit_and_are_never_zero() {
        assert_eq!(Millis::parse("300ms"), Ok(Millis(300)));
        assert_eq!(Millis::parse("3h"), Ok(Millis(10_800_000)));
        for wrong in ["", "0s", "300", "-1s", "999us", "3 hours ago"] {
            assert_eq!(Millis::parse(wrong), Err(TimeError::Duration), "{wrong}");
        }
    }
}
