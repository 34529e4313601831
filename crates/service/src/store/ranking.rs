//! Which keys and accounts were used most.

use keygate_core::UnixMillis;

use super::sql::{self, Row, Sql, params};
use super::{Store, StoreError};
use crate::space::Space;
use crate::uses::{Counts, Day};

/// Which uses are added up, since when, and how many of the sums are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Ranked {
    /// Only keys of this space.
    pub(crate) space: Option<Space>,
    /// Of how many days, today included.
    pub(crate) days: u32,
    /// At most so many keys, and so many accounts.
    pub(crate) limit: u32,
}

/// The most used first.
#[derive(Debug)]
pub(crate) struct Ranking {
    /// The first day that is counted.
    pub(crate) since: Day,
    /// The id of each key, its account, and its uses.
    pub(crate) keys: Vec<(String, String, Counts)>,
    /// Each account, and the uses of its keys.
    pub(crate) accounts: Vec<(String, Counts)>,
}

impl Store {
    /// The keys and accounts that were used most. Reads a row for each key and day with a use.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub(crate) async fn ranking(
        &self,
        ranked: Ranked,
        now: UnixMillis,
    ) -> Result<Ranking, StoreError> {
        let Day(today) = Day::newest(now);
        let since = Day(today.saturating_sub(ranked.days.saturating_sub(1)));
        self.list_readers
            .read_long(move |transaction| ranking(transaction, &ranked, since))
            .await
    }
}

fn ranking(transaction: &Sql<'_>, ranked: &Ranked, since: Day) -> sql::Result<Ranking> {
    let Day(first) = since;
    let space = ranked.space.as_ref().map(Space::as_str);
    let values = params![first, space, ranked.limit];
    // Grouped by number first: a key is looked up once, and not for each of its days.
    let sums = "WITH sums AS (SELECT number, SUM(allowed) AS allowed, SUM(rejected) AS rejected \
         FROM key_days WHERE day >= ?1 GROUP BY number) ";
    let own = "FROM sums JOIN keys ON keys.number = sums.number \
         WHERE (?2 IS NULL OR keys.space = ?2) ";
    // In some databases the sum of whole numbers has another type than they have.
    let keys = format!(
        "{sums} SELECT CAST(sums.allowed AS BIGINT), CAST(sums.rejected AS BIGINT), keys.account, \
         keys.id {own} ORDER BY sums.allowed + sums.rejected DESC, keys.number LIMIT ?3"
    );
    let accounts = format!(
        "{sums} SELECT CAST(SUM(sums.allowed) AS BIGINT), CAST(SUM(sums.rejected) AS BIGINT), \
         keys.account {own} GROUP BY keys.account \
         ORDER BY SUM(sums.allowed + sums.rejected) DESC, keys.account LIMIT ?3"
    );
    Ok(Ranking {
        since,
        keys: transaction.all(&keys, values, |row| {
            Ok((row.get(3)?, row.get(2)?, counts(row)?))
        })?,
        accounts: transaction.all(&accounts, values, |row| Ok((row.get(2)?, counts(row)?)))?,
    })
}

fn counts(row: &Row<'_>) -> sql::Result<Counts> {
    Ok(Counts {
        allowed: row.get::<i64>(0)?.unsigned_abs(),
        rejected: row.get::<i64>(1)?.unsigned_abs(),
    })
}
