//! Tokens: create, read, revoke.

use keygate_core::UnixMillis;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::change::{Act, Stop};
use super::command::{Command, Outcome, Rejection};
use super::row::signed;
use super::{SqliteStore, StoreError};
use crate::rights::Caller;
use crate::roles::Role;
use crate::tokens::{CreatedTokens, Entitled, Entitlements, NewToken, Token};

/// Most tokens that count at once.
const MAX_TOKENS: u32 = 1000;

const COLUMNS: &str = "id, name, role, created_at, expires_at, revoked_at";

/// Whether a token counts at the time `?1`.
const COUNTS: &str = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?1)";

impl SqliteStore {
    /// The tokens that count.
    pub(crate) fn tokens(&self) -> &CreatedTokens {
        &self.tokens
    }

    /// Stores a token, which counts when this returns.
    pub(crate) async fn create_token(
        &self,
        new: NewToken,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Token, StoreError> {
        let new = Box::new(new);
        let command = Command::CreateToken { new };
        self.change_token(command, caller, now).await
    }

    /// Revokes a token, which does not count any more when this returns.
    pub(crate) async fn revoke_token(
        &self,
        id: String,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Token, StoreError> {
        self.change_token(Command::RevokeToken { id }, caller, now)
            .await
    }

    /// All tokens, newest first.
    pub(crate) async fn list_tokens(&self) -> Result<Vec<Token>, StoreError> {
        let list = |transaction: &Transaction<'_>| {
            let all = format!("SELECT {COLUMNS} FROM tokens ORDER BY number DESC");
            let mut statement = transaction.prepare_cached(&all)?;
            let rows = statement.query_map([], token)?;
            rows.collect()
        };
        self.readers.read(list).await
    }

    async fn change_token(
        &self,
        command: Command,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Token, StoreError> {
        match self.write(command, caller, now).await? {
            Outcome::Token(token) => Ok(token),
            other => Err(other.unexpected()),
        }
    }
}

/// What counts `now`, by its digest. Some of it may expire later.
pub(super) fn counting(connection: &Connection, now: UnixMillis) -> rusqlite::Result<Entitlements> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT digest, id, role, expires_at FROM tokens WHERE {COUNTS}"
    ))?;
    let rows = statement.query_map([signed(now)], |row| {
        let entitled = Entitled {
            id: row.get(1)?,
            role: role(row, 2)?,
            expires_at: time(row, 3)?,
        };
        Ok((row.get(0)?, entitled))
    })?;
    rows.collect()
}

/// The role of the token with this id, if it counts `now`.
pub(super) fn role_of(
    transaction: &Transaction<'_>,
    id: &str,
    now: UnixMillis,
) -> rusqlite::Result<Option<Role>> {
    transaction
        .prepare_cached(&format!(
            "SELECT role FROM tokens WHERE {COUNTS} AND id = ?2"
        ))?
        .query_row(params![signed(now), id], |row| role(row, 0))
        .optional()
}

pub(super) fn create(act: &Act<'_>, new: &NewToken) -> Result<Outcome, Stop> {
    let (transaction, now) = (act.transaction, act.now);
    let counting: u32 = transaction.query_row(
        &format!("SELECT count(*) FROM tokens WHERE {COUNTS}"),
        [signed(now)],
        |row| row.get(0),
    )?;
    if counting >= MAX_TOKENS {
        return Err(Rejection::TooManyTokens.into());
    }
    transaction
        .prepare_cached(
            "INSERT INTO tokens (id, digest, name, role, created_at, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            new.id,
            &new.digest[..],
            new.name,
            new.role.word(),
            signed(now),
            new.expires_at.map(signed),
        ])?;
    act.say("token.create", &new.id, None, Some(new.role.word()))?;
    by_id(transaction, &new.id)
}

pub(super) fn revoke(act: &Act<'_>, id: &str) -> Result<Outcome, Stop> {
    let (transaction, now) = (act.transaction, act.now);
    let revoked = transaction
        .prepare_cached("UPDATE tokens SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL")?
        .execute(params![id, signed(now)])?;
    if revoked > 0 {
        act.say("token.revoke", id, None, None)?;
    }
    by_id(transaction, id)
}

fn by_id(transaction: &Transaction<'_>, id: &str) -> Result<Outcome, Stop> {
    let token = transaction
        .prepare_cached(&format!("SELECT {COLUMNS} FROM tokens WHERE id = ?1"))?
        .query_row([id], token)
        .optional()?;
    token
        .map(Outcome::Token)
        .ok_or_else(|| Rejection::NoSuchToken.into())
}

fn token(row: &Row<'_>) -> rusqlite::Result<Token> {
    Ok(Token {
        id: row.get(0)?,
        name: row.get(1)?,
        role: role(row, 2)?,
        created_at: time(row, 3)?.unwrap_or(UnixMillis(0)),
        expires_at: time(row, 4)?,
        revoked_at: time(row, 5)?,
    })
}

fn role(row: &Row<'_>, column: usize) -> rusqlite::Result<Role> {
    let unknown = || {
        let reason = "the column role holds no role".into();
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, reason)
    };
    Role::parse(&row.get::<_, String>(column)?).ok_or_else(unknown)
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<UnixMillis>> {
    let at: Option<i64> = row.get(column)?;
    Ok(at.and_then(|at| u64::try_from(at).ok()).map(UnixMillis))
}
