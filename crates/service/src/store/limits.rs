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
use crate::space::Space;
use crate::wrong::Errors;

impl Act<'_> {
    /// A new key within the rights of the caller and the limits; without an end of its own it gets
    /// that of the limits.
    pub(super) fn limited(
        &self,
        new: &NewKey,
        place: impl Fn(Errors) -> Errors,
    ) -> Result<NewKey, Stop> {
        let mut asked = new.attributes.clone();
        self.in_reach(&asked.space)?;
        let limits = self.limiter.limits.of(&asked.space);
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
        let mut counts: BTreeMap<_, (&Attributes, u32)> = BTreeMap::new();
        for NewKey { attributes, .. } in new {
            let whose = (&attributes.space, &attributes.account);
            let (_, count) = counts.entry(whose).or_insert((attributes, 0));
            *count = count.saturating_add(1);
        }
        let counts: Vec<(&Attributes, u32)> = counts.into_values().collect();
        for (of, count) in &counts {
            self.room(of, *count)?;
        }
        self.pace(&counts)
    }

    /// The same for one that takes the place of a key. That one does not count any more; the one
    /// that it has replaced counts again, if it has not ended.
    pub(super) fn admit_successor(&self, old: &Key, new: &Attributes) -> Result<(), Stop> {
        let limits = self.limiter.limits.of(&new.space);
        let fits = limits.check(new, self.now);
        fits.map_err(Rejection::BeyondLimits)?;
        let before = match &old.replaces {
            Some(id) => by_id(self.transaction, id)?,
            None => None,
        };
        let is_there = before.is_some_and(|it| is_there(&it, self.now));
        self.room(new, u32::from(is_there))?;
        self.pace(&[(new, 1)])
    }

    /// Rejects what becomes of a key if it is more than it may have, or comes back to life where
    /// there is no room.
    pub(super) fn admit_change(&self, is: &Key, becomes: &Attributes) -> Result<(), Stop> {
        let limits = self.limiter.limits.of(&becomes.space);
        let fits = limits.check_change(is, becomes);
        fits.map_err(Rejection::BeyondLimits)?;
        let ends = becomes.expires_at.is_some_and(|at| at <= self.now);
        let revives = is.standing(self.now) == Standing::Expired && !ends;
        self.room(becomes, u32::from(revives))
    }

    /// Rejects so many more keys of an account in a space if there is no room for them.
    fn room(&self, of: &Attributes, more: u32) -> Result<(), Stop> {
        let Some(most) = self.limiter.limits.of(&of.space).active_keys_per_account else {
            return Ok(());
        };
        if more == 0 || has_room(self.transaction, of, more, most, self.now)? {
            return Ok(());
        }
        Err(Rejection::TooManyKeys(most).into())
    }

    /// Rejects so many creations if there were too many of late. Each space counts on its own.
    fn pace(&self, counts: &[(&Attributes, u32)]) -> Result<(), Stop> {
        let limits = &self.limiter.limits;
        let mut asked = Vec::new();
        let mut of_token: BTreeMap<&Space, u32> = BTreeMap::new();
        for (Attributes { account, space, .. }, count) in counts {
            let sum = of_token.entry(space).or_default();
            *sum = sum.saturating_add(*count);
            asked.extend(limits.of(space).creations_per_account.map(|most| Asked {
                whose: Whose::Account,
                of: format!("account:{space} {account}"),
                most,
                count: *count,
            }));
        }
        for (space, count) in of_token.into_iter().filter(|_| self.rights.is_admin()) {
            asked.extend(limits.of(space).creations_per_token.map(|most| Asked {
                whose: Whose::Token,
                of: format!("{space} {}", self.actor),
                most,
                count,
            }));
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

#[cfg(test)]
mod tests {
    use keygate_core::keys::{KeyHash, KeyRingId};

    use super::*;
    use crate::attributes::CreateBody;
    use crate::json::{Names, object};
    use crate::rights::Caller;
    use crate::space::Spaces;
    use crate::store::{Candidate, Import, Place, Store, StoreError};
    use crate::tokens::Bearer;

    const NOW: UnixMillis = UnixMillis(1_795_305_600_000);

    #[tokio::test]
    async fn the_transaction_stores_no_key_in_a_space_that_the_caller_does_not_see() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&Place::File(dir.path().join("keygate.db"))).unwrap();
        let draft = object::<CreateBody>(r#"{"account":"a","space":"other"}"#, Names::Shown);
        let new = NewKey {
            id: "0123456789".to_owned(),
            hash: KeyHash([7; 32]),
            start: String::new(),
            secret_id: KeyRingId::parse("01").unwrap(),
            created_by: None,
            replaces: None,
            sealed: None,
            attributes: CreateBody::check(draft.unwrap(), NOW).unwrap().attributes,
        };
        let caller = |name| {
            let spaces = Spaces::Only(Space::parse(name).unwrap());
            Caller::Admin(Bearer { id: None, spaces })
        };
        let import = Import {
            candidates: vec![Candidate {
                hash: new.hash,
                secret_id: new.secret_id,
            }],
            new: new.clone(),
        };
        let foreign = caller("own");
        let created = store.create(vec![new.clone()], false, foreign.clone(), NOW);
        let imported = store.import(vec![import], foreign, NOW);
        for error in [created.await.unwrap_err(), imported.await.unwrap_err()] {
            assert!(
                matches!(error, StoreError::Rejected(Rejection::WrongSpace)),
                "{error}"
            );
        }
        let created = store.create(vec![new], false, caller("other"), NOW);
        assert_eq!(created.await.unwrap().unwrap().len(), 1);
    }
}
