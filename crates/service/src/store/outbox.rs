//! Events as tables: written in the transaction of the change, deleted when they are delivered.

use keygate_core::text::hex;
use keygate_core::{Millis, UnixMillis};

use super::cells::key;
use super::change::{Act, Stop};
use super::command::{Command, Outcome};
use super::keys::by_id;
use super::random::random;
use super::row::{COLUMNS, LAST_USE, signed};
use super::sql::{self, Each, Sql, ToValue, Value, params};
use super::{Store, StoreError};
use crate::events::{Attempt, Body, Data, Delivery, EventType, More, Outbox, TargetId};
use crate::key::{Key, KeyObject};
use crate::rights::Caller;

/// How many events are kept: beyond that, the oldest are given up.
const KEPT: i64 = 100_000;

/// Most keys that one transaction announces the end of.
const ANNOUNCED: u32 = 100;

/// How many days before its end a key is announced, fewest first.
const DAYS: [u32; 3] = [1, 3, 14];

impl Store {
    /// Where events are written for whom.
    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The deliveries to a target that are due first.
    pub(crate) async fn deliveries(
        &self,
        target: TargetId,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = move |transaction: &Sql<'_>| {
            transaction.all(
                Each {
                    sqlite: "SELECT event, id, at, attempts, due_at, body \
                             FROM deliveries JOIN events ON seq = event \
                             WHERE target = ?1 ORDER BY due_at, event LIMIT ?2",
                    postgres: "SELECT event, id, at, attempts, due_at, body \
                               FROM deliveries JOIN events ON seq = event \
                               WHERE target = ?1 \
                               AND (claimed IS NULL OR claimed < clock_timestamp()) \
                               ORDER BY due_at, event LIMIT ?2",
                },
                params![target, limit],
                |row| {
                    let time =
                        |column: usize| row.get(column).map(i64::unsigned_abs).map(UnixMillis);
                    Ok(Delivery {
                        event: row.get(0)?,
                        id: row.get(1)?,
                        at: time(2)?,
                        attempts: row.get(3)?,
                        due_at: time(4)?,
                        body: row.get(5)?,
                    })
                },
            )
        };
        self.readers.read_long(read).await
    }

    /// Takes a delivery for this replica, for longer than an attempt takes. Returns whether no other one
    /// has it. One that ends meanwhile leaves it to the others.
    pub(crate) async fn claim(
        &self,
        target: TargetId,
        delivery: &Delivery,
    ) -> Result<bool, StoreError> {
        if !self.is_shared() {
            return Ok(true);
        }
        let Delivery {
            event, attempts, ..
        } = *delivery;
        let claim = move |sql: &Sql<'_>| {
            sql.execute(
                "UPDATE deliveries SET claimed = clock_timestamp() + interval '60 seconds' \
                 WHERE target = ?1 AND event = ?2 AND attempts = ?3 \
                 AND (claimed IS NULL OR claimed < clock_timestamp())",
                params![target, event, attempts],
            )
        };
        Ok(self.readers.read_each(claim).await? > 0)
    }

    /// How many deliveries wait, to all targets.
    pub(crate) async fn waiting_deliveries(&self) -> Result<u64, StoreError> {
        let count = |transaction: &Sql<'_>| {
            transaction.one("SELECT count(*) FROM deliveries", params![], |row| {
                row.get::<i64>(0)
            })
        };
        let count = self.readers.read_long(count).await?;
        Ok(count.unsigned_abs())
    }

    /// Writes what came of an attempt.
    pub(crate) async fn attempted(
        &self,
        attempt: Attempt,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let command = Command::Attempted(attempt);
        match self.write(command, Caller::Service, now).await? {
            Outcome::Done => Ok(()),
            other => Err(other.unexpected()),
        }
    }

    /// Gives up what is on its way to other targets than these.
    pub(crate) async fn keep_deliveries(
        &self,
        targets: Vec<TargetId>,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let command = Command::KeepDeliveries(targets);
        match self.write(command, Caller::Service, now).await? {
            Outcome::Done => Ok(()),
            other => Err(other.unexpected()),
        }
    }

    /// Announces the keys that come closer to their end. There may be more.
    pub(crate) async fn announce(&self, now: UnixMillis) -> Result<bool, StoreError> {
        match self.write(Command::Announce, Caller::Service, now).await? {
            Outcome::Announced { more } => Ok(more),
            other => Err(other.unexpected()),
        }
    }
}

impl Act<'_> {
    /// Writes an event for the targets that get its type.
    pub(super) fn publish(
        &self,
        of: EventType,
        key: &Key,
        more: Option<More<'_>>,
    ) -> sql::Result<()> {
        if !self.outbox.wants(of) {
            return Ok(());
        }
        let body = Body {
            r#type: of,
            timestamp: self.now.to_string(),
            data: Data {
                key: KeyObject::new(key.clone(), self.now),
                actor: &self.actor,
                request_id: self.request_id,
                more,
            },
        };
        // No struct of numbers and texts fails.
        let body = serde_json::to_string(&body).unwrap_or_default();
        let id = format!("evt_{}", hex::encode(&random::<16>()?));
        let now = signed(self.now);
        let seq: i64 = self.transaction.one(
            "INSERT INTO events (id, at, body) VALUES (?1, ?2, ?3) RETURNING seq",
            params![id, now, body],
            |row| row.get(0),
        )?;
        for target in self.outbox.targets(of) {
            self.transaction.later(
                "INSERT INTO deliveries (target, event, attempts, due_at) VALUES (?1, ?2, 0, ?3)",
                params![target, seq, now],
            )?;
        }
        self.outbox.note();
        if let upto @ 1.. = seq.saturating_sub(KEPT) {
            let dropped = self
                .transaction
                .execute("DELETE FROM events WHERE seq <= ?1", params![upto])?;
            let dropped = u64::try_from(dropped).unwrap_or(u64::MAX);
            self.outbox.dropped.inc_by(dropped);
        }
        Ok(())
    }

    /// Writes an event about the key with this id, as it is now.
    pub(super) fn publish_by_id(&self, of: EventType, id: &str) -> sql::Result<()> {
        match self.outbox.wants(of) {
            true => by_id(self.transaction, id)?.map_or(Ok(()), |key| self.publish(of, &key, None)),
            false => Ok(()),
        }
    }

    /// Writes what came of an attempt. An event that all targets got is deleted.
    pub(super) fn attempted(&self, attempt: &Attempt) -> Result<Outcome, Stop> {
        let Attempt {
            target,
            event,
            again_at,
        } = attempt;
        let Some(again_at) = again_at else {
            self.transaction.execute(
                "DELETE FROM deliveries WHERE target = ?1 AND event = ?2",
                params![target, event],
            )?;
            self.transaction.execute(
                "DELETE FROM events WHERE seq = ?1 \
                     AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = ?1)",
                params![event],
            )?;
            return Ok(Outcome::Done);
        };
        self.transaction.execute(
            Each {
                sqlite: "UPDATE deliveries SET attempts = attempts + 1, due_at = ?3 \
                         WHERE target = ?1 AND event = ?2",
                postgres: "UPDATE deliveries SET attempts = attempts + 1, due_at = ?3, \
                           claimed = NULL WHERE target = ?1 AND event = ?2",
            },
            params![target, event, signed(*again_at)],
        )?;
        Ok(Outcome::Done)
    }

    /// Gives up what is on its way to other targets than these.
    pub(super) fn keep_deliveries(&self, targets: &[TargetId]) -> Result<Outcome, Stop> {
        let others = " AND target <> ?".repeat(targets.len());
        let targets: Vec<Value<'_>> = targets.iter().map(ToValue::to_value).collect();
        self.transaction.execute(
            &format!("DELETE FROM deliveries WHERE true{others}"),
            &targets,
        )?;
        self.transaction.execute(
            "DELETE FROM events WHERE seq NOT IN (SELECT event FROM deliveries)",
            params![],
        )?;
        Ok(Outcome::Done)
    }

    /// Announces the keys whose end has come closer than so many days since the last time. Which
    /// these are follows from the last end that was announced, so none is announced twice.
    pub(super) fn announce(&self) -> Result<Outcome, Stop> {
        let mut more = false;
        let mut nearer = 0;
        for days in DAYS {
            more |= self.announce_before(days, nearer)?;
            nearer = days;
        }
        Ok(Outcome::Announced { more })
    }

    /// Announces keys for one number of days. A key that has no more than `nearer` days left is
    /// announced by these.
    fn announce_before(&self, days: u32, nearer: u32) -> Result<bool, Stop> {
        let in_days = |days: u32| {
            self.now
                .plus(Millis::from_secs(u64::from(days) * 24 * 3600))
        };
        let until = signed(in_days(days));
        let last: Option<(i64, i64)> = self.transaction.optional(
            "SELECT expires_at, number FROM announced WHERE days = ?1",
            params![days],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let keys: Vec<(Key, i64)> = match last {
            // The first time: what is closer already is not news.
            None => Vec::new(),
            Some((end, number)) => self.transaction.all(
                &format!(
                    "SELECT {LAST_USE}, {COLUMNS}, number FROM keys WHERE revoked_at IS NULL \
                     AND expires_at >= ?1 AND (expires_at > ?1 OR number > ?2) \
                     AND expires_at <= ?3 ORDER BY expires_at, number LIMIT {ANNOUNCED}"
                ),
                params![end, number, until],
                |row| Ok((key(row)?, row.get("number")?)),
            )?,
        };
        let is_later = |key: &Key| key.attributes.expires_at > Some(in_days(nearer));
        for (key, _) in keys.iter().filter(|(key, _)| is_later(key)) {
            self.publish(EventType::Expiring, key, Some(More::DaysLeft(days)))?;
        }
        let is_full = keys.len() == ANNOUNCED as usize;
        let mark = match keys.last().filter(|_| is_full) {
            Some((key, number)) => (key.attributes.expires_at.map_or(until, signed), *number),
            None => (until, i64::MAX),
        };
        // Not back, with a clock that was set back.
        if last.is_none_or(|last| last < mark) {
            self.transaction.execute(
                "INSERT INTO announced (days, expires_at, number) VALUES (?1, ?2, ?3) \
                     ON CONFLICT (days) DO UPDATE SET expires_at = excluded.expires_at, \
                     number = excluded.number",
                params![days, mark.0, mark.1],
            )?;
        }
        Ok(is_full)
    }
}
