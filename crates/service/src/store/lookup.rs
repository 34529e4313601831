//! Lookups of keys by their hashes. What one answers goes with an epoch of the feed, so that an edge
//! never takes an older record for a newer one.

use std::sync::LazyLock;

use keygate_core::keys::KeyHash;
use keygate_core::keys::wire::{Incarnation, LookupResponse, Record, Status, Want};

use super::cells::key;
use super::feed::epoch;
use super::row::COLUMNS;
use super::sql::{self, Class, Row, Sql, SqlError, ToValue as _, Value, params};
use super::{Store, StoreError};
use crate::space::Spaces;

/// So many keys are looked up at once: their pages may have to come from the disk.
const FEW: usize = 8;

/// What finds keys by their hashes: with what an edge asks for. Most edges do not ask for what is
/// sealed, which is up to 2.9 kB.
static LOOKUP: LazyLock<Lookup> = LazyLock::new(|| Lookup::new("NULL"));

static LOOKUP_WITH_SEALED: LazyLock<Lookup> = LazyLock::new(|| Lookup::new("keys.sealed"));

/// The same question in the words of each database.
struct Lookup {
    /// One hash, and no row for one that is unknown.
    sqlite: String,
    /// All hashes, and at least one row: a round trip costs more than anything else.
    postgres: String,
}

impl Lookup {
    fn new(sealed: &str) -> Self {
        let epoch = "(SELECT coalesce(max(seq), 0) FROM changes) AS epoch";
        // No edge asks when a key was last used.
        let columns = format!("NULL AS last_used_at, {COLUMNS}, {sealed} AS data");
        Self {
            sqlite: format!(
                "SELECT {columns}, {epoch} FROM keys \
                 WHERE hash = ?1 AND (?2 IS NULL OR space = ?2)"
            ),
            postgres: format!(
                "SELECT {columns}, epoch, hash, \
                 (SELECT id FROM incarnations ORDER BY number DESC LIMIT 1) AS incarnation \
                 FROM head LEFT JOIN keys ON hash = ANY (?1) AND (?2 IS NULL OR space = ?2)"
            ),
        }
    }

    fn of(want: &[Want]) -> &'static Self {
        match want.contains(&Want::Sealed) {
            true => &LOOKUP_WITH_SEALED,
            false => &LOOKUP,
        }
    }
}

impl Store {
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
        let found = if self.is_shared() {
            self.gathered.lookup(&self.readers, asked).await?
        } else if asked.hashes.len() <= FEW {
            self.readers.read_each(move |sql| asked.few(sql)).await?
        } else {
            self.readers.read_long(move |sql| asked.each(sql)).await?
        };
        Ok(LookupResponse {
            incarnation: found.incarnation.unwrap_or(incarnation),
            epoch: found.epoch,
            records: found.records,
        })
    }
}

/// What a lookup found, and the state in which it did; the incarnation where it was read as well.
pub(super) struct Found {
    pub(super) incarnation: Option<Incarnation>,
    pub(super) epoch: u64,
    pub(super) records: Vec<Record>,
}

/// What a lookup asks for.
pub(super) struct Asked {
    pub(super) spaces: Spaces,
    pub(super) hashes: Vec<KeyHash>,
    pub(super) want: Vec<Want>,
}

impl Asked {
    /// A single key that is known is read by a single statement, which costs less than a transaction.
    fn few(&self, sql: &Sql<'_>) -> sql::Result<Found> {
        if let &[hash] = &self.hashes[..] {
            let space = self.spaces.name();
            let text = &Lookup::of(&self.want).sqlite;
            let found = sql.optional(text, params![hash, space], |row| {
                let epoch: i64 = row.get("epoch")?;
                Ok(Found {
                    incarnation: None,
                    epoch: epoch.unsigned_abs(),
                    records: vec![record(hash, row)?],
                })
            });
            if let Some(found) = found? {
                return Ok(found);
            }
        }
        sql.within(|transaction| self.each(transaction))
    }

    fn each(&self, transaction: &Sql<'_>) -> sql::Result<Found> {
        let text = &Lookup::of(&self.want).sqlite;
        let space = self.spaces.name();
        let mut records = Vec::new();
        for &hash in &self.hashes {
            let values = params![hash, space];
            records.extend(transaction.optional(text, values, |row| record(hash, row))?);
        }
        Ok(Found {
            incarnation: None,
            epoch: epoch(transaction)?,
            records,
        })
    }
}

/// Looks up hashes in one statement, which is a transaction of its own and sees one state.
pub(super) fn at_once(
    sql: &Sql<'_>,
    space: Option<&str>,
    want: &[Want],
    hashes: &[KeyHash],
) -> sql::Result<Found> {
    let text = &Lookup::of(want).postgres;
    let hashes: Vec<&[u8]> = hashes.iter().map(|hash| &hash.0[..]).collect();
    let values = [Value::Blobs(&hashes), space.to_value()];
    let mut found = Found {
        incarnation: None,
        epoch: 0,
        records: Vec::new(),
    };
    let read: Vec<()> = sql.all(text, &values, |row| {
        found.incarnation = Some(Incarnation(row.get("incarnation")?));
        found.epoch = row.get::<i64>("epoch")?.unsigned_abs();
        if let Some(hash) = row.get("hash")? {
            found.records.push(record(hash, row)?);
        }
        Ok(())
    })?;
    match read.is_empty() {
        true => Err(SqlError::new(Class::Corrupt, "the table head is empty")),
        false => Ok(found),
    }
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
