//! What the commands of one transaction have read, so that the next one need not.

use std::cell::{Cell, OnceCell};

use keygate_core::UnixMillis;

use super::feed;
use super::sql::{self, Sql};
use crate::audit::Digest;

/// What one transaction has read.
#[derive(Debug, Default)]
pub(super) struct Memo {
    newest_change: OnceCell<Option<UnixMillis>>,
    /// The last entry of the audit log: its number and its digest.
    pub(super) audit_end: Cell<Option<(i64, Digest)>>,
}

impl Memo {
    /// The time of the change that was the newest when the first command asked.
    pub(super) fn newest_change(&self, transaction: &Sql<'_>) -> sql::Result<Option<UnixMillis>> {
        if let Some(known) = self.newest_change.get() {
            return Ok(*known);
        }
        let newest = feed::newest(transaction)?;
        Ok(*self.newest_change.get_or_init(|| newest))
    }
}
