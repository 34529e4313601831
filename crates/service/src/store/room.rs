//! How many keys an account has in a space.

use keygate_core::UnixMillis;

use super::row::signed;
use super::sql::{self, Sql, params};
use crate::attributes::Attributes;

/// Whether the account of these attributes may have so many more keys in their space. A key that was replaced does not count for as
/// long as the key in its place does: so an account has at most twice as many.
pub(super) fn has_room(
    transaction: &Sql<'_>,
    of: &Attributes,
    more: u32,
    most: u32,
    now: UnixMillis,
) -> sql::Result<bool> {
    let counted: u32 = transaction.one(
        "SELECT count(*) FROM (SELECT 1 FROM keys AS own \
             LEFT JOIN keys AS next ON next.id = own.replaced_by \
             WHERE own.account = ?1 AND own.space = ?4 AND own.revoked_at IS NULL \
             AND coalesce(own.expires_at, 9223372036854775807) > ?2 \
             AND (next.id IS NULL OR next.replaced_by IS NOT NULL \
             OR next.revoked_at IS NOT NULL OR next.expires_at <= ?2) LIMIT ?3) AS counted",
        params![of.account, signed(now), most, of.space.as_str()],
        |row| row.get(0),
    )?;
    Ok(counted.saturating_add(more) <= most)
}
