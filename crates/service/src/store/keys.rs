//! Keys: insert, read, page.

use keygate_core::UnixMillis;
use keygate_core::keys::{KeyHash, KeyRingId};
use rusqlite::{OptionalExtension as _, ToSql, Transaction, named_params, params};

use super::cells::key;
use super::command::{Candidate, Import, Imported};
use super::feed::append;
use super::room::has_room;
use super::row::{self, COLUMNS, LAST_USE, WRITTEN, signed};
use super::{SqliteStore, StoreError};
use crate::key::{Key, NewKey, Standing};
use crate::limits::SpaceLimits;
use crate::space::Space;

/// Most rows that a page looks at. A filter that fits few of them has short pages, or empty ones.
pub(super) const MAX_SCANNED: u32 = 10_000;

/// Which keys to list.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only those of this account.
    pub account: Option<String>,
    /// Only those of this space.
    pub space: Option<Space>,
    /// Only those with this status now.
    pub standing: Option<Standing>,
    /// Only those that the key with this id asked for.
    pub created_by: Option<String>,
    /// Only those whose name begins so.
    pub name_prefix: Option<String>,
    /// Only those with this label.
    pub label: Option<String>,
    /// Only those that end before this.
    pub expires_before: Option<UnixMillis>,
    /// Only those that were neither created nor used since.
    pub unused_since: Option<UnixMillis>,
    /// Only those that depend on this master secret.
    pub secret: Option<SecretOf>,
    /// Only those older than the key with this number: [`Page::next`] of the page before.
    pub before: Option<i64>,
    /// At most this many.
    pub limit: u32,
}

/// Which master secret keys depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretOf {
    /// The one with this id.
    Known(KeyRingId),
    /// It was not noted.
    Unknown,
}

impl Filter {
    /// Whether it lets keys of every account, space, creator, name, label and secret pass.
    pub(crate) fn is_open(&self) -> bool {
        self.account.is_none()
            && self.space.is_none()
            && self.created_by.is_none()
            && self.name_prefix.is_none()
            && self.label.is_none()
            && self.secret.is_none()
    }
}

/// Some keys, newest first.
#[derive(Clone, Debug)]
pub struct Page {
    /// The keys; fewer than asked for, or none, does not mean that there are no more.
    pub keys: Vec<Key>,
    /// Where the next page starts, if there is one.
    pub next: Option<i64>,
}

impl SqliteStore {
    /// Of some keys from elsewhere, those that are there.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn find(&self, keys: Vec<Import>) -> Result<Vec<Imported>, StoreError> {
        let found = move |transaction: &Transaction<'_>| {
            let keys = keys.iter();
            keys.map(|it| {
                let key = existing(transaction, it.hashes())?;
                Ok(key.map_or(Imported::Absent, |key| Imported::Exists(Box::new(key))))
            })
            .collect()
        };
        self.readers.read_long(found).await
    }

    /// The key that is stored under one of these hashes.
    pub(crate) async fn key_of(&self, candidates: Vec<KeyHash>) -> Result<Option<Key>, StoreError> {
        self.readers
            .read(move |transaction| existing(transaction, &candidates))
            .await
    }

    /// The key with this id.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn key(&self, id: String) -> Result<Option<Key>, StoreError> {
        self.readers
            .read(move |transaction| by_id(transaction, &id))
            .await
    }

    /// One page of keys, with their status at `now`.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn page(&self, filter: Filter, now: UnixMillis) -> Result<Page, StoreError> {
        self.list_readers
            .read_long(move |transaction| page(transaction, &filter, now))
            .await
    }
}

/// Stores those of some keys that are not there yet.
pub(super) fn import(
    transaction: &Transaction<'_>,
    keys: &[Import],
    limits: &SpaceLimits,
    now: UnixMillis,
) -> rusqlite::Result<Vec<Imported>> {
    let import = |import: &Import| {
        if let Some(key) = existing(transaction, import.hashes())? {
            return Ok(Imported::Exists(Box::new(key)));
        }
        let attributes = &import.new.attributes;
        if let Some(most) = limits.of(&attributes.space).active_keys_per_account
            && !has_room(transaction, attributes, 1, most, now)?
        {
            return Ok(Imported::Full);
        }
        match insert(transaction, &import.new, now)? {
            true => Ok(Imported::New(import.new.id.clone())),
            // Its hash is none that exists, so that its id is: one in 62 to the tenth.
            false => Err(rusqlite::Error::StatementChangedRows(0)),
        }
    };
    keys.iter().map(import).collect()
}

/// Stores a key; `false` when its id or its hash exists already.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    new: &NewKey,
    now: UnixMillis,
) -> rusqlite::Result<bool> {
    let cells = row::new(new, now);
    let mut statement = transaction.prepare_cached(&format!(
        "INSERT INTO keys (hash, {WRITTEN}) VALUES (?{}) ON CONFLICT DO NOTHING",
        ", ?".repeat(cells.len()),
    ))?;
    let hash = &new.hash.0[..];
    let mut values: Vec<&dyn ToSql> = vec![&hash];
    values.extend(cells.iter().map(|cell| cell as &dyn ToSql));
    let stored = statement.execute(&*values)?;
    if stored == 0 {
        return Ok(false);
    }
    // An edge that was asked about this key too early remembers that it is unknown.
    append(transaction, new.hash, new.attributes.space.as_str(), now)?;
    Ok(true)
}

impl Import {
    fn hashes(&self) -> impl Iterator<Item = &KeyHash> {
        self.candidates.iter().map(|it| &it.hash)
    }
}

/// Notes which master secret a key depends on that was imported before this was noted.
pub(super) fn note_secret(transaction: &Transaction<'_>, import: &Import) -> rusqlite::Result<()> {
    let mut statement = transaction
        .prepare_cached("UPDATE keys SET secret_id = ?2 WHERE hash = ?1 AND secret_id IS NULL")?;
    for Candidate { hash, secret_id } in &import.candidates {
        statement.execute(params![&hash.0[..], secret_id.to_string()])?;
    }
    Ok(())
}

/// The key that is stored under one of these hashes.
pub(super) fn existing<'a>(
    transaction: &Transaction<'_>,
    candidates: impl IntoIterator<Item = &'a KeyHash>,
) -> rusqlite::Result<Option<Key>> {
    let mut statement = transaction.prepare_cached(&format!(
        "SELECT {LAST_USE}, {COLUMNS} FROM keys WHERE hash = ?1"
    ))?;
    for hash in candidates {
        if let Some(key) = statement.query_row([&hash.0[..]], key).optional()? {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// The key with this id.
pub(super) fn by_id(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<Option<Key>> {
    transaction
        .prepare_cached(&format!(
            "SELECT {LAST_USE}, {COLUMNS} FROM keys WHERE id = ?1"
        ))?
        .query_row([id], key)
        .optional()
}

/// The clauses are put together, since SQLite uses no index for `(?1 IS NULL OR account = ?1)`.
fn page(transaction: &Transaction<'_>, filter: &Filter, now: UnixMillis) -> rusqlite::Result<Page> {
    // An index gives the rows in their order, so that as many are read as are scanned.
    let (indexed, value) = match (&filter.account, &filter.space) {
        (Some(account), _) => ("account = :indexed", Some(account.as_str())),
        (None, Some(space)) => ("space = :indexed", Some(space.as_str())),
        (None, None) => (":indexed IS NULL", None),
    };
    let space = match filter.space {
        Some(_) => "space = :space",
        None => ":space IS NULL",
    };
    let standing = match filter.standing {
        None => ":now > 0",
        Some(Standing::Active) => {
            "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now) \
             AND disabled_by IS NULL"
        }
        Some(Standing::Disabled) => {
            "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now) \
             AND disabled_by IS NOT NULL"
        }
        Some(Standing::Expired) => "revoked_at IS NULL AND expires_at <= :now",
        Some(Standing::Revoked) => "revoked_at IS NOT NULL AND :now > 0",
    };
    let created_by = match filter.created_by {
        Some(_) => "created_by = :created_by",
        None => ":created_by IS NULL",
    };
    let name = match filter.name_prefix {
        Some(_) => "substr(name, 1, length(:name_prefix)) = :name_prefix",
        None => ":name_prefix IS NULL",
    };
    // A label has no quotes, so that in the JSON of a list only a whole one is in quotes.
    let label = match filter.label {
        Some(_) => "instr(labels, '\"' || :label || '\"') > 0",
        None => ":label IS NULL",
    };
    let end = match filter.expires_before {
        Some(_) => "expires_at < :expires_before",
        None => ":expires_before IS NULL",
    };
    let unused = match filter.unused_since {
        Some(_) => {
            "created_at < :unused_since AND NOT EXISTS (SELECT 1 FROM key_uses \
             WHERE key_uses.number = keys.number AND last_used_at >= :unused_since)"
        }
        None => ":unused_since IS NULL",
    };
    let (secret, secret_id) = match filter.secret {
        Some(SecretOf::Known(id)) => ("secret_id = :secret_id", Some(id.to_string())),
        Some(SecretOf::Unknown) => ("secret_id IS NULL AND :secret_id IS NULL", None),
        None => (":secret_id IS NULL", None),
    };
    let mut statement = transaction.prepare_cached(&format!(
        "SELECT {LAST_USE}, {COLUMNS}, number FROM \
         (SELECT * FROM keys WHERE number < :before AND {indexed} \
          ORDER BY number DESC LIMIT {MAX_SCANNED}) AS keys \
         WHERE {space} AND {standing} AND {created_by} AND {name} AND {label} AND {end} AND {unused} \
         AND {secret} \
         ORDER BY number DESC LIMIT :limit"
    ))?;
    let before = filter.before.unwrap_or(i64::MAX);
    let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let rows = statement.query_map(
        named_params! {
            ":before": before,
            ":indexed": value,
            ":space": filter.space.as_ref().map(Space::as_str),
            ":now": signed(now),
            ":created_by": filter.created_by,
            ":name_prefix": filter.name_prefix,
            ":label": filter.label,
            ":expires_before": filter.expires_before.map(signed),
            ":unused_since": filter.unused_since.map(signed),
            ":secret_id": secret_id,
            // One more than asked for tells whether there is a next page.
            ":limit": i64::from(filter.limit).saturating_add(1),
        },
        |row| Ok((key(row)?, row.get::<_, i64>("number")?)),
    )?;
    let mut rows: Vec<(Key, i64)> = rows.collect::<Result<_, _>>()?;
    let next = if rows.len() > limit {
        rows.truncate(limit);
        rows.last().map(|&(_, number)| number)
    } else {
        // All of what was scanned. If that was as much as a page may scan, there may be more.
        transaction
            .prepare_cached(&format!(
                "SELECT number FROM keys WHERE number < :before AND {indexed} \
                 ORDER BY number DESC LIMIT 1 OFFSET {MAX_SCANNED} - 1"
            ))?
            .query_row(
                named_params! { ":before": before, ":indexed": value },
                |row| row.get(0),
            )
            .optional()?
    };
    Ok(Page {
        keys: rows.into_iter().map(|(key, _)| key).collect(),
        next,
    })
}
