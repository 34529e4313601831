//! The change feed, and the lookups that must agree with it.

use std::sync::LazyLock;

use keygate_core::keys::KeyHash;
use keygate_core::keys::wire::{
    ChangesResponse, Incarnation, LookupResponse, MAX_CHANGES, Record, Status, Want,
};
use keygate_core::{Millis, UnixMillis};

use super::cells::key;
use super::random::random;
use super::row::{COLUMNS, signed};
use super::sql::{self, Row, Sql, params};
use super::{Store, StoreError};
use crate::space::Spaces;

/// How many changes are kept. An edge that is further behind must forget everything.
const KEPT_CHANGES: i64 = 100_000;

/// No clock that works shows an earlier time: 2024-01-01T00:00:00Z.
const YEAR_2024: UnixMillis = UnixMillis(1_704_067_200_000);

/// How far a clock may be before the newest change. Another one may have written it.
const MAX_BACK: Millis = Millis::from_secs(3600);

/// So many keys are looked up at once: their pages may have to come from the disk.
const FEW: usize = 8;

static ONE: LazyLock<String> = LazyLock::new(|| one("NULL"));

static ONE_WITH_SEALED: LazyLock<String> = LazyLock::new(|| one("keys.sealed"));

fn one(sealed: &str) -> String {
    let epoch = "(SELECT coalesce(max(seq), 0) FROM changes) AS epoch";
    // No edge asks when a key was last used.
    format!(
        "SELECT NULL AS last_used_at, {COLUMNS}, {epoch}, {sealed} AS data FROM keys \
         WHERE hash = ?1 AND (?2 IS NULL OR space = ?2)"
    )
}

/// What finds one key, with what was asked for. Most edges do not ask for what is sealed, which is
/// up to 2.9 kB.
fn statement(want: &[Want]) -> &'static str {
    match want.contains(&Want::Sealed) {
        true => &ONE_WITH_SEALED,
        false => &ONE,
    }
}

/// How many lives of the database are remembered.
const KEPT_INCARNATIONS: i64 = 100;

impl Store {
    /// The number of the newest change; 0 before the first.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn epoch(&self) -> Result<u64, StoreError> {
        self.readers.read(epoch).await
    }

    /// The current epoch, for an edge that starts to follow the feed.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn end_of_feed(&self) -> Result<ChangesResponse, StoreError> {
        self.readers
            .read(|transaction| {
                Ok(ChangesResponse {
                    incarnation: current(transaction)?,
                    epoch: epoch(transaction)?,
                    reset: false,
                    more: false,
                    changed: Vec::new(),
                })
            })
            .await
    }

    /// Waits until there is a change after the one with this number.
    pub async fn changed(&self, after: u64) {
        let mut heads = self.heads.subscribe();
        // An error would say that the store is gone, whose method this is.
        let _ = heads.wait_for(|head| head.epoch > after).await;
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
        let spaces = spaces.clone();
        self.readers
            .read(move |transaction| {
                let newest = epoch(transaction)?;
                let is_lost = after > newest
                    || after.saturating_add(1) < oldest(transaction)?
                    || match incarnation {
                        Some(asked) => !is_history(transaction, asked, after)?,
                        None => false,
                    };
                let here = current(transaction)?;
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
                // `after` is below a number that SQLite itself made, so it fits.
                let after = i64::try_from(after).unwrap_or(i64::MAX);
                let rows: Vec<(i64, KeyHash, bool)> =
                    transaction.all(&text, params![after, spaces.name()], |row| {
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
            })
            .await
    }

    /// The records of those hashes that are known in these spaces, and the epoch they belong to.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn lookup(
        &self,
        spaces: &Spaces,
        hashes: Vec<KeyHash>,
        want: Vec<Want>,
    ) -> Result<LookupResponse, StoreError> {
        let asked = Asked {
            spaces: spaces.clone(),
            hashes,
            want,
        };
        let incarnation = self.heads.borrow().incarnation;
        let answer = move |(epoch, records)| LookupResponse {
            incarnation,
            epoch,
            records,
        };
        let found = match asked.hashes.len() <= FEW {
            true => self.readers.read_each(move |it| asked.few(it)).await,
            false => self.readers.read_long(move |it| asked.all(it)).await,
        };
        found.map(answer)
    }
}

/// How far the feed has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The life that the database is in.
    pub(super) incarnation: Incarnation,
    /// The number of the newest change; 0 before the first.
    pub(super) epoch: u64,
}

/// What a lookup found, and the epoch of the state in which it did.
type Found = (u64, Vec<Record>);

/// What a lookup asks for.
struct Asked {
    spaces: Spaces,
    hashes: Vec<KeyHash>,
    want: Vec<Want>,
}

impl Asked {
    /// A single key that is known is read by a single statement, which costs less than a transaction.
    fn few(&self, sql: &Sql<'_>) -> sql::Result<Found> {
        if let &[hash] = &self.hashes[..] {
            let space = self.spaces.name();
            let values = params![hash, space];
            let found = sql.optional(statement(&self.want), values, |row| {
                let epoch: i64 = row.get("epoch")?;
                Ok((epoch.unsigned_abs(), vec![record(hash, row)?]))
            });
            if let Some(found) = found? {
                return Ok(found);
            }
        }
        sql.within(|transaction| self.all(transaction))
    }

    fn all(&self, transaction: &Sql<'_>) -> sql::Result<Found> {
        let text = statement(&self.want);
        let mut records = Vec::new();
        for &hash in &self.hashes {
            let space = self.spaces.name();
            let values = params![hash, space];
            records.extend(transaction.optional(text, values, |row| record(hash, row))?);
        }
        Ok((epoch(transaction)?, records))
    }
}

/// Says in the feed that a key changed. Belongs into the transaction of the change.
pub(super) fn append(
    transaction: &Sql<'_>,
    hash: KeyHash,
    space: &str,
    at: UnixMillis,
) -> sql::Result<()> {
    transaction.execute(
        "INSERT INTO changes (hash, space, at) VALUES (?1, ?2, ?3)",
        params![hash, space, signed(at)],
    )?;
    transaction
        .execute(
            "DELETE FROM changes WHERE seq <= last_insert_rowid() - ?1",
            params![KEPT_CHANGES],
        )
        .map(drop)
}

/// Whether it can be `now`: it is not before 2024, nor more than an hour before the newest change.
pub(super) fn is_credible(transaction: &Sql<'_>, now: UnixMillis) -> sql::Result<bool> {
    let newest = transaction.optional(
        "SELECT at FROM changes ORDER BY seq DESC LIMIT 1",
        params![],
        |row| row.get::<i64>(0),
    )?;
    let newest = newest.and_then(|at| u64::try_from(at).ok()).map(UnixMillis);
    let is_back = newest.is_some_and(|it| now.plus(MAX_BACK) < it);
    Ok(now >= YEAR_2024 && !is_back)
}

/// Writes the time, which nothing reads.
pub(super) fn beat(transaction: &Sql<'_>, now: UnixMillis) -> sql::Result<()> {
    transaction
        .execute(
            "INSERT INTO heartbeat (number, at) VALUES (1, ?1) \
             ON CONFLICT (number) DO UPDATE SET at = excluded.at",
            params![signed(now)],
        )
        .map(drop)
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

pub(super) fn epoch(transaction: &Sql<'_>) -> sql::Result<u64> {
    transaction
        .one(
            "SELECT coalesce(max(seq), 0) FROM changes",
            params![],
            |row| row.get::<i64>(0),
        )
        .map(i64::unsigned_abs)
}

/// The number of the oldest change that is kept; 0 before the first.
fn oldest(transaction: &Sql<'_>) -> sql::Result<u64> {
    transaction
        .one(
            "SELECT coalesce(min(seq), 0) FROM changes",
            params![],
            |row| row.get::<i64>(0),
        )
        .map(i64::unsigned_abs)
}

/// The life that the database is in. Read in the transaction of what it goes with.
fn current(transaction: &Sql<'_>) -> sql::Result<Incarnation> {
    transaction.one(
        "SELECT id FROM incarnations ORDER BY number DESC LIMIT 1",
        params![],
        |row| row.get(0).map(Incarnation),
    )
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

/// All attributes but the name and the labels, which are for people alone, and the space. Expiry is for
/// the edge to see, on every request: the status says only what no clock can.
fn record(hash: KeyHash, row: &Row<'_>) -> sql::Result<Record> {
    let key = key(row)?;
    let attributes = key.attributes;
    Ok(Record {
        hash,
        id: key.id,
        account: attributes.account,
        status: match (key.revoked, key.disabled_by) {
            (Some(_), _) => Status::Revoked,
            (None, Some(_)) => Status::Disabled,
            (None, None) => Status::Active,
        },
        expires_at: attributes.expires_at,
        scopes: attributes.scopes,
        allowed_ips: attributes.allowed_ips,
        allowed_referrers: attributes.allowed_referrers,
        rate_limit: attributes.rate_limit,
        metadata: attributes.metadata.into_json(),
        sealed: row.get("data")?,
    })
}
