//! When keys were last used, and how often on each day. Neither is part of the change feed.

use std::collections::HashSet;
use std::sync::Arc;

use keygate_core::UnixMillis;
use rusqlite::{Transaction, params};

use super::command::{Command, Outcome};
use super::row::signed;
use super::{SqliteStore, StoreError};
use crate::rights::Caller;
use crate::space::Space;
use crate::uses::{Counts, Day, Sums};

/// How many expired days of keys are deleted with each write: as many as it adds.
const SWEPT: usize = 1000;

/// The largest count: one that every reader of JSON reads exactly (RFC 8259 section 6).
const MOST: i64 = 1 << 53;

impl SqliteStore {
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
        let own = move |transaction: &Transaction<'_>| {
            let mut statement =
                transaction.prepare_cached("SELECT 1 FROM keys WHERE id = ?1 AND space = ?2")?;
            let mut own = HashSet::new();
            for id in ids {
                if statement.exists(params![id, space.as_str()])? {
                    own.insert(id);
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
        let usage = move |transaction: &Transaction<'_>| usage(transaction, &id, now);
        self.list_readers.read_long(usage).await
    }
}

/// Adds uses. Ids that no key has are passed over.
pub(super) fn add(
    transaction: &Transaction<'_>,
    sums: &Sums,
    now: UnixMillis,
) -> rusqlite::Result<()> {
    let mut touch = transaction.prepare_cached(
        "INSERT INTO key_uses (number, last_used_at) SELECT number, ?2 FROM keys WHERE id = ?1 \
         ON CONFLICT DO UPDATE SET last_used_at = max(last_used_at, excluded.last_used_at)",
    )?;
    let mut count = transaction.prepare_cached(&format!(
        "INSERT INTO key_days (day, number, allowed, rejected) \
         SELECT ?2, number, ?3, ?4 FROM keys WHERE id = ?1 \
         ON CONFLICT DO UPDATE SET allowed = min(allowed + excluded.allowed, {MOST}), \
         rejected = min(rejected + excluded.rejected, {MOST})"
    ))?;
    for (id, sum) in sums {
        if let Some(at) = sum.last_used_at {
            touch.execute(params![id, signed(at)])?;
        }
        for (Day(day), Counts { allowed, rejected }) in &sum.days {
            let bounded = |count: u64| i64::try_from(count).map_or(MOST, |it| it.min(MOST));
            count.execute(params![id, day, bounded(*allowed), bounded(*rejected)])?;
        }
    }
    let Day(oldest) = Day::oldest(now);
    transaction
        .prepare_cached(&format!(
            "DELETE FROM key_days WHERE (day, number) IN \
             (SELECT day, number FROM key_days WHERE day < ?1 LIMIT {SWEPT})"
        ))?
        .execute([oldest])?;
    Ok(())
}

/// One search for each day that is kept: no index leads from a key to its days.
fn usage(
    transaction: &Transaction<'_>,
    id: &str,
    now: UnixMillis,
) -> rusqlite::Result<Vec<(Day, Counts)>> {
    let mut statement = transaction.prepare_cached(
        "WITH RECURSIVE days (day) AS \
         (SELECT ?2 UNION ALL SELECT day - 1 FROM days WHERE day > ?3) \
         SELECT day, allowed, rejected FROM keys CROSS JOIN days \
         JOIN key_days USING (day, number) WHERE keys.id = ?1 ORDER BY day DESC",
    )?;
    let (Day(newest), Day(oldest)) = (Day::newest(now), Day::oldest(now));
    let rows = statement.query_map(params![id, newest, oldest], |row| {
        let counts = Counts {
            allowed: row.get::<_, i64>(1)?.unsigned_abs(),
            rejected: row.get::<_, i64>(2)?.unsigned_abs(),
        };
        Ok((Day(row.get(0)?), counts))
    })?;
    rows.collect()
}
