//! When keys were last used, and how often on each day. Neither is part of the change feed.

use std::collections::HashSet;
use std::sync::Arc;

use keygate_core::UnixMillis;

use super::command::{Command, Outcome};
use super::row::signed;
use super::sql::{self, Sql, params};
use super::{Store, StoreError};
use crate::rights::Caller;
use crate::space::Space;
use crate::uses::{Counts, Day, Sums};

/// How many expired days of keys are deleted with each write: as many as it adds.
const SWEPT: usize = 1000;

/// The largest count: one that every reader of JSON reads exactly (RFC 8259 section 6).
const MOST: i64 = 1 << 53;

impl Store {
    /// Adds uses. On disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`], [`StoreError::Gone`] and [`StoreError::Failed`].
    pub(crate) async fn add_uses(
        &self,
        sums: Arc<Sums>,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let command = Command::AddUses { sums };
        match self.write(command, Caller::Service, now).await? {
            Outcome::Done => Ok(()),
            other => Err(other.unexpected()),
        }
    }

    /// Of these ids, those of keys of this space.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub(crate) async fn of_space(
        &self,
        space: &Space,
        ids: Vec<String>,
    ) -> Result<HashSet<String>, StoreError> {
        let space = space.clone();
        let own = move |transaction: &Sql<'_>| {
            let text = "SELECT 1 FROM keys WHERE id = ?1 AND space = ?2";
            let mut own = HashSet::new();
            for id in &ids {
                if transaction.exists(text, params![id, space.as_str()])? {
                    own.insert(id.clone());
                }
            }
            Ok(own)
        };
        self.readers.read_long(own).await
    }

    /// How often the key with this id was used, newest day first and without days on which it was not.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub(crate) async fn usage(
        &self,
        id: String,
        now: UnixMillis,
    ) -> Result<Vec<(Day, Counts)>, StoreError> {
        let usage = move |transaction: &Sql<'_>| usage(transaction, &id, now);
        self.list_readers.read_long(usage).await
    }
}

/// Adds uses. Ids that no key has are passed over.
pub(super) fn add(transaction: &Sql<'_>, sums: &Sums, now: UnixMillis) -> sql::Result<()> {
    let touch = "INSERT INTO key_uses (number, last_used_at) SELECT number, ?2 FROM keys WHERE id = ?1 \
         ON CONFLICT (number) DO UPDATE SET last_used_at = excluded.last_used_at \
         WHERE key_uses.last_used_at < excluded.last_used_at";
    // No function for the smaller of two values has one name in all databases.
    let sum = |column| {
        format!(
            "CASE WHEN key_days.{column} + excluded.{column} > {MOST} THEN {MOST} \
             ELSE key_days.{column} + excluded.{column} END"
        )
    };
    let (allowed, rejected) = (sum("allowed"), sum("rejected"));
    let count = format!(
        "INSERT INTO key_days (day, number, allowed, rejected) \
         SELECT ?2, number, ?3, ?4 FROM keys WHERE id = ?1 \
         ON CONFLICT (day, number) DO UPDATE SET allowed = {allowed}, rejected = {rejected}"
    );
    for (id, sum) in sums {
        if let Some(at) = sum.last_used_at {
            transaction.execute(touch, params![id, signed(at)])?;
        }
        for (Day(day), Counts { allowed, rejected }) in &sum.days {
            let bounded = |count: u64| i64::try_from(count).map_or(MOST, |it| it.min(MOST));
            transaction.execute(
                &count,
                params![id, day, bounded(*allowed), bounded(*rejected)],
            )?;
        }
    }
    let Day(oldest) = Day::oldest(now);
    transaction.execute(
        &format!(
            "DELETE FROM key_days WHERE (day, number) IN \
             (SELECT day, number FROM key_days WHERE day < ?1 LIMIT {SWEPT})"
        ),
        params![oldest],
    )?;
    Ok(())
}

/// One search for each day that is kept: no index leads from a key to its days.
fn usage(transaction: &Sql<'_>, id: &str, now: UnixMillis) -> sql::Result<Vec<(Day, Counts)>> {
    let text = "WITH RECURSIVE days (day) AS \
         (SELECT ?2 UNION ALL SELECT day - 1 FROM days WHERE day > ?3) \
         SELECT day, allowed, rejected FROM keys CROSS JOIN days \
         JOIN key_days USING (day, number) WHERE keys.id = ?1 ORDER BY day DESC";
    let (Day(newest), Day(oldest)) = (Day::newest(now), Day::oldest(now));
    transaction.all(text, params![id, newest, oldest], |row| {
        let counts = Counts {
            allowed: row.get::<i64>(1)?.unsigned_abs(),
            rejected: row.get::<i64>(2)?.unsigned_abs(),
        };
        Ok((Day(row.get(0)?), counts))
    })
}
