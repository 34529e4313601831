//! Keys that ended long ago are deleted, if the operator says so. Their entries in the audit log stay.

use keygate_core::{Millis, UnixMillis};

use super::change::{Act, Stop};
use super::command::{Command, Outcome};
use super::row::signed;
use super::sql::{self, params};
use super::whose::Of;
use super::{Store, StoreError};
use crate::rights::Caller;

/// Most keys that one transaction deletes.
const DELETED: u32 = 100;

/// For so long after a jump of the clock nothing is deleted: a key that seems to have ended long
/// ago may be alive. An operator has this time to set the clock.
const WATCHED: Millis = Millis::from_secs(24 * 3600);

/// A longer time between two looks is a jump, or the service was down.
const JUMP: Millis = Millis::from_secs(2 * 3600);

impl Store {
    /// Deletes keys that ended more than `kept` ago. There may be more of them.
    pub(crate) async fn delete_ended(
        &self,
        kept: Millis,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let command = Command::DeleteEnded { kept };
        match self.write(command, Caller::Service, now).await? {
            Outcome::Deleted { more } => Ok(more),
            other => Err(other.unexpected()),
        }
    }
}

impl Act<'_> {
    /// Deletes keys that ended more than `kept` ago, unless the clock has jumped of late.
    pub(super) fn delete_ended(&self, kept: Millis) -> Result<Outcome, Stop> {
        if !self.is_clock_steady()? {
            return Ok(Outcome::Deleted { more: false });
        }
        let before = signed(UnixMillis(self.now.0.saturating_sub(kept.0)));
        let mut count = 0;
        for ended in [
            "revoked_at < ?1",
            "revoked_at IS NULL AND expires_at IS NOT NULL AND expires_at < ?1",
        ] {
            let keys: Vec<(i64, String, String, String)> = self.transaction.all(
                &format!(
                    "SELECT number, id, account, space FROM keys WHERE {ended} LIMIT {DELETED}"
                ),
                params![before],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )?;
            for (number, id, account, space) in &keys {
                self.transaction
                    .execute("DELETE FROM keys WHERE number = ?1", params![number])?;
                let of = Of {
                    account: Some(account),
                    space: Some(space),
                };
                self.say("key.delete", id, of, None)?;
            }
            count = keys.len().max(count);
        }
        let more = count == DELETED as usize;
        Ok(Outcome::Deleted { more })
    }

    /// Whether a look was taken about every hour, for a day.
    fn is_clock_steady(&self) -> sql::Result<bool> {
        let row: Option<(i64, i64)> =
            self.transaction
                .optional("SELECT last, since FROM retention", params![], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
        let now = signed(self.now);
        let is_jump = |last: i64| now.abs_diff(last) > JUMP.0;
        let since = match row {
            Some((last, since)) if !is_jump(last) => since,
            Some(_) | None => now,
        };
        self.transaction.execute(
            "INSERT INTO retention (\"only\", last, since) VALUES (1, ?1, ?2) \
                 ON CONFLICT (\"only\") DO UPDATE SET last = excluded.last, since = excluded.since",
            params![now, since],
        )?;
        Ok(now.saturating_sub(since) >= signed(UnixMillis(WATCHED.0)))
    }
}
