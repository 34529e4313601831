//! How often keys were used, as edges report it: added up in memory, and written at most once a
//! minute. A crash loses what was not written.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keygate_core::UnixMillis;
use keygate_core::keys::wire::KeyUse;

/// Most keys whose uses wait to be written: some 20 MB.
const MAX_KEYS: usize = 100_000;

/// Most keys that are written in one transaction: revocations wait for it.
const PART: usize = 500;

/// Time between two writes.
const EVERY: Duration = Duration::from_secs(60);

const MINUTES_OF_A_DAY: u64 = 24 * 60;

/// How long the counts of a day are kept.
pub(crate) const KEPT_DAYS: u32 = 90;

/// A day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(pub(crate) u32);

impl Day {
    /// The oldest day whose counts are kept `now`.
    pub(crate) fn oldest(now: UnixMillis) -> Self {
        let Self(today) = Self::newest(now);
        Self(today.saturating_sub(KEPT_DAYS - 1))
    }

    /// The day of `now`.
    pub(crate) fn newest(now: UnixMillis) -> Self {
        Self::of(now.0 / 60_000)
    }

    fn of(minute: u64) -> Self {
        Self(u32::try_from(minute / MINUTES_OF_A_DAY).unwrap_or(u32::MAX))
    }
}

/// As in `2026-11-29`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(day) = *self;
        let start = UnixMillis(u64::from(day).saturating_mul(MINUTES_OF_A_DAY * 60_000));
        let text = start.to_string();
        f.write_str(text.split('T').next().unwrap_or_default())
    }
}

/// How often a key was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Requests that were allowed.
    pub(crate) allowed: u64,
    /// Requests that were rejected though the key is known.
    pub(crate) rejected: u64,
}

impl Counts {
    fn add(&mut self, more: Self) {
        self.allowed = self.allowed.saturating_add(more.allowed);
        self.rejected = self.rejected.saturating_add(more.rejected);
    }
}

/// The uses of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// When a request with it was last allowed, to the minute.
    pub(crate) last_used_at: Option<UnixMillis>,
    /// By day: today and the day before at most, unless they wait for long.
    pub(crate) days: BTreeMap<Day, Counts>,
}

/// Uses by the ids of their keys.
pub(crate) type Sums = BTreeMap<String, Sum>;

/// What became of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Added {
    /// The uses that were added.
    pub(crate) counts: Counts,
    /// Keys that were added.
    pub(crate) counted: u64,
    /// Keys that were not: for want of room, or because no key has such an id.
    pub(crate) dropped: u64,
}

/// The uses of a service that are not written yet.
#[derive(Debug, Default)]
pub(crate) struct Unwritten(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    sums: Sums,
    /// When the last write began.
    written: Option<Instant>,
    /// Whether a write will begin by itself.
    is_planned: bool,
}

impl Unwritten {
    /// Adds what an edge reports. Its clock may be wrong: a time in the future, or more than a day
    /// ago, counts as now.
    pub(crate) fn add(&self, uses: Vec<KeyUse>, now: UnixMillis) -> Added {
        let mut state = self.lock();
        let mut added = Added::default();
        let newest = now.0 / 60_000;
        for one in uses {
            let reported = u64::from(one.minute);
            let is_credible = reported <= newest && newest - reported <= MINUTES_OF_A_DAY;
            let minute = if is_credible { reported } else { newest };
            let counts = Counts {
                allowed: one.allowed.into(),
                rejected: one.rejected.into(),
            };
            let at = UnixMillis(minute.saturating_mul(60_000));
            let sum = Sum {
                last_used_at: (one.allowed > 0).then_some(at),
                days: BTreeMap::from([(Day::of(minute), counts)]),
            };
            if is_id(&one.id) && state.add(one.id, sum) {
                added.counted = added.counted.saturating_add(1);
                added.counts.add(counts);
            } else {
                added.dropped = added.dropped.saturating_add(1);
            }
        }
        added
    }

    /// When to write, if something waits and no write is planned yet. Then one is.
    pub(crate) fn plan(&self, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        if state.is_planned || state.sums.is_empty() {
            return None;
        }
        state.is_planned = true;
        let next = state.written.and_then(|it| it.checked_add(EVERY));
        Some(next.unwrap_or(now).max(now))
    }

    /// A write begins.
    pub(crate) fn begin(&self, now: Instant) {
        let mut state = self.lock();
        state.written = Some(now);
        state.is_planned = false;
    }

    /// Takes what goes into one transaction; `None` if nothing is left.
    pub(crate) fn part(&self) -> Option<Sums> {
        let mut state = self.lock();
        let rest = state.sums.keys().nth(PART).cloned();
        let rest = rest.map_or_else(Sums::new, |first| state.sums.split_off(&first));
        let part = std::mem::replace(&mut state.sums, rest);
        (!part.is_empty()).then_some(part)
    }

    /// Puts back what could not be written.
    pub(crate) fn put_back(&self, part: &Sums) {
        let mut state = self.lock();
        for (id, sum) in part {
            // Without room it is lost.
            let _ = state.add(id.clone(), sum.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// `false` if there is no room.
    fn add(&mut self, id: String, more: Sum) -> bool {
        if self.sums.len() >= MAX_KEYS && !self.sums.contains_key(&id) {
            return false;
        }
        let sum = self.sums.entry(id).or_default();
        sum.last_used_at = sum.last_used_at.max(more.last_used_at);
        for (day, counts) in more.days {
            sum.days.entry(day).or_default().add(counts);
        }
        true
    }
}

fn is_id(id: &str) -> bool {
    id.len() == 10 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T00:05:00Z
    const NOW: UnixMillis = UnixMillis(1_795_305_600_000 + 5 * 60_000);

    fn one(id: &str, minute: u64, allowed: u32, rejected: u32) -> KeyUse {
        KeyUse {
            id: id.to_owned(),
            minute: u32::try_from(minute).unwrap(),
            allowed,
            rejected,
        }
    }

    fn at(minute: u64) -> Option<UnixMillis> {
        Some(UnixMillis(minute * 60_000))
    }

    #[test]
    fn uses_of_several_reports_add_up_by_key_and_day() {
        let unwritten = Unwritten::default();
        let now = NOW.0 / 60_000;
        let first = vec![
            one("AAAAAAAAAA", now - 10, 3, 1),
            one("BBBBBBBBBB", now, 0, 2),
        ];
        unwritten.add(first, NOW);
        unwritten.add(vec![one("AAAAAAAAAA", now - 1, 5, 0)], NOW);
        let sums = unwritten.part().unwrap();
        let [a, b] = ["AAAAAAAAAA", "BBBBBBBBBB"].map(|id| &sums[id]);
        assert_eq!((a.last_used_at, b.last_used_at), (at(now - 1), None));
        let shown = |sum: &Sum| -> Vec<_> {
            let days = sum.days.iter();
            days.map(|(day, it)| (day.to_string(), it.allowed, it.rejected))
                .collect()
        };
        let (before, today) = ("2026-11-21".to_owned(), "2026-11-22".to_owned());
        assert_eq!(shown(a), [(before, 3, 1), (today.clone(), 5, 0)]);
        assert_eq!(shown(b), [(today, 0, 2)]);
        assert_eq!(unwritten.part(), None);
    }

    #[test]
    fn a_time_that_cannot_be_is_the_time_of_the_report() {
        let now = NOW.0 / 60_000;
        for (minute, taken) in [
            (now, now),
            (now - 1440, now - 1440),
            (now - 1441, now),
            (now + 1, now),
            (0, now),
            (u64::from(u32::MAX), now),
        ] {
            let unwritten = Unwritten::default();
            unwritten.add(vec![one("AAAAAAAAAA", minute, 1, 0)], NOW);
            let sums = unwritten.part().unwrap();
            assert_eq!(sums["AAAAAAAAAA"].last_used_at, at(taken), "{minute}");
        }
    }

    #[test]
    fn keys_beyond_the_bound_and_texts_that_are_no_ids_are_dropped() {
        let unwritten = Unwritten::default();
        let report = |from: usize, to: usize| {
            let uses = (from..to).map(|number| one(&format!("{number:010}"), 0, 1, 0));
            unwritten.add(uses.collect(), NOW)
        };
        assert_eq!(report(0, MAX_KEYS).dropped, 0);
        let more = report(MAX_KEYS - 1, MAX_KEYS + 1);
        assert_eq!((more.counted, more.dropped), (1, 1));
        assert_eq!(more.counts.allowed, 1, "of the one that is counted");
        let mut parts = 0;
        while let Some(part) = unwritten.part() {
            assert!(part.len() <= PART);
            parts += part.len();
        }
        assert_eq!(parts, MAX_KEYS);
        let wrong = ["", "short", "01234567891", "012345678.", "01234567\u{e4}"];
        let uses = wrong.map(|id| one(id, 0, 1, 0)).to_vec();
        assert_eq!(unwritten.add(uses, NOW).dropped, 5);
        assert_eq!(unwritten.part(), None);
    }

    #[test]
    fn writes_are_a_minute_apart_and_the_first_is_at_once() {
        let unwritten = Unwritten::default();
        let start = Instant::now();
        let later = |seconds| start.checked_add(Duration::from_secs(seconds)).unwrap();
        let use_one = || {
            unwritten.add(vec![one("AAAAAAAAAA", 0, 1, 0)], NOW);
        };
        assert_eq!(unwritten.plan(start), None, "nothing to write");
        use_one();
        assert_eq!(unwritten.plan(start), Some(start));
        assert_eq!(unwritten.plan(start), None, "it is planned");
        unwritten.begin(start);
        unwritten.part();
        use_one();
        assert_eq!(unwritten.plan(later(7)), Some(later(60)));
        unwritten.begin(later(60));
        assert_eq!(unwritten.plan(later(200)), Some(later(200)));
    }

    #[test]
    fn what_could_not_be_written_is_added_to_what_came_since() {
        let unwritten = Unwritten::default();
        unwritten.add(vec![one("AAAAAAAAAA", 0, 1, 0)], NOW);
        let part = unwritten.part().unwrap();
        unwritten.add(vec![one("AAAAAAAAAA", 0, 2, 0)], NOW);
        unwritten.put_back(&part);
        let sums = unwritten.part().unwrap();
        let days: Vec<_> = sums["AAAAAAAAAA"].days.values().collect();
        assert_eq!(days.len(), 1);
        assert_eq!(days[0].allowed, 3);
    }
}
