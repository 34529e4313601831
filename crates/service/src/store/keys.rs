//! Keys: insert, read, page.

use std::fmt;

use keygate_core::UnixMillis;
use keygate_core::keys::{KeyHash, KeyRingId};

use super::cells::key;
use super::command::{Candidate, Import, Imported};
use super::feed::append;
use super::memo::Memo;
use super::room::has_room;
use super::row::{self, COLUMNS, LAST_USE, WRITTEN, signed};
use super::sql::{self, Sql, SqlError, ToValue, Value, params};
use super::{Store, StoreError};
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

impl Store {
    /// Of some keys from elsewhere, those that are there.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn find(&self, keys: Vec<Import>) -> Result<Vec<Imported>, StoreError> {
        let found = move |transaction: &Sql<'_>| {
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
    transaction: &Sql<'_>,
    memo: &Memo,
    keys: &[Import],
    limits: &SpaceLimits,
    now: UnixMillis,
) -> sql::Result<Vec<Imported>> {
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
        match insert(transaction, memo, &import.new, now)? {
            Some(key) => Ok(Imported::New(key.id)),
            // Its hash is none that exists, so that its id is: one in 62 to the tenth.
            None => Err(SqlError::other("an id exists already")),
        }
    };
    keys.iter().map(import).collect()
}

/// Stores a key, and returns it as it is then; `None` when its id or its hash exists already.
pub(super) fn insert(
    transaction: &Sql<'_>,
    memo: &Memo,
    new: &NewKey,
    now: UnixMillis,
) -> sql::Result<Option<Key>> {
    let cells = row::new(new, now);
    let text = format!(
        "INSERT INTO keys (hash, {WRITTEN}) VALUES (?{}) ON CONFLICT DO NOTHING \
         RETURNING NULL AS last_used_at, {COLUMNS}",
        ", ?".repeat(cells.len()),
    );
    let mut values = vec![new.hash.to_value()];
    values.extend(cells.iter().map(ToValue::to_value));
    let stored = transaction.optional(&text, &values, key)?;
    if stored.is_some() {
        // An edge that was asked about this key too early remembers that it is unknown.
        let space = new.attributes.space.as_str();
        append(transaction, memo, new.hash, space, now)?;
    }
    Ok(stored)
}

impl Import {
    fn hashes(&self) -> impl Iterator<Item = &KeyHash> {
        self.candidates.iter().map(|it| &it.hash)
    }
}

/// Notes which master secret a key depends on that was imported before this was noted.
pub(super) fn note_secret(transaction: &Sql<'_>, import: &Import) -> sql::Result<()> {
    for Candidate { hash, secret_id } in &import.candidates {
        transaction.execute(
            "UPDATE keys SET secret_id = ?2 WHERE hash = ?1 AND secret_id IS NULL",
            params![hash, secret_id.to_string()],
        )?;
    }
    Ok(())
}

/// The key that is stored under one of these hashes.
pub(super) fn existing<'a>(
    transaction: &Sql<'_>,
    candidates: impl IntoIterator<Item = &'a KeyHash>,
) -> sql::Result<Option<Key>> {
    let text = format!("SELECT {LAST_USE}, {COLUMNS} FROM keys WHERE hash = ?1");
    for hash in candidates {
        if let Some(key) = transaction.optional(&text, params![hash], key)? {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// The key with this id.
pub(super) fn by_id(transaction: &Sql<'_>, id: &str) -> sql::Result<Option<Key>> {
    transaction.optional(
        &format!("SELECT {LAST_USE}, {COLUMNS} FROM keys WHERE id = ?1"),
        params![id],
        key,
    )
}

/// The clauses are put together, since no database uses an index for `(?1 IS NULL OR account = ?1)`.
fn page(transaction: &Sql<'_>, filter: &Filter, now: UnixMillis) -> sql::Result<Page> {
    let before = filter.before.unwrap_or(i64::MAX);
    let mut scanned = Clauses::default();
    scanned.add(|mark| format!("number < {mark}"), before.to_value());
    // An index gives the rows in their order, so that as many are read as are scanned.
    match (&filter.account, &filter.space) {
        (Some(account), _) => scanned.equal("account", account.to_value()),
        (None, Some(space)) => scanned.equal("space", Value::Text(space.as_str())),
        (None, None) => {}
    }
    let secret_id = match filter.secret {
        Some(SecretOf::Known(id)) => Some(id.to_string()),
        Some(SecretOf::Unknown) | None => None,
    };
    let secret_id = secret_id.as_deref();
    let fits = Clauses::of(filter, secret_id, signed(now), scanned.values.clone());
    // One more than asked for tells whether there is a next page.
    let most = i64::from(filter.limit).saturating_add(1);
    let scan = format!("FROM keys WHERE {scanned} ORDER BY number DESC");
    let mut rows: Vec<(Key, i64)> = transaction.all(
        &format!(
            "SELECT {LAST_USE}, {COLUMNS}, number FROM \
             (SELECT * {scan} LIMIT {MAX_SCANNED}) AS keys \
             WHERE {fits} ORDER BY number DESC LIMIT {most}"
        ),
        &fits.values,
        |row| Ok((key(row)?, row.get("number")?)),
    )?;
    let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let next = if rows.len() > limit {
        rows.truncate(limit);
        rows.last().map(|&(_, number)| number)
    } else {
        // All of what was scanned. If that was as much as a page may scan, there may be more.
        transaction.optional(
            &format!("SELECT number {scan} LIMIT 1 OFFSET {MAX_SCANNED} - 1"),
            &scanned.values,
            |row| row.get(0),
        )?
    };
    Ok(Page {
        keys: rows.into_iter().map(|(key, _)| key).collect(),
        next,
    })
}

/// Conditions, all of which a row fits, and the values that they name.
#[derive(Default)]
struct Clauses<'a> {
    clauses: Vec<String>,
    values: Vec<Value<'a>>,
}

impl<'a> Clauses<'a> {
    /// The conditions of a filter. The marks of its values follow those of `values`.
    fn of(
        filter: &'a Filter,
        secret_id: Option<&'a str>,
        now: i64,
        values: Vec<Value<'a>>,
    ) -> Self {
        let mut all = Self {
            clauses: vec!["true".to_owned()],
            values,
        };
        if let Some(space) = &filter.space {
            all.equal("space", Value::Text(space.as_str()));
        }
        let is_alive = |mark: &str| {
            format!("revoked_at IS NULL AND (expires_at IS NULL OR expires_at > {mark})")
        };
        let now = Value::Integer(now);
        match filter.standing {
            None => {}
            Some(Standing::Active) => {
                all.add(
                    |mark: &str| format!("{} AND disabled_by IS NULL", is_alive(mark)),
                    now,
                );
            }
            Some(Standing::Disabled) => {
                all.add(
                    |mark: &str| format!("{} AND disabled_by IS NOT NULL", is_alive(mark)),
                    now,
                );
            }
            Some(Standing::Expired) => {
                all.add(
                    |mark: &str| format!("revoked_at IS NULL AND expires_at <= {mark}"),
                    now,
                );
            }
            Some(Standing::Revoked) => all.clauses.push("revoked_at IS NOT NULL".to_owned()),
        }
        if let Some(creator) = &filter.created_by {
            all.equal("created_by", creator.to_value());
        }
        if let Some(prefix) = &filter.name_prefix {
            let starts = |mark: &str| format!("substr(name, 1, length({mark})) = {mark}");
            all.add(starts, prefix.to_value());
        }
        if let Some(label) = &filter.label {
            // A label has no quotes, so that in the JSON of a list only a whole one is in quotes.
            let has = |mark: &str| format!("replace(labels, '\"' || {mark} || '\"', '') <> labels");
            all.add(has, label.to_value());
        }
        if let Some(end) = filter.expires_before {
            all.add(
                |mark: &str| format!("expires_at < {mark}"),
                Value::Integer(signed(end)),
            );
        }
        if let Some(since) = filter.unused_since {
            let unused = |mark: &str| {
                format!(
                    "created_at < {mark} AND NOT EXISTS (SELECT 1 FROM key_uses \
                     WHERE key_uses.number = keys.number AND last_used_at >= {mark})"
                )
            };
            all.add(unused, Value::Integer(signed(since)));
        }
        match (filter.secret, secret_id) {
            (Some(_), Some(id)) => all.equal("secret_id", Value::Text(id)),
            (Some(_), None) => all.clauses.push("secret_id IS NULL".to_owned()),
            (None, _) => {}
        }
        all
    }

    fn equal(&mut self, column: &str, value: Value<'a>) {
        self.add(|mark: &str| format!("{column} = {mark}"), value);
    }

    /// Adds a condition, which names its value by a mark.
    fn add(&mut self, clause: impl FnOnce(&str) -> String, value: Value<'a>) {
        self.values.push(value);
        self.clauses
            .push(clause(&format!("?{}", self.values.len())));
    }
}

impl fmt::Display for Clauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.clauses.join(" AND "))
    }
}
