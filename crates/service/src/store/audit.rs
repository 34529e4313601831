//! The audit log as a table: written with each change, read in order.

use keygate_core::UnixMillis;
use keygate_core::text::hex;

use super::change::{Act, Stop};
use super::command::Outcome;
use super::keys::MAX_SCANNED;
use super::memo::Memo;
use super::row::signed;
use super::sql::{self, Each, Row, Sql, params};
use super::whose::Of;
use super::{Store, StoreError};
use crate::audit::{Digest, Entry, Line, START};
use crate::space::Spaces;

/// How many entries are kept.
const KEPT: i64 = 1_000_000;

/// Which entries to read.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only those after the one with this number.
    pub after: u64,
    /// At most this many.
    pub limit: u32,
    /// Only those of this key or token.
    pub target: Option<String>,
    /// Only those by this actor.
    pub actor: Option<String>,
    /// Only those of this kind.
    pub action: Option<String>,
    /// Only those about keys and tokens of these.
    pub spaces: Spaces,
}

/// Some entries, oldest first.
#[derive(Clone, Debug)]
pub struct AuditPage {
    /// The digest before the oldest entry that is kept.
    pub start: Digest,
    /// The entries; fewer than asked for, or none, does not mean that there are no more.
    pub lines: Vec<Line>,
    /// The number after which the next page starts, if there is one.
    pub next: Option<u64>,
}

impl Store {
    /// Reads entries.
    pub(crate) async fn audit(&self, filter: AuditFilter) -> Result<AuditPage, StoreError> {
        self.list_readers
            .read_long(move |transaction| page(transaction, &filter))
            .await
    }
}

/// No index helps the filters, so a page looks at [`MAX_SCANNED`] entries at most.
fn page(transaction: &Sql<'_>, filter: &AuditFilter) -> sql::Result<AuditPage> {
    let after = i64::try_from(filter.after).unwrap_or(i64::MAX);
    let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let text = format!(
        "SELECT seq, at, actor, action, target, account, detail, request_id, space, digest FROM \
         (SELECT * FROM audit WHERE seq > ?1 ORDER BY seq LIMIT {MAX_SCANNED}) AS scanned \
         WHERE (?3 IS NULL OR target = ?3) AND (?4 IS NULL OR actor = ?4) \
         AND (?5 IS NULL OR action = ?5) AND (?6 IS NULL OR space = ?6) ORDER BY seq LIMIT ?2"
    );
    let mut lines: Vec<Line> = transaction.all(
        &text,
        params![
            after,
            // One more than asked for tells whether there is a next page.
            i64::from(filter.limit).saturating_add(1),
            filter.target,
            filter.actor,
            filter.action,
            filter.spaces.name(),
        ],
        line,
    )?;
    let next = if lines.len() > limit {
        lines.truncate(limit);
        lines.last().map(|line| line.entry.seq)
    } else {
        // All of what was scanned. If that was as much as a page may scan, there may be more.
        transaction
            .optional(&format!(
                "SELECT seq FROM audit WHERE seq > ?1 ORDER BY seq LIMIT 1 OFFSET {MAX_SCANNED} - 1"
            ), params![after], |row| row.get::<i64>(0))?
            .map(i64::unsigned_abs)
    };
    let start = start(transaction)?;
    Ok(AuditPage { start, lines, next })
}

impl Act<'_> {
    /// Writes into the audit log what was done to a key or a token.
    pub(super) fn say<'a>(
        &self,
        action: &str,
        target: &str,
        of: impl Into<Of<'a>>,
        detail: Option<&str>,
    ) -> sql::Result<()> {
        let Of { account, space } = of.into();
        let said = Said {
            actor: &self.actor,
            action,
            target: Some(target),
            account,
            detail,
            request_id: self.request_id,
            space,
        };
        append(self.transaction, self.memo, &said, self.now)
    }

    /// Writes into the audit log what was done to no key.
    pub(super) fn note(&self, action: &str, detail: &str) -> Result<Outcome, Stop> {
        let said = Said {
            actor: &self.actor,
            action,
            target: None,
            account: None,
            detail: Some(detail),
            request_id: self.request_id,
            space: None,
        };
        append(self.transaction, self.memo, &said, self.now)?;
        Ok(Outcome::Done)
    }
}

/// What is said of a change.
struct Said<'a> {
    actor: &'a str,
    action: &'a str,
    target: Option<&'a str>,
    account: Option<&'a str>,
    detail: Option<&'a str>,
    request_id: Option<&'a str>,
    space: Option<&'a str>,
}

/// Writes an entry, in the transaction of what it is about.
fn append(transaction: &Sql<'_>, memo: &Memo, said: &Said<'_>, now: UnixMillis) -> sql::Result<()> {
    let (newest, before) = match memo.audit_end(transaction)? {
        Some(end) => end,
        None => (last_number(transaction)?, start(transaction)?),
    };
    let seq = newest.saturating_add(1);
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let entry = Entry {
        seq: seq.unsigned_abs(),
        at: now.to_string(),
        actor: said.actor.to_owned(),
        action: said.action.to_owned(),
        target: owned(said.target),
        account: owned(said.account),
        detail: owned(said.detail),
        request_id: owned(said.request_id),
        space: owned(said.space),
    };
    let digest = entry.digest(&before);
    memo.audited(seq, digest);
    transaction.later(
        "INSERT INTO audit \
         (seq, at, actor, action, target, account, detail, request_id, space, digest) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            seq,
            signed(now),
            said.actor,
            said.action,
            said.target,
            said.account,
            said.detail,
            said.request_id,
            said.space,
            digest,
        ],
    )?;
    match seq.saturating_sub(KEPT) {
        upto @ 1.. => forget(transaction, upto),
        _ => Ok(()),
    }
}

/// Deletes entries up to this one. The chain goes on after the last of them.
fn forget(transaction: &Sql<'_>, upto: i64) -> sql::Result<()> {
    transaction.later(
        "INSERT INTO audit_start (number, digest) \
             SELECT 1, digest FROM audit WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1 \
             ON CONFLICT (number) DO UPDATE SET digest = excluded.digest",
        params![upto],
    )?;
    transaction.later("DELETE FROM audit WHERE seq <= ?1", params![upto])
}

/// The digest before the oldest entry that is kept.
fn start(transaction: &Sql<'_>) -> sql::Result<Digest> {
    let digest = transaction.optional("SELECT digest FROM audit_start", params![], |row| {
        row.get(0)
    })?;
    Ok(digest.unwrap_or(START))
}

/// The number of the last entry that there was.
fn last_number(transaction: &Sql<'_>) -> sql::Result<i64> {
    let last = transaction.optional(
        Each {
            sqlite: "SELECT seq FROM sqlite_sequence WHERE name = 'audit'",
            postgres: "SELECT audited FROM head",
        },
        params![],
        |row| row.get(0),
    )?;
    Ok(last.unwrap_or(0))
}

fn line(row: &Row<'_>) -> sql::Result<Line> {
    let at = u64::try_from(row.get::<i64>(1)?).unwrap_or(0);
    Ok(Line {
        entry: Entry {
            seq: row.get::<i64>(0)?.unsigned_abs(),
            at: UnixMillis(at).to_string(),
            actor: row.get(2)?,
            action: row.get(3)?,
            target: row.get(4)?,
            account: row.get(5)?,
            detail: row.get(6)?,
            request_id: row.get(7)?,
            space: row.get(8)?,
        },
        digest: hex::encode(&row.get::<Digest>(9)?),
    })
}
