//! How often known keys were used, until a report tells the key service.
//!
//! Each key is in a queue once, with its counts, and its record knows its place there: a use costs no
//! search, and a key that leaves the cache stays counted. What is in a report that fails is lost, since
//! the key service may have counted it.

use std::collections::VecDeque;
use std::rc::Rc;

use keygate_core::keys::KnownKey;
use keygate_core::keys::wire::{KeyUse, MAX_USES};
use keygate_core::{Millis, Outcome, UnixMillis, Verdict};

use crate::host::Token;

/// Most keys that wait for a report: half a megabyte.
const MAX_KEYS: usize = 10_000;

/// Time between two reports.
const EVERY: Millis = Millis::from_secs(30);

/// Most keys that are counted for one request.
const MAX_PRESENTED: usize = 8;

/// What became of a request, for a key that it presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It was allowed.
    Allowed,
    /// It was rejected, or would have been, or another credential let it pass.
    Rejected,
}

/// The known keys that a request presents, each once, and whether the key itself may be used.
#[derive(Clone, Default)]
pub(crate) struct Presented(Vec<(Rc<KnownKey>, Use)>);

/// The counts of one worker.
pub(crate) struct KeyUses {
    /// The key that has waited longest is the first.
    waiting: VecDeque<KeyUse>,
    /// How many have left the queue. The place of a key in it counts from there, beginning with 1.
    reported: u64,
    /// The first report of each worker is due at another time.
    phase: Millis,
    due: Option<UnixMillis>,
    is_due: bool,
    /// The report under way, and when it was sent.
    call: Option<(Token, UnixMillis)>,
}

impl Presented {
    /// Adds a key. One that two providers check is usable if one of them accepts it.
    pub(crate) fn add(&mut self, key: &Rc<KnownKey>, how: Use) {
        let Self(keys) = self;
        if let Some((_, before)) = keys.iter_mut().find(|(known, _)| Rc::ptr_eq(known, key)) {
            if how == Use::Allowed {
                *before = how;
            }
        } else if keys.len() < MAX_PRESENTED {
            keys.push((Rc::clone(key), how));
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// A copy for a request that waits, if there is a key.
    pub(crate) fn kept(&self) -> Option<Box<Self>> {
        (!self.0.is_empty()).then(|| Box::new(self.clone()))
    }
}

impl Use {
    /// What a verdict says of the keys that a request presents, if it depends on them.
    fn of(verdict: &Verdict) -> Option<Self> {
        match verdict {
            Verdict::Ask(_) | Verdict::Redeem(_) => None,
            Verdict::Deny(_) | Verdict::Reply(_) => Some(Self::Rejected),
            Verdict::Allow(grant) => match grant.outcome {
                Outcome::Verified | Outcome::Unchecked => Some(Self::Allowed),
                Outcome::Cleared | Outcome::WouldDeny(_) => Some(Self::Rejected),
                Outcome::Anonymous => None,
            },
        }
    }
}

impl KeyUses {
    /// Counts nothing yet. The random number says when its reports are due.
    pub(crate) fn new(random: u64) -> Self {
        Self {
            waiting: VecDeque::new(),
            reported: 0,
            phase: Millis(random.checked_rem(EVERY.0).unwrap_or_default()),
            due: None,
            is_due: false,
            call: None,
        }
    }

    /// Counts the keys of a request that is decided. Returns how many there was no room for.
    pub(crate) fn count(
        &mut self,
        Presented(keys): &Presented,
        verdict: &Verdict,
        now: UnixMillis,
    ) -> usize {
        if keys.is_empty() {
            return 0;
        }
        let Some(of_request) = Use::of(verdict) else {
            return 0;
        };
        let minute = u32::try_from(now.0 / 60_000).unwrap_or(u32::MAX);
        let mut dropped: usize = 0;
        for (key, of_key) in keys {
            let how = match (of_request, of_key) {
                (Use::Allowed, Use::Allowed) => Use::Allowed,
                (_, _) => Use::Rejected,
            };
            dropped = dropped.saturating_add(usize::from(!self.add(key, how, minute)));
        }
        dropped
    }

    /// `false` if there is no room.
    fn add(&mut self, key: &KnownKey, how: Use, minute: u32) -> bool {
        let index = key.place.get().checked_sub(self.reported.saturating_add(1));
        let index = index.and_then(|it| usize::try_from(it).ok());
        if let Some(one) = index.and_then(|it| self.waiting.get_mut(it)) {
            note(one, how, minute);
            return true;
        }
        if self.waiting.len() >= MAX_KEYS {
            return false;
        }
        let Some(id) = &key.identity.key_id else {
            return false;
        };
        let mut one = KeyUse {
            id: id.clone(),
            minute,
            allowed: 0,
            rejected: 0,
        };
        note(&mut one, how, minute);
        self.waiting.push_back(one);
        let length = u64::try_from(self.waiting.len()).unwrap_or_default();
        key.place.set(self.reported.saturating_add(length));
        true
    }

    /// Looks whether a report is due.
    pub(crate) fn tick(&mut self, now: UnixMillis) {
        let due = *self.due.get_or_insert(now.plus(self.phase));
        // The clock may be set back.
        if due <= now || due > now.plus(EVERY) {
            self.due = Some(now.plus(EVERY));
            self.is_due = true;
        }
    }

    /// The next report; `None` if none is due, or nothing was used. What is beyond [`MAX_USES`]
    /// waits for the one after it.
    pub(crate) fn next(&mut self) -> Option<Vec<KeyUse>> {
        if !std::mem::take(&mut self.is_due) || self.call.is_some() || self.waiting.is_empty() {
            return None;
        }
        let count = self.waiting.len().min(MAX_USES);
        let left = u64::try_from(count).unwrap_or_default();
        self.reported = self.reported.saturating_add(left);
        Some(self.waiting.drain(..count).collect())
    }

    /// Remembers the call of a report.
    pub(crate) fn sent(&mut self, token: Token, now: UnixMillis) {
        self.call = Some((token, now));
    }

    /// Whether a call is the report; then it is over.
    pub(crate) fn answered(&mut self, token: Token) -> bool {
        self.call.take_if(|(sent, _)| *sent == token).is_some()
    }

    /// Forgets a report whose answer was lost; whether there was one.
    pub(crate) fn is_overdue(&mut self, patience: Millis, now: UnixMillis) -> bool {
        let is_late = |(_, at): &mut (Token, UnixMillis)| at.0.abs_diff(now.0) > patience.0;
        self.call.take_if(is_late).is_some()
    }
}

fn note(one: &mut KeyUse, how: Use, minute: u32) {
    match how {
        Use::Allowed => {
            one.allowed = one.allowed.saturating_add(1);
            one.minute = minute;
        }
        Use::Rejected => {
            one.rejected = one.rejected.saturating_add(1);
            if one.allowed == 0 {
                one.minute = minute;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn key(number: usize) -> KnownKey {
        let record = serde_json::json!({
            "hash": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE", "id": format!("{number:010}"),
            "account": "alice", "status": "active", "metadata": {}
        });
        KnownKey::try_from(&serde_json::from_value(record).unwrap()).unwrap()
    }

    fn next(uses: &mut KeyUses, now: UnixMillis) -> Vec<KeyUse> {
        uses.tick(now);
        uses.next().unwrap_or_default()
    }

    #[test]
    fn keys_beyond_a_report_wait_for_the_next_and_keys_beyond_the_bound_are_not_counted() {
        let mut uses = KeyUses::new(0);
        let keys: Vec<KnownKey> = (0..=MAX_KEYS).map(key).collect();
        for _ in 0..2 {
            let counted = keys.iter().filter(|it| uses.add(it, Use::Allowed, 7));
            assert_eq!(counted.count(), MAX_KEYS);
        }
        let mut all = Vec::new();
        let mut now = NOW;
        loop {
            let report = next(&mut uses, now);
            assert!(report.len() <= MAX_USES);
            if report.is_empty() {
                break;
            }
            all.extend(report);
            now = now.plus(EVERY);
        }
        assert_eq!(all.len(), MAX_KEYS);
        assert!(all.iter().all(|it| it.allowed == 2 && it.rejected == 0));
        assert!(uses.add(keys.last().unwrap(), Use::Allowed, 7));
    }

    #[test]
    fn a_key_that_was_reported_is_counted_from_zero() {
        let mut uses = KeyUses::new(0);
        let (first, second) = (key(1), key(2));
        uses.add(&first, Use::Rejected, 7);
        uses.add(&first, Use::Allowed, 8);
        uses.add(&first, Use::Rejected, 9);
        uses.add(&second, Use::Rejected, 9);
        let counts = |report: Vec<KeyUse>| -> Vec<_> {
            let counts = report.into_iter();
            counts
                .map(|it| (it.minute, it.allowed, it.rejected))
                .collect()
        };
        assert_eq!(counts(next(&mut uses, NOW)), [(8, 1, 2), (9, 0, 1)]);
        uses.add(&second, Use::Rejected, 10);
        uses.add(&first, Use::Rejected, 11);
        let later = next(&mut uses, NOW.plus(EVERY));
        assert_eq!(later[0].id, "0000000002");
        assert_eq!(counts(later), [(10, 0, 1), (11, 0, 1)]);
    }

    #[test]
    fn a_clock_that_is_set_back_delays_no_report() {
        let mut uses = KeyUses::new(29_999);
        uses.tick(NOW);
        uses.add(&key(1), Use::Allowed, 7);
        assert!(uses.next().is_none(), "the first is due in 29,999 ms");
        assert_eq!(next(&mut uses, UnixMillis(NOW.0 - 60_000)).len(), 1);
    }

    #[test]
    fn one_report_is_under_way_at_most() {
        let mut uses = KeyUses::new(0);
        uses.add(&key(1), Use::Allowed, 7);
        assert_eq!(next(&mut uses, NOW).len(), 1);
        uses.sent(Token(5), NOW);
        uses.add(&key(2), Use::Allowed, 7);
        assert!(next(&mut uses, NOW.plus(EVERY)).is_empty());
        assert!(!uses.answered(Token(4)) && uses.answered(Token(5)));
        assert_eq!(next(&mut uses, NOW.plus(Millis(2 * EVERY.0))).len(), 1);
    }
}
