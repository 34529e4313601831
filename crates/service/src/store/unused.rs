//! Keys that were not used for long are announced, once for each time without uses.
//!
//! A mark moves over the keys in the order of their creation, for those that were never used. The last
//! uses are read in rounds, by the number of the key: each round announces those that have become old
//! since the one before. An index by time would find them at once, and make each write of uses twice as
//! dear (32 ms for 500 keys instead of 15 ms), for which revocations wait.

use keygate_core::{Millis, UnixMillis};

use super::cells::key;
use super::change::{Act, Stop};
use super::command::{Command, Outcome};
use super::row::{COLUMNS, LAST_USE, signed};
use super::sql::{self, params};
use super::{Store, StoreError};
use crate::events::{EventType, More};
use crate::key::Key;
use crate::rights::Caller;

/// Most keys of each kind that one transaction announces.
const ANNOUNCED: u32 = 100;

/// Most last uses that one transaction reads.
const READ: u32 = 1000;

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
    /// Last uses up to this time were announced by earlier rounds.
    since: i64,
    /// Those up to this time are by the round under way.
    until: i64,
    /// The number up to which it has come.
    number: i64,
}

impl Store {
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
            self.transaction.execute(
                "INSERT INTO unused (\"only\", never, since, until, number) \
                     VALUES (1, ?1, ?2, ?3, ?4) ON CONFLICT (\"only\") DO UPDATE SET \
                     never = excluded.never, since = excluded.since, \
                     until = excluded.until, number = excluded.number",
                params![marks.never, marks.since, marks.until, marks.number],
            )?;
        }
        let more = never || used;
        Ok(Outcome::Announced { more })
    }

    fn marks(&self) -> sql::Result<Marks> {
        let marks = self.transaction.optional(
            "SELECT never, since, until, number FROM unused",
            params![],
            |row| {
                Ok(Marks {
                    never: row.get(0)?,
                    since: row.get(1)?,
                    until: row.get(2)?,
                    number: row.get(3)?,
                })
            },
        )?;
        Ok(marks.unwrap_or_default())
    }

    /// The keys that were created up to then and never used. Returns whether there may be more.
    fn never_used(&self, marks: &mut Marks, until: i64) -> Result<bool, Stop> {
        let keys: Vec<(Key, i64)> = self.transaction.all(
            &format!(
                "SELECT {LAST_USE}, {COLUMNS}, number FROM keys \
                 WHERE number > ?1 ORDER BY number LIMIT {ANNOUNCED}"
            ),
            params![marks.never],
            |row| Ok((key(row)?, row.get("number")?)),
        )?;
        // Numbers follow the time: those after a younger key are younger.
        let is_old = |(key, _): &&(Key, i64)| signed(key.created_at) <= until;
        let old = keys.iter().take_while(is_old);
        for (key, number) in old.clone() {
            if key.last_used_at.is_none() {
                self.publish_unused(key, key.created_at)?;
            }
            marks.never = *number;
        }
        Ok(old.count() == ANNOUNCED as usize)
    }

    /// The keys that were last used up to then, by a round that begins or goes on. Returns whether it
    /// is still under way.
    fn long_unused(&self, marks: &mut Marks, until: i64) -> Result<bool, Stop> {
        if marks.since == marks.until {
            // Not back, with a clock that was set back.
            marks.until = marks.until.max(until);
        }
        let (last, count): (Option<i64>, u32) = self.transaction.one(
            &format!(
                "SELECT max(number), count(*) FROM \
                 (SELECT number FROM key_uses WHERE number > ?1 \
                  ORDER BY number LIMIT {READ}) AS uses"
            ),
            params![marks.number],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let last = last.unwrap_or(marks.number);
        let keys: Vec<(Key, i64)> = self.transaction.all(
            &format!(
                "SELECT {LAST_USE}, {COLUMNS}, keys.number AS number \
                 FROM key_uses CROSS JOIN keys WHERE keys.number = key_uses.number \
                 AND key_uses.number > ?1 AND key_uses.number <= ?2 \
                 AND key_uses.last_used_at > ?3 AND key_uses.last_used_at <= ?4 \
                 ORDER BY key_uses.number LIMIT {ANNOUNCED}"
            ),
            params![marks.number, last, marks.since, marks.until],
            |row| Ok((key(row)?, row.get("number")?)),
        )?;
        for (key, _) in &keys {
            if let Some(at) = key.last_used_at {
                self.publish_unused(key, at)?;
            }
        }
        let is_full = keys.len() == ANNOUNCED as usize;
        let come_to = keys.last().filter(|_| is_full).map(|(_, number)| *number);
        let is_under_way = is_full || count == READ;
        (marks.number, marks.since) = match is_under_way {
            true => (come_to.unwrap_or(last), marks.since),
            false => (0, marks.until),
        };
        Ok(is_under_way)
    }

    /// Writes an event, unless the key has ended.
    fn publish_unused(&self, key: &Key, since: UnixMillis) -> sql::Result<()> {
        let has_expired = key.attributes.expires_at.is_some_and(|end| end <= self.now);
        if key.revoked.is_some() || has_expired {
            return Ok(());
        }
        let days = self.now.0.saturating_sub(since.0) / DAY;
        let days = u32::try_from(days).unwrap_or(u32::MAX);
        self.publish(EventType::Unused, key, Some(More::DaysUnused(days)))
    }

    /// How many events are on their way, or more.
    fn waiting_events(&self) -> sql::Result<i64> {
        self.transaction.one(
            "SELECT coalesce((SELECT max(seq) FROM events) - (SELECT min(seq) FROM events), 0)",
            params![],
            |row| row.get(0),
        )
    }
}
