//! One token bucket (GCRA): only the instant is kept at which it will be full again.

use keygate_core::UnixMillis;
use keygate_core::identity::RateLimit;

/// An instant, in microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Micros(u64);

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Microseconds until a token comes back.
    interval: u64,
    /// Microseconds until an empty bucket is full.
    span: u64,
    /// Microseconds until a bucket that owes all it may is empty.
    debt: u64,
}

/// A token bucket; full by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket {
    full_at: Micros,
}

impl From<UnixMillis> for Micros {
    fn from(now: UnixMillis) -> Self {
        Self(now.0.saturating_mul(1000))
    }
}

impl Micros {
    /// The instant `micros` later.
    pub(crate) fn plus(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds since an earlier instant; none since a later one.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Pace {
    /// `per_second` tokens come back each second, and a full bucket has `burst`.
    pub(crate) fn new(per_second: u64, burst: u64) -> Self {
        let interval = 1_000_000_u64.checked_div(per_second).unwrap_or(1_000_000);
        Self {
            interval,
            span: interval.saturating_mul(burst),
            debt: 0,
        }
    }

    /// As many tokens as the limit has requests, which come back evenly in its span.
    pub(crate) fn of(limit: RateLimit) -> Self {
        let span = u64::from(limit.seconds()).saturating_mul(1_000_000);
        let burst = u64::from(limit.requests());
        let interval = span.checked_div(burst).unwrap_or(span).max(1);
        Self {
            interval,
            span: interval.saturating_mul(burst),
            debt: 0,
        }
    }

    /// Half of the rate, and half of the burst, which is at least one token.
    pub(crate) fn half(self) -> Self {
        let interval = self.interval.saturating_mul(2);
        Self {
            interval,
            span: self.span.max(interval),
            debt: 0,
        }
    }

    /// Lets a bucket owe so many tokens: what is taken beyond is forgotten.
    pub(crate) fn owing(self, tokens: u64) -> Self {
        Self {
            debt: self.interval.saturating_mul(tokens),
            ..self
        }
    }
}

impl Bucket {
    /// When it is full, if nothing more is taken.
    pub(crate) fn full_at(&self) -> Micros {
        self.full_at
    }

    /// Corrects an instant from a clock that has been set back since, so that the bucket fills
    /// from now on.
    pub(crate) fn settle(&mut self, pace: Pace, now: Micros) {
        self.full_at = self.at(pace, now);
    }

    /// Whether it has a whole token.
    pub(crate) fn has_token(&self, pace: Pace, now: Micros) -> bool {
        self.at(pace, now).plus(pace.interval) <= now.plus(pace.span)
    }

    /// How many whole tokens it has.
    pub(crate) fn tokens(&self, pace: Pace, now: Micros) -> u64 {
        let room = now.plus(pace.span).since(self.at(pace, now));
        room.checked_div(pace.interval).unwrap_or(0)
    }

    /// Microseconds until it has a whole token.
    pub(crate) fn wait(&self, pace: Pace, now: Micros) -> u64 {
        let after = self.at(pace, now).plus(pace.interval);
        after.since(now.plus(pace.span))
    }

    /// Takes a token, which the bucket owes if it has none.
    pub(crate) fn take(&mut self, pace: Pace, now: Micros) {
        self.full_at = self.at(pace, now).plus(pace.interval);
    }

    /// Puts a token back.
    pub(crate) fn give_back(&mut self, pace: Pace, now: Micros) {
        let Micros(full_at) = self.at(pace, now);
        self.full_at = Micros(full_at.saturating_sub(pace.interval)).max(now);
    }

    /// Never before now and, should the clock have been set back, never later than of a
    /// bucket that owes what it may.
    fn at(&self, pace: Pace, now: Micros) -> Micros {
        self.full_at.clamp(now, now.plus(pace.span).plus(pace.debt))
    }
}
