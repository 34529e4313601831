//! One token bucket (GCRA): only the instant is kept at which it will be full again.

use keygate_core::UnixMillis;

/// An instant, in microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Micros(u64);

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Microseconds until a token comes back.
    interval: u64,
    /// Microseconds until an empty bucket is full.
    span: u64,
    /// Microseconds until a bucket that owes all it may is empty.
    debt: u64,
}

/// A token bucket; full by default.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    full_at: Micros,
}

impl From<UnixMillis> for Micros {
    fn from(now: UnixMillis) -> Self {
        Self(now.0.saturating_mul(1000))
    }
}

impl Micros {
    /// The instant `micros` later.
    pub(super) fn plus(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

impl Pace {
    /// `per_second` tokens come back each second, and a full bucket has `burst`.
    pub(super) fn new(per_second: u64, burst: u64) -> Self {
        let interval = 1_000_000_u64.checked_div(per_second).unwrap_or(1_000_000);
        Self {
            interval,
            span: interval.saturating_mul(burst),
            debt: 0,
        }
    }

    /// Half of the rate, and half of the burst, which is at least one token.
    pub(super) fn half(self) -> Self {
        let interval = self.interval.saturating_mul(2);
        Self {
            interval,
            span: self.span.max(interval),
            debt: 0,
        }
    }

    /// Lets a bucket owe so many tokens: what is taken beyond is forgotten.
    pub(super) fn owing(self, tokens: u64) -> Self {
        Self {
            debt: self.interval.saturating_mul(tokens),
            ..self
        }
    }
}

impl Bucket {
    /// When it is full, if nothing more is taken.
    pub(super) fn full_at(&self) -> Micros {
        self.full_at
    }

    /// Corrects an instant from a clock that has been set back since, so that the bucket fills
    /// from now on.
    pub(super) fn settle(&mut self, pace: Pace, now: Micros) {
        self.full_at = self.at(pace, now);
    }

    /// Whether it has a whole token.
    pub(super) fn has_token(&self, pace: Pace, now: Micros) -> bool {
        self.at(pace, now).plus(pace.interval) <= now.plus(pace.span)
    }

    /// Takes a token, which the bucket owes if it has none.
    pub(super) fn take(&mut self, pace: Pace, now: Micros) {
        self.full_at = self.at(pace, now).plus(pace.interval);
    }

    /// Puts a token back.
    pub(super) fn give_back(&mut self, pace: Pace, now: Micros) {
        let Micros(full_at) = self.at(pace, now);
        self.full_at = Micros(full_at.saturating_sub(pace.interval)).max(now);
    }

    /// Never before now and, should the clock have been set back, never later than of a
    /// bucket that owes what it may.
    fn at(&self, pace: Pace, now: Micros) -> Micros {
        self.full_at.clamp(now, now.plus(pace.span).plus(pace.debt))
    }
}
