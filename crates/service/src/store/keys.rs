//! Keys: insert, read, page, revoke.

use keygate_core::UnixMillis;
use keygate_core::http::address;
use keygate_core::keys::KeyHash;
use rusqlite::types::Type;
use rusqlite::{OptionalExtension as _, Row, Transaction, named_params, params};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::feed::append;
use super::{SqliteStore, StoreError};
use crate::attributes::Attributes;
use crate::key::{Key, Revocation, Standing};

/// What [`key`] reads, in its order.
pub(super) const COLUMNS: &str = "id, start, account, name, scopes, metadata, allowed_ips, \
     created_at, expires_at, revoked_at, revoked_reason, allowed_referrers";

/// A key to store: its attributes, with what was generated for it.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The public id.
    pub id: String,
    /// Under which the edge looks it up.
    pub hash: KeyHash,
    /// The public part of its text.
    pub start: String,
    /// Everything else.
    pub attributes: Attributes,
}

/// A key from elsewhere.
#[derive(Clone, Debug)]
pub struct Import {
    /// The hashes under which it may be stored already.
    pub candidates: Vec<KeyHash>,
    /// As what it is stored otherwise.
    pub new: NewKey,
}

/// What became of it.
#[derive(Clone, Debug)]
pub enum Imported {
    /// It is stored, under this id.
    New(String),
    /// It is not there, and was not to be stored.
    Absent,
    /// It was there.
    Exists(Box<Key>),
}

/// Which keys to list.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only those of this account.
    pub account: Option<String>,
    /// Only those that stand so now.
    pub standing: Option<Standing>,
    /// Only those older than the key with this number: [`Page::next`] of the page before.
    pub before: Option<i64>,
    /// At most this many.
    pub limit: u32,
}

/// Some keys, newest first.
#[derive(Clone, Debug)]
pub struct Page {
    /// The keys.
    pub keys: Vec<Key>,
    /// Where the next page starts, if there is one.
    pub next: Option<i64>,
}

/// A key that is revoked now.
#[derive(Clone, Debug)]
pub struct Revoked {
    /// The key.
    pub key: Key,
    /// Whether this call did it; otherwise an earlier one had.
    pub newly: bool,
}

impl SqliteStore {
    /// Stores a key; `None` when its id or its hash exists already.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn insert(&self, new: NewKey, now: UnixMillis) -> Result<Option<Key>, StoreError> {
        self.write(move |transaction| match insert(transaction, &new, now)? {
            true => by_id(transaction, &new.id),
            false => Ok(None),
        })
        .await
    }

    /// Stores those of some keys that are not there yet, all or none; with `dry_run` none.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn import(
        &self,
        keys: Vec<Import>,
        dry_run: bool,
        now: UnixMillis,
    ) -> Result<Vec<Imported>, StoreError> {
        if dry_run {
            let found = move |transaction: &Transaction<'_>| {
                let keys = keys.iter();
                keys.map(|it| {
                    let key = existing(transaction, &it.candidates)?;
                    Ok(key.map_or(Imported::Absent, |key| Imported::Exists(Box::new(key))))
                })
                .collect()
            };
            return self.read(found).await;
        }
        self.write(move |transaction| {
            let import = |import: &Import| {
                if let Some(key) = existing(transaction, &import.candidates)? {
                    return Ok(Imported::Exists(Box::new(key)));
                }
                match insert(transaction, &import.new, now)? {
                    true => Ok(Imported::New(import.new.id.clone())),
                    // Its hash is none that exists, so that its id is: one in 62 to the tenth.
                    false => Err(rusqlite::Error::StatementChangedRows(0)),
                }
            };
            keys.iter().map(import).collect()
        })
        .await
    }

    /// The key with this id.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn key(&self, id: String) -> Result<Option<Key>, StoreError> {
        self.read(move |transaction| by_id(transaction, &id)).await
    }

    /// One page of keys, as they stand at `now`.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn page(&self, filter: Filter, now: UnixMillis) -> Result<Page, StoreError> {
        self.read(move |transaction| page(transaction, &filter, now))
            .await
    }

    /// Revokes the key with this id for good; the first revocation stays as it is.
    /// `None` when no key has the id.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn revoke(
        &self,
        id: String,
        reason: Option<String>,
        now: UnixMillis,
    ) -> Result<Option<Revoked>, StoreError> {
        self.write(move |transaction| {
            let hash = transaction
                .prepare_cached(
                    "UPDATE keys SET revoked_at = ?2, revoked_reason = ?3 \
                     WHERE id = ?1 AND revoked_at IS NULL RETURNING hash",
                )?
                .query_row(params![id, sql_millis(now), reason], |row| hash(row, 0))
                .optional()?;
            if let Some(hash) = hash {
                append(transaction, hash, now)?;
            }
            let newly = hash.is_some();
            Ok(by_id(transaction, &id)?.map(|key| Revoked { key, newly }))
        })
        .await
    }
}

/// Stores a key; `false` when its id or its hash exists already.
fn insert(transaction: &Transaction<'_>, new: &NewKey, now: UnixMillis) -> rusqlite::Result<bool> {
    let stored = transaction
        .prepare_cached(
            "INSERT INTO keys (id, hash, start, account, name, scopes, metadata, \
             allowed_ips, created_at, expires_at, allowed_referrers) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            new.id,
            &new.hash.0[..],
            new.start,
            new.attributes.account,
            new.attributes.name,
            json(&new.attributes.scopes)?,
            new.attributes.metadata(),
            json(&new.attributes.allowed_ips)?,
            sql_millis(now),
            new.attributes.expires_at.map(sql_millis),
            json(&new.attributes.allowed_referrers)?,
        ])?;
    if stored == 0 {
        return Ok(false);
    }
    // An edge that was asked about this key too early remembers that it is unknown.
    append(transaction, new.hash, now)?;
    Ok(true)
}

/// The key that is stored under one of these hashes.
fn existing(
    transaction: &Transaction<'_>,
    candidates: &[KeyHash],
) -> rusqlite::Result<Option<Key>> {
    let mut statement =
        transaction.prepare_cached(&format!("SELECT {COLUMNS} FROM keys WHERE hash = ?1"))?;
    for hash in candidates {
        if let Some(key) = statement.query_row([&hash.0[..]], key).optional()? {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

fn by_id(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<Option<Key>> {
    transaction
        .prepare_cached(&format!("SELECT {COLUMNS} FROM keys WHERE id = ?1"))?
        .query_row([id], key)
        .optional()
}

/// The clauses are put together, since SQLite uses no index for `(?1 IS NULL OR account = ?1)`.
fn page(transaction: &Transaction<'_>, filter: &Filter, now: UnixMillis) -> rusqlite::Result<Page> {
    let account = match filter.account {
        Some(_) => "account = :account",
        None => ":account IS NULL",
    };
    let standing = match filter.standing {
        None => ":now > 0",
        Some(Standing::Active) => {
            "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)"
        }
        Some(Standing::Expired) => "revoked_at IS NULL AND expires_at <= :now",
        Some(Standing::Revoked) => "revoked_at IS NOT NULL AND :now > 0",
    };
    let mut statement = transaction.prepare_cached(&format!(
        "SELECT {COLUMNS}, number FROM keys \
         WHERE number < :before AND {account} AND {standing} ORDER BY number DESC LIMIT :limit"
    ))?;
    let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let rows = statement.query_map(
        named_params! {
            ":before": filter.before.unwrap_or(i64::MAX),
            ":account": filter.account,
            ":now": sql_millis(now),
            // One more than asked for tells whether there is a next page.
            ":limit": i64::from(filter.limit).saturating_add(1),
        },
        |row| Ok((key(row)?, row.get::<_, i64>("number")?)),
    )?;
    let mut rows: Vec<(Key, i64)> = rows.collect::<Result<_, _>>()?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().map(|&(_, number)| number);
    Ok(Page {
        keys: rows.into_iter().map(|(key, _)| key).collect(),
        next: last.filter(|_| more),
    })
}

/// Reads a row of [`COLUMNS`].
pub(super) fn key(row: &Row<'_>) -> rusqlite::Result<Key> {
    let revoked = millis(row, 9)?.map(|at| row.get(10).map(|reason| Revocation { at, reason }));
    Ok(Key {
        id: row.get(0)?,
        start: row.get(1)?,
        attributes: attributes(row)?,
        created_at: millis(row, 7)?.ok_or_else(|| corrupt(7, "no time"))?,
        revoked: revoked.transpose()?,
    })
}

fn attributes(row: &Row<'_>) -> rusqlite::Result<Attributes> {
    let metadata = RawValue::from_string(row.get(5)?).map_err(|error| corrupt(5, error))?;
    let ranges: Vec<_> = from_json(row, 6)?;
    Ok(Attributes {
        account: row.get(2)?,
        name: row.get(3)?,
        scopes: from_json(row, 4)?,
        metadata: Some(metadata),
        allowed_ips: ranges.into_iter().map(address::canonical).collect(),
        expires_at: millis(row, 8)?,
        allowed_referrers: from_json(row, 11)?,
    })
}

pub(super) fn hash(row: &Row<'_>, column: usize) -> rusqlite::Result<KeyHash> {
    row.get(column).map(KeyHash)
}

/// SQLite's integers have a sign. Nothing later than the year 9999 gets here.
pub(super) fn sql_millis(at: UnixMillis) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

fn millis(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<UnixMillis>> {
    let stored: Option<i64> = row.get(column)?;
    let unsigned = |at| u64::try_from(at).map_err(|error| corrupt(column, error));
    stored
        .map(unsigned)
        .transpose()
        .map(|at| at.map(UnixMillis))
}

fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| corrupt(column, error))
}

fn corrupt(
    column: usize,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
