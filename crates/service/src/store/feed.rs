//! The change feed, and the lives of the database to which its numbers belong.

use std::sync::Arc;

use keygate_core::keys::KeyHash;
use keygate_core::keys::wire::{ChangesResponse, Incarnation, MAX_CHANGES};
use keygate_core::{Millis, UnixMillis};

use super::head::Head;
use super::memo::Memo;
use super::random::random;
use super::recent::Asked;
use super::row::signed;
use super::sql::{self, Each, Row, Sql, params};
use super::{Database, Store, StoreError};
use crate::space::Spaces;

/// How many changes are kept. An edge that is further behind must forget everything.
const KEPT_CHANGES: i64 = 100_000;

/// No clock that works shows an earlier time: 2024-01-01T00:00:00Z.
const YEAR_2024: UnixMillis = UnixMillis(1_704_067_200_000);

/// How far a clock may be before the newest change. Another one may have written it.
const MAX_BACK: Millis = Millis::from_secs(3600);

/// How many lives of the database are remembered.
const KEPT_INCARNATIONS: i64 = 100;

impl Store {
    /// The number of the newest change; 0 before the first.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn epoch(&self) -> Result<u64, StoreError> {
        self.readers.read_each(epoch).await
    }

    /// The current epoch, for an edge that starts to follow the feed.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn end_of_feed(&self) -> Result<ChangesResponse, StoreError> {
        self.readers
            .read_each(|sql| {
                let Head { incarnation, epoch } = head(sql)?;
                Ok(ChangesResponse {
                    incarnation,
                    epoch,
                    reset: false,
                    more: false,
                    changed: Vec::new(),
                })
            })
            .await
    }

    /// Waits until there is a change after the one with this number, or another incarnation.
    pub async fn changed(&self, after: u64, incarnation: Incarnation) {
        let mut heads = self.heads.subscribe();
        let is_news = |head: &Head| head.epoch > after || head.incarnation != incarnation;
        // An error would say that the store is gone, whose method this is.
        let _ = heads.wait_for(is_news).await;
    }

    /// What changed in these spaces since `after`, oldest first and at most [`MAX_CHANGES`]. The epoch
    /// is that of all spaces, so that a change in another one leaves no gap.
    ///
    /// An edge must forget everything if its place is not in the kept history of this
    /// database: in an `incarnation` that is unknown here, or that ended before `after` since
    /// a backup was restored. Without one only the number counts.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn changes(
        &self,
        spaces: &Spaces,
        after: u64,
        incarnation: Option<Incarnation>,
    ) -> Result<ChangesResponse, StoreError> {
        let asked = Asked {
            spaces: spaces.clone(),
            after,
            incarnation,
        };
        let Database::Postgres(listener) = &self.database else {
            let read = move |transaction: &Sql<'_>| changes(transaction, &asked);
            return self.readers.read(read).await;
        };
        if listener.is_heard()
            && let Some(answer) = asked.at_the_end(*self.heads.borrow())
        {
            return Ok(answer);
        }
        let (recent, heads) = (Arc::clone(&self.recent), Arc::clone(&self.heads));
        let read = move |sql: &Sql<'_>| {
            let head = *heads.borrow();
            if let Some(answer) = recent.find(head, &asked) {
                return Ok(answer);
            }
            let answer = sql.within(|transaction| changes(transaction, &asked))?;
            recent.keep(head, &asked, &answer);
            Ok(answer)
        };
        self.readers.read_each(read).await
    }
}

/// What changed since the place that is asked for.
fn changes(transaction: &Sql<'_>, asked: &Asked) -> sql::Result<ChangesResponse> {
    let Head {
        incarnation: here,
        epoch: newest,
    } = head(transaction)?;
    let after = asked.after;
    let is_lost = after > newest
        || after.saturating_add(1) < oldest(transaction)?
        || match asked.incarnation {
            Some(asked) => !is_history(transaction, asked, after)?,
            None => false,
        };
    if is_lost || after == newest {
        return Ok(ChangesResponse {
            incarnation: here,
            epoch: newest,
            reset: is_lost,
            more: false,
            changed: Vec::new(),
        });
    }
    let text = format!(
        "SELECT seq, hash, ?2 IS NULL OR space = ?2 FROM changes WHERE seq > ?1 \
         ORDER BY seq LIMIT {MAX_CHANGES}"
    );
    // `after` is below a number of the database, so it fits.
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let space = asked.spaces.name();
    let rows: Vec<(i64, KeyHash, bool)> = transaction.all(&text, params![after, space], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    let last = rows.last().map_or(newest, |row| row.0.unsigned_abs());
    let seen = rows.into_iter().filter(|(_, _, is_seen)| *is_seen);
    Ok(ChangesResponse {
        incarnation: here,
        epoch: last,
        reset: false,
        more: last < newest,
        changed: seen.map(|(_, hash, _)| hash).collect(),
    })
}

/// Says in the feed that a key changed. Belongs into the transaction of the change.
pub(super) fn append(
    transaction: &Sql<'_>,
    memo: &Memo,
    hash: KeyHash,
    space: &str,
    at: UnixMillis,
) -> sql::Result<()> {
    match transaction {
        Sql::Sqlite(_) => transaction.later(
            "INSERT INTO changes (hash, space, at) VALUES (?1, ?2, ?3)",
            params![hash, space, signed(at)],
        ),
        Sql::Postgres(_) => transaction.later(
            "INSERT INTO changes (seq, hash, space, at) VALUES (?1, ?2, ?3, ?4)",
            params![memo.next_epoch(transaction)?, hash, space, signed(at)],
        ),
    }
}

/// Deletes the changes that are not kept, once this one is the newest.
pub(super) fn forget(transaction: &Sql<'_>, newest: u64) -> sql::Result<()> {
    let newest = i64::try_from(newest).unwrap_or(i64::MAX);
    match newest.saturating_sub(KEPT_CHANGES) {
        upto @ 1.. => transaction.later("DELETE FROM changes WHERE seq <= ?1", params![upto]),
        _ => Ok(()),
    }
}

/// Whether it can be `now`: it is not before 2024, nor more than an hour before the newest change.
pub(super) fn is_credible(now: UnixMillis, newest: Option<UnixMillis>) -> bool {
    let is_back = newest.is_some_and(|it| now.plus(MAX_BACK) < it);
    now >= YEAR_2024 && !is_back
}

/// Writes the time, which nothing reads.
pub(super) fn beat(transaction: &Sql<'_>, now: UnixMillis) -> sql::Result<()> {
    let text = "INSERT INTO heartbeat (number, at) VALUES (1, ?1) \
                ON CONFLICT (number) DO UPDATE SET at = excluded.at";
    transaction.execute(text, params![signed(now)]).map(drop)
}

/// Begins another life of the database, and returns it and its epoch. Belongs into a transaction
/// that no other writer can overtake.
pub(super) fn begin_incarnation(transaction: &Sql<'_>) -> sql::Result<Head> {
    let head = Head {
        incarnation: Incarnation(random()?),
        epoch: epoch(transaction)?,
    };
    transaction.execute(
        "INSERT INTO incarnations (id, began) VALUES (?1, ?2)",
        params![
            head.incarnation.0,
            i64::try_from(head.epoch).unwrap_or(i64::MAX)
        ],
    )?;
    transaction.execute(
        "DELETE FROM incarnations WHERE number <= (SELECT max(number) FROM incarnations) - ?1",
        params![KEPT_INCARNATIONS],
    )?;
    Ok(head)
}

/// The number of the newest change; 0 before the first.
pub(super) fn epoch(transaction: &Sql<'_>) -> sql::Result<u64> {
    let text = Each {
        sqlite: "SELECT coalesce(max(seq), 0) FROM changes",
        postgres: "SELECT epoch FROM head",
    };
    let epoch = transaction.one(text, params![], |row| row.get::<i64>(0))?;
    Ok(epoch.unsigned_abs())
}

/// How far the feed has come.
pub(super) fn head(transaction: &Sql<'_>) -> sql::Result<Head> {
    let text = Each {
        sqlite: "SELECT (SELECT id FROM incarnations ORDER BY number DESC LIMIT 1), \
                 (SELECT coalesce(max(seq), 0) FROM changes)",
        postgres: "SELECT (SELECT id FROM incarnations ORDER BY number DESC LIMIT 1), epoch \
                   FROM head",
    };
    transaction.one(text, params![], read_head)
}

/// Reads a row that begins with an incarnation and an epoch.
pub(super) fn read_head(row: &Row<'_>) -> sql::Result<Head> {
    Ok(Head {
        incarnation: Incarnation(row.get(0)?),
        epoch: row.get::<i64>(1)?.unsigned_abs(),
    })
}

/// The number of the oldest change that is kept; 0 before the first.
fn oldest(transaction: &Sql<'_>) -> sql::Result<u64> {
    let text = "SELECT coalesce(min(seq), 0) FROM changes";
    let oldest = transaction.one(text, params![], |row| row.get::<i64>(0))?;
    Ok(oldest.unsigned_abs())
}

/// Whether the database was once in this incarnation with this epoch: no later one began before.
fn is_history(transaction: &Sql<'_>, incarnation: Incarnation, epoch: u64) -> sql::Result<bool> {
    transaction.one(
        "SELECT EXISTS (SELECT 1 FROM incarnations AS asked WHERE id = ?1 AND NOT EXISTS \
             (SELECT 1 FROM incarnations AS later \
              WHERE later.number > asked.number AND later.began < ?2))",
        params![incarnation.0, i64::try_from(epoch).unwrap_or(i64::MAX)],
        |row| row.get(0),
    )
}
