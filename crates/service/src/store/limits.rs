//! The limits of the operator, in the transaction that writes.

use std::collections::BTreeMap;

use keygate_core::UnixMillis;

use super::change::{Act, Stop};
use super::keys::by_id;
use super::rejection::Rejection;
use super::room::has_room;
use crate::attributes::Attributes;
use crate::key::{Key, NewKey, Standing};
use crate::limits::{Asked, Whose};
use crate::wrong::Errors;

impl Act<'_> {
    /// A new key within the rights of the caller and the limits; without an end of its own it gets
    /// that of the limits.
    pub(super) fn limited(
        &self,
        new: &NewKey,
        place: impl Fn(Errors) -> Errors,
    ) -> Result<NewKey, Stop> {
        let limits = &self.limiter.limits;
        let mut asked = new.attributes.clone();
        if let (None, Some(end)) = (asked.expires_at, limits.default_end(self.now)) {
            asked.expires_at = self.rights.end_of_successor(Some(end));
        }
        let attributes = self.rights.limit(asked).map_err(&place)?;
        let fits = limits.check(&attributes, self.now);
        fits.map_err(|errors| Rejection::BeyondLimits(place(errors)))?;
        Ok(NewKey {
            attributes,
            ..new.clone()
        })
    }

    /// Rejects new keys if their accounts, or the token, get more than they may.
    pub(super) fn admit(&self, new: &[NewKey]) -> Result<(), Stop> {
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for key in new {
            let count = counts.entry(&key.attributes.account).or_default();
            *count = count.saturating_add(1);
        }
        for (account, count) in &counts {
            self.room(account, *count)?;
        }
        self.pace(&counts)
    }

    /// The same for one that takes the place of a key. That one does not count any more; the one
    /// that it has replaced counts again, if it has not ended.
    pub(super) fn admit_successor(&self, old: &Key, new: &Attributes) -> Result<(), Stop> {
        let limits = &self.limiter.limits;
        let fits = limits.check(new, self.now);
        fits.map_err(Rejection::BeyondLimits)?;
        let before = match &old.replaces {
            Some(id) => by_id(self.transaction, id)?,
            None => None,
        };
        let is_there = before.is_some_and(|it| is_there(&it, self.now));
        self.room(&new.account, u32::from(is_there))?;
        self.pace(&BTreeMap::from([(&*new.account, 1)]))
    }

    /// Rejects what becomes of a key if it is more than it may have, or comes back to life where
    /// there is no room.
    pub(super) fn admit_change(&self, is: &Key, becomes: &Attributes) -> Result<(), Stop> {
        let fits = self.limiter.limits.check_change(is, becomes);
        fits.map_err(Rejection::BeyondLimits)?;
        let ends = becomes.expires_at.is_some_and(|at| at <= self.now);
        let revives = is.standing(self.now) == Standing::Expired && !ends;
        self.room(&becomes.account, u32::from(revives))
    }

    /// Rejects so many more keys of an account if there is no room for them.
    fn room(&self, account: &str, more: u32) -> Result<(), Stop> {
        let Some(most) = self.limiter.limits.active_keys_per_account else {
            return Ok(());
        };
        if more == 0 || has_room(self.transaction, account, more, most, self.now)? {
            return Ok(());
        }
        Err(Rejection::TooManyKeys(most).into())
    }

    fn pace(&self, counts: &BTreeMap<&str, u32>) -> Result<(), Stop> {
        let limits = &self.limiter.limits;
        let mut asked = Vec::new();
        if let Some(most) = limits.creations_per_account {
            asked.extend(counts.iter().map(|(account, count)| Asked {
                whose: Whose::Account,
                of: format!("account:{account}"),
                most,
                count: *count,
            }));
        }
        if let (Some(most), true) = (limits.creations_per_token, self.rights.is_admin()) {
            asked.push(Asked {
                whose: Whose::Token,
                of: self.actor.clone(),
                most,
                count: counts.values().fold(0, |sum, one| sum.saturating_add(*one)),
            });
        }
        let taken = self.limiter.creations.take(&asked, self.now);
        taken.map_err(|(one, seconds)| {
            let rejection = Rejection::TooManyCreations {
                whose: one.whose,
                most: one.most,
                seconds,
            };
            rejection.into()
        })
    }
}

fn is_there(key: &Key, now: UnixMillis) -> bool {
    matches!(key.standing(now), Standing::Active | Standing::Disabled)
}
