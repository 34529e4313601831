//! What the operator allows of keys: their life, their scopes, how many there are, and how many are
//! made. It holds for every caller, an admin too.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use keygate_core::{Millis, UnixMillis};

use crate::attributes::Attributes;
use crate::key::Key;
use crate::space::Space;
use crate::wrong::{Errors, Fault, Pointer, Wrong};

/// What is allowed. What is `None` is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyLimits {
    /// Longest life of a key, from its creation.
    pub max_lifetime: Option<Millis>,
    /// Life of a key that is asked for without an end; otherwise the longest one.
    pub default_lifetime: Option<Millis>,
    /// Most keys of an account in a space that are neither revoked nor expired.
    pub active_keys_per_account: Option<u32>,
    /// Most keys that are made for an account in a space in a minute.
    pub creations_per_account: Option<u32>,
    /// Most keys that are made by a token in a space in a minute.
    pub creations_per_token: Option<u32>,
    /// The only scopes that a key can have.
    pub allowed_scopes: Option<Vec<String>>,
}

/// What is allowed in each space.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpaceLimits {
    /// In a space that is not named.
    pub(crate) others: KeyLimits,
    /// In each that is named.
    pub(crate) named: BTreeMap<Space, KeyLimits>,
}

impl SpaceLimits {
    /// What is allowed of keys of this space.
    pub(crate) fn of(&self, space: &Space) -> &KeyLimits {
        self.named.get(space).unwrap_or(&self.others)
    }
}

impl KeyLimits {
    /// Whether a key without an end would live longer than one can.
    pub(crate) fn contradict(&self) -> bool {
        let (default, longest) = (self.default_lifetime, self.max_lifetime);
        longest.is_some_and(|longest| default > Some(longest))
    }

    /// When a key ends that is made `now` and asked for without an end.
    pub(crate) fn default_end(&self, now: UnixMillis) -> Option<UnixMillis> {
        let life = self.default_lifetime.or(self.max_lifetime);
        life.map(|life| now.plus(life))
    }

    /// An end, or the last one that a key made `now` can have.
    pub(crate) fn cap(&self, end: Option<UnixMillis>, now: UnixMillis) -> Option<UnixMillis> {
        let last = self.max_lifetime.map(|life| now.plus(life));
        [end, last].into_iter().flatten().min()
    }

    /// Checks a key that is made `now`.
    pub(crate) fn check(&self, asked: &Attributes, now: UnixMillis) -> Result<(), Errors> {
        let mut errors = self.scopes(&asked.scopes, &[]);
        errors.keep(self.end(asked.expires_at, now));
        errors.none()
    }

    /// Checks what becomes of a key. It keeps what it has.
    pub(crate) fn check_change(&self, is: &Key, becomes: &Attributes) -> Result<(), Errors> {
        let mut errors = self.scopes(&becomes.scopes, &is.attributes.scopes);
        let is_longer = match (is.attributes.expires_at, becomes.expires_at) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(was), Some(is)) => is > was,
        };
        if is_longer {
            errors.keep(self.end(becomes.expires_at, is.created_at));
        }
        errors.none()
    }

    fn scopes(&self, asked: &[String], had: &[String]) -> Errors {
        let mut errors = Errors::default();
        let Some(allowed) = &self.allowed_scopes else {
            return errors;
        };
        for (at, scope) in asked.iter().enumerate() {
            if !allowed.contains(scope) && !had.contains(scope) {
                let at = Pointer::from("scopes").item(at);
                errors.push(beyond(
                    at,
                    "is not among the scopes that this service allows",
                ));
            }
        }
        errors
    }

    fn end(&self, end: Option<UnixMillis>, since: UnixMillis) -> Result<(), Wrong> {
        let last = self.max_lifetime.map(|life| since.plus(life));
        match last {
            Some(last) if end.is_none_or(|end| end > last) => {
                let detail = format!("must not be later than {last}: so long may a key live");
                Err(beyond("expires_at", detail))
            }
            _ => Ok(()),
        }
    }

    /// What is wrong with one more key of an account that has as many as it may.
    pub(crate) fn full(&self) -> Errors {
        let most = self.active_keys_per_account.unwrap_or_default();
        beyond(
            "account",
            format!("has {most} active keys, and may not have more"),
        )
        .into()
    }
}

/// A field asks for more than the service allows.
fn beyond(field: impl Into<Pointer>, detail: impl Into<String>) -> Wrong {
    Wrong::new(field, Fault::Limit, detail)
}

/// The span in which creations are counted, in microseconds.
const MINUTE: u64 = 60_000_000;

/// Most accounts and tokens that are remembered. Each is for a minute, unless there are more.
const MAX_REMEMBERED: usize = 65_536;

/// How many keys were made of late, in memory: for each account and token one number, the instant
/// at which all of its creations are paid off (GCRA).
#[derive(Debug, Default)]
pub(crate) struct Creations(Mutex<HashMap<String, u64>>);

/// For what keys are counted. Its `Display` is the end of "can be created …".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// An account.
    Account,
    /// A token; those of the environment are one.
    Token,
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "for an account",
            Self::Token => "with a token",
        })
    }
}

/// Keys that are to be made.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) whose: Whose,
    /// The account or the token that they are counted for.
    pub(crate) of: String,
    /// How many it may make in a minute.
    pub(crate) most: u32,
    /// How many it asks for.
    pub(crate) count: u32,
}

/// The limits, and what counts against them in memory.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    pub(crate) limits: SpaceLimits,
    pub(crate) creations: Creations,
}

impl Creations {
    /// Counts all of them, or none: the first that asks for too many, and in how many seconds it
    /// may ask again.
    pub(crate) fn take<'a>(
        &self,
        asked: &'a [Asked],
        now: UnixMillis,
    ) -> Result<(), (&'a Asked, u64)> {
        let mut paid_off = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.0.saturating_mul(1000);
        let end = now.saturating_add(MINUTE);
        let mut after = Vec::new();
        for one in asked {
            // Later than in a minute is only before a clock that was set back.
            let from = paid_off.get(&one.of).copied().unwrap_or(now);
            let from = from.clamp(now, end);
            let step = MINUTE.checked_div(u64::from(one.most)).unwrap_or(MINUTE);
            let to = from.saturating_add(step.saturating_mul(u64::from(one.count)));
            if to > end {
                let micros = to.saturating_sub(end).min(MINUTE);
                return Err((one, micros.div_ceil(1_000_000)));
            }
            after.push((one.of.clone(), to));
        }
        if paid_off.len().saturating_add(after.len()) > MAX_REMEMBERED {
            forget(&mut paid_off, now);
        }
        paid_off.extend(after);
        Ok(())
    }
}

/// Forgets those that owe nothing, and if that is few, the half that owes least.
fn forget(paid_off: &mut HashMap<String, u64>, now: u64) {
    paid_off.retain(|_, at| *at > now);
    if paid_off.len() > MAX_REMEMBERED / 2 {
        let mut ends: Vec<u64> = paid_off.values().copied().collect();
        let (_, middle, _) = ends.select_nth_unstable(MAX_REMEMBERED / 2);
        let middle = *middle;
        paid_off.retain(|_, at| *at > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_305_600_000);

    fn ask(creations: &Creations, of: &str, count: u32, at: UnixMillis) -> Result<(), u64> {
        let asked = [Asked {
            whose: Whose::Account,
            of: of.to_owned(),
            most: 6,
            count,
        }];
        let taken = creations.take(&asked, at);
        taken.map_err(|(_, seconds)| seconds)
    }

    #[test]
    fn a_minute_has_so_many_and_each_comes_back_in_its_time() {
        let creations = Creations::default();
        for _ in 0..6 {
            assert_eq!(ask(&creations, "a", 1, NOW), Ok(()));
        }
        assert_eq!(ask(&creations, "a", 1, NOW), Err(10));
        assert_eq!(ask(&creations, "b", 1, NOW), Ok(()), "another account");
        let later = NOW.plus(Millis::from_secs(10));
        assert_eq!(ask(&creations, "a", 2, later), Err(10), "all or none");
        assert_eq!(ask(&creations, "a", 1, later), Ok(()));
        assert_eq!(
            ask(&creations, "c", 7, later),
            Err(10),
            "more than a minute has"
        );
    }

    #[test]
    fn a_clock_that_was_set_back_blocks_for_a_minute_at_most() {
        let creations = Creations::default();
        assert_eq!(ask(&creations, "a", 6, NOW), Ok(()));
        let back = UnixMillis(NOW.0 - 3_600_000);
        assert_eq!(ask(&creations, "a", 1, back), Err(10));
    }

    #[test]
    fn accounts_in_memory_are_bounded_and_the_busiest_stays() {
        let creations = Creations::default();
        assert_eq!(ask(&creations, "busy", 6, NOW), Ok(()));
        for number in 0..2 * MAX_REMEMBERED {
            assert_eq!(ask(&creations, &number.to_string(), 1, NOW), Ok(()));
            let remembered = creations.0.lock().unwrap().len();
            assert!(remembered <= MAX_REMEMBERED, "{remembered}");
        }
        assert_eq!(ask(&creations, "busy", 1, NOW), Err(10));
    }
}
