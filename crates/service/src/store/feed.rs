//! The change feed, and the lookups that must agree with it.

use keygate_core::app_key::KeyHash;
use keygate_core::time::UnixMillis;
use keygate_core::wire::{ChangesResponse, LookupResponse, MAX_CHANGES, Record, Status};
use rusqlite::{Transaction, params};

use super::keys::{COLUMNS, hash, key, sql_millis};
use super::{SqliteStore, StoreError};
use crate::key::Key;

impl SqliteStore {
    /// The number of the newest change; 0 before the first.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn epoch(&self) -> Result<u64, StoreError> {
        self.read(epoch).await
    }

    /// What changed since `after`, oldest first and at most [`MAX_CHANGES`].
    ///
    /// An `after` that lies ahead was given by a database that is gone (a
    /// backup was restored): the edge must forget everything.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn changes(&self, after: u64) -> Result<ChangesResponse, StoreError> {
        self.read(move |transaction| {
            let newest = epoch(transaction)?;
            if after >= newest {
                return Ok(ChangesResponse {
                    epoch: newest,
                    reset: after > newest,
                    more: false,
                    changed: Vec::new(),
                });
            }
            let mut statement = transaction.prepare_cached(&format!(
                "SELECT seq, hash FROM changes WHERE seq > ?1 ORDER BY seq LIMIT {MAX_CHANGES}"
            ))?;
            // `after` is below a number that SQLite itself made, so it fits.
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let rows =
                statement.query_map([after], |row| Ok((row.get::<_, i64>(0)?, hash(row, 1)?)))?;
            let rows: Vec<(i64, KeyHash)> = rows.collect::<Result<_, _>>()?;
            let last = rows.last().map_or(newest, |&(seq, _)| seq.unsigned_abs());
            Ok(ChangesResponse {
                epoch: last,
                reset: false,
                more: last < newest,
                changed: rows.into_iter().map(|(_, hash)| hash).collect(),
            })
        })
        .await
    }

    /// The records of those hashes that are known, and the epoch they belong to.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn lookup(&self, hashes: Vec<KeyHash>) -> Result<LookupResponse, StoreError> {
        self.read(move |transaction| {
            let mut statement = transaction
                .prepare_cached(&format!("SELECT {COLUMNS} FROM keys WHERE hash = ?1"))?;
            let mut records = Vec::new();
            for hash in hashes {
                for key in statement.query_map([&hash.0[..]], key)? {
                    records.push(record(hash, key?));
                }
            }
            Ok(LookupResponse {
                epoch: epoch(transaction)?,
                records,
            })
        })
        .await
    }
}

/// Says in the feed that a key changed. Belongs into the transaction of the change.
pub(super) fn append(
    transaction: &Transaction<'_>,
    hash: KeyHash,
    at: UnixMillis,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO changes (hash, at) VALUES (?1, ?2)")?
        .execute(params![&hash.0[..], sql_millis(at)])
        .map(drop)
}

fn epoch(transaction: &Transaction<'_>) -> rusqlite::Result<u64> {
    transaction
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM changes")?
        .query_row([], |row| row.get::<_, i64>(0))
        .map(i64::unsigned_abs)
}

/// Expiry is for the edge to see, on every request: the status says only what no clock can.
fn record(hash: KeyHash, key: Key) -> Record {
    Record {
        hash,
        id: key.id,
        account: key.account,
        status: match key.revoked {
            Some(_) => Status::Revoked,
            None => Status::Active,
        },
        expires_at: key.expires_at,
        scopes: key.scopes,
        allowed_ips: key.allowed_ips,
        allowed_referrers: key.allowed_referrers,
        metadata: key.metadata,
    }
}
