//! Keys that were not used for long are announced, once for each time without uses.
//!
//! Two marks move on with the time: over the keys in the order of their creation, and over the last
//! uses in their order. A key that is used again comes after the second mark again.

use keygate_core::{Millis, UnixMillis};
use rusqlite::{OptionalExtension as _, params};

use super::cells::key;
use super::change::{Act, Stop};
use super::command::{Command, Outcome};
use super::row::{COLUMNS, LAST_USE, signed};
use super::{SqliteStore, StoreError};
use crate::events::{EventType, More};
use crate::key::Key;
use crate::rights::Caller;

/// Most keys of each mark that one transaction looks at.
const SEEN: u32 = 100;

/// As long after the time as uses may take to be written: edges report them each 30 s, and they are
/// written once a minute.
const SETTLED: Millis = Millis::from_secs(300);

/// With more events than this on their way, nothing is announced: others would be dropped for it.
const MOST_WAITING: i64 = 10_000;

const DAY: u64 = 24 * 3600 * 1000;

/// Up to where keys were announced.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Marks {
    /// The number of the last key that was looked at for never being used.
    never: i64,
    /// The last use, and the number of its key.
    used: (i64, i64),
}

impl SqliteStore {
    /// Announces keys that were not used for this long. There may be more of them.
    pub(crate) async fn announce_unused(
        &self,
        after: Millis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let command = Command::AnnounceUnused { after };
        match self.write(command, Caller::Service, now).await? {
            Outcome::Announced { more } => Ok(more),
            other => Err(other.unexpected()),
        }
    }
}

impl Act<'_> {
    /// Announces keys that were not used for this long, and moves the marks past them.
    pub(super) fn announce_unused(&self, after: Millis) -> Result<Outcome, Stop> {
        let idle = after.0.saturating_add(SETTLED.0);
        let until = signed(UnixMillis(self.now.0.saturating_sub(idle)));
        if self.waiting_events()? > MOST_WAITING {
            return Ok(Outcome::Announced { more: false });
        }
        let before = self.marks()?;
        let mut marks = before;
        let never = self.never_used(&mut marks, until)?;
        let used = self.long_unused(&mut marks, until)?;
        if marks != before {
            self.transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO unused (only, never, last_used_at, number) \
                     VALUES (1, ?1, ?2, ?3)",
                )?
                .execute(params![marks.never, marks.used.0, marks.used.1])?;
        }
        let more = never || used;
        Ok(Outcome::Announced { more })
    }

    fn marks(&self) -> rusqlite::Result<Marks> {
        let marks = self
            .transaction
            .prepare_cached("SELECT never, last_used_at, number FROM unused")?
            .query_row([], |row| {
                Ok(Marks {
                    never: row.get(0)?,
                    used: (row.get(1)?, row.get(2)?),
                })
            })
            .optional()?;
        Ok(marks.unwrap_or_default())
    }

    /// The keys that were created up to then and never used. Returns whether there may be more.
    fn never_used(&self, marks: &mut Marks, until: i64) -> Result<bool, Stop> {
        let keys: Vec<(Key, i64)> = self
            .transaction
            .prepare_cached(&format!(
                "SELECT {LAST_USE}, {COLUMNS}, number FROM keys \
                 WHERE number > ?1 ORDER BY number LIMIT {SEEN}"
            ))?
            .query_map([marks.never], |row| Ok((key(row)?, row.get("number")?)))?
            .collect::<Result<_, _>>()?;
        // Numbers follow the time: those after a younger key are younger.
        let is_old = |(key, _): &&(Key, i64)| signed(key.created_at) <= until;
        let old = keys.iter().take_while(is_old);
        for (key, number) in old.clone() {
            if key.last_used_at.is_none() {
                self.publish_unused(key, key.created_at)?;
            }
            marks.never = *number;
        }
        Ok(old.count() == SEEN as usize)
    }

    /// The keys that were last used up to then. Returns whether there may be more.
    fn long_unused(&self, marks: &mut Marks, until: i64) -> Result<bool, Stop> {
        let keys: Vec<(Key, i64)> = self
            .transaction
            .prepare_cached(&format!(
                "SELECT {LAST_USE}, {COLUMNS}, number FROM keys JOIN \
                 (SELECT last_used_at AS used, number FROM key_uses \
                  WHERE (last_used_at, number) > (?1, ?2) AND last_used_at <= ?3 \
                  ORDER BY last_used_at, number LIMIT {SEEN}) USING (number) \
                 ORDER BY used, number"
            ))?
            .query_map(params![marks.used.0, marks.used.1, until], |row| {
                Ok((key(row)?, row.get("number")?))
            })?
            .collect::<Result<_, _>>()?;
        for (key, number) in &keys {
            if let Some(at) = key.last_used_at {
                self.publish_unused(key, at)?;
                marks.used = (signed(at), *number);
            }
        }
        Ok(keys.len() == SEEN as usize)
    }

    /// Writes an event, unless the key has ended.
    fn publish_unused(&self, key: &Key, since: UnixMillis) -> rusqlite::Result<()> {
        let has_expired = key.attributes.expires_at.is_some_and(|end| end <= self.now);
        if key.revoked.is_some() || has_expired {
            return Ok(());
        }
        let days = self.now.0.saturating_sub(since.0) / DAY;
        let days = u32::try_from(days).unwrap_or(u32::MAX);
        self.publish(EventType::Unused, key, Some(More::DaysUnused(days)))
    }

    /// How many events are on their way, or more.
    fn waiting_events(&self) -> rusqlite::Result<i64> {
        self.transaction
            .prepare_cached(
                "SELECT ifnull((SELECT max(seq) FROM events) - (SELECT min(seq) FROM events), 0)",
            )?
            .query_row([], |row| row.get(0))
    }
}
