//! What the commands of one transaction have read or counted, so that the next one need not ask.

use std::cell::{Cell, OnceCell};

use keygate_core::UnixMillis;

use super::sql::{self, Each, Sql, params};
use crate::audit::Digest;

/// What one transaction knows.
#[derive(Debug, Default)]
pub(super) struct Memo {
    start: OnceCell<Start>,
    /// The number of the newest change, once there is one of this transaction.
    epoch: Cell<Option<i64>>,
    /// The number and the digest of the last entry of the audit log, likewise.
    audit_end: Cell<Option<(i64, Digest)>>,
}

/// How it was when the first command asked.
#[derive(Debug)]
struct Start {
    epoch: i64,
    newest_change: Option<UnixMillis>,
    audit_end: Option<(i64, Digest)>,
}

impl Memo {
    /// The time of the change that was the newest before this transaction.
    pub(super) fn newest_change(&self, transaction: &Sql<'_>) -> sql::Result<Option<UnixMillis>> {
        Ok(self.start(transaction)?.newest_change)
    }

    /// The number of the next change. Nothing else writes to the database meanwhile.
    pub(super) fn next_epoch(&self, transaction: &Sql<'_>) -> sql::Result<i64> {
        let newest = match self.epoch.get() {
            Some(newest) => newest,
            None => self.start(transaction)?.epoch,
        };
        let next = newest.saturating_add(1);
        self.epoch.set(Some(next));
        Ok(next)
    }

    /// The last entry of the audit log; `None` if it has none.
    pub(super) fn audit_end(&self, transaction: &Sql<'_>) -> sql::Result<Option<(i64, Digest)>> {
        match self.audit_end.get() {
            Some(end) => Ok(Some(end)),
            None => Ok(self.start(transaction)?.audit_end),
        }
    }

    /// Notes an entry of the audit log.
    pub(super) fn audited(&self, number: i64, digest: Digest) {
        self.audit_end.set(Some((number, digest)));
    }

    /// Writes what was counted, where the database does not count by itself. The last of a transaction.
    pub(super) fn end(&self, transaction: &Sql<'_>) -> sql::Result<()> {
        let audited = self.audit_end.get().map(|(number, _)| number);
        let epoch = self.epoch.get();
        match transaction {
            Sql::Postgres(_) if epoch.is_some() || audited.is_some() => transaction.later(
                "UPDATE head SET epoch = coalesce(?1, epoch), audited = coalesce(?2, audited)",
                params![epoch, audited],
            ),
            Sql::Postgres(_) | Sql::Sqlite(_) => Ok(()),
        }
    }

    fn start(&self, transaction: &Sql<'_>) -> sql::Result<&Start> {
        if let Some(start) = self.start.get() {
            return Ok(start);
        }
        let text = Each {
            sqlite: "SELECT 0, (SELECT at FROM changes ORDER BY changes.seq DESC LIMIT 1), \
                     last.seq, last.digest FROM (SELECT 1) LEFT JOIN \
                     (SELECT seq, digest FROM audit ORDER BY seq DESC LIMIT 1) AS last ON true",
            postgres: "SELECT epoch, (SELECT at FROM changes ORDER BY changes.seq DESC LIMIT 1), \
                       last.seq, last.digest FROM head LEFT JOIN \
                       (SELECT seq, digest FROM audit ORDER BY seq DESC LIMIT 1) AS last ON true",
        };
        let start = transaction.one(text, params![], |row| {
            let newest: Option<i64> = row.get(1)?;
            let (number, digest): (Option<i64>, Option<Digest>) = (row.get(2)?, row.get(3)?);
            Ok(Start {
                epoch: row.get(0)?,
                newest_change: newest.and_then(|at| u64::try_from(at).ok()).map(UnixMillis),
                audit_end: number.zip(digest),
            })
        })?;
        Ok(self.start.get_or_init(|| start))
    }
}
