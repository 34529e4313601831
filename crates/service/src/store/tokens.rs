//! Tokens: create, read, revoke.

use keygate_core::{Millis, UnixMillis};

use super::change::{Act, Stop};
use super::command::{Command, Outcome};
use super::rejection::Rejection;
use super::row::signed;
use super::sql::{self, Class, Each, Row, Sql, SqlError, params};
use super::{Store, StoreError};
use crate::rights::Caller;
use crate::roles::Role;
use crate::space::{Space, Spaces};
use crate::tokens::{CreatedTokens, Entitled, Entitlements, NewToken, Token};

/// Most tokens that count at once.
const MAX_TOKENS: u32 = 1000;

/// Most of one space that do, for a caller that is bound to it: it cannot use up those of others.
const MAX_TOKENS_OF_SPACE: u32 = 100;

/// How long a token that was revoked or has expired stays in the list.
const LISTED: Millis = Millis::from_secs(90 * 24 * 3600);

/// Most rows that a creation sweeps. Each adds one, so that they do not grow in number.
const SWEPT: u32 = 100;

const COLUMNS: &str = "id, name, role, created_at, expires_at, revoked_at, space";

/// Whether a token counts at the time `?1`.
const COUNTS: &str = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?1)";

impl Store {
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

    /// Tokens of these spaces, newest first: at most `limit`, older than the one with the number
    /// `before`.
    pub(crate) async fn page_of_tokens(
        &self,
        spaces: &Spaces,
        before: Option<i64>,
        limit: u32,
    ) -> Result<TokenPage, StoreError> {
        let spaces = spaces.clone();
        let page = move |transaction: &Sql<'_>| page(transaction, &spaces, before, limit);
        self.list_readers.read_long(page).await
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

/// Some tokens, newest first.
#[derive(Clone, Debug)]
pub(crate) struct TokenPage {
    pub(crate) tokens: Vec<Token>,
    /// Where the next page starts, if there is one.
    pub(crate) next: Option<i64>,
}

fn page(
    transaction: &Sql<'_>,
    spaces: &Spaces,
    before: Option<i64>,
    limit: u32,
) -> sql::Result<TokenPage> {
    let text = format!(
        "SELECT {COLUMNS}, number FROM tokens WHERE number < ?1 AND (?3 IS NULL OR space = ?3) \
         ORDER BY number DESC LIMIT ?2"
    );
    let mut rows: Vec<(Token, i64)> = transaction.all(
        &text,
        // One more than asked for tells whether there is a next page.
        params![
            before.unwrap_or(i64::MAX),
            i64::from(limit).saturating_add(1),
            spaces.name(),
        ],
        |row| Ok((token(row)?, row.get("number")?)),
    )?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_whole = rows.len() <= limit;
    rows.truncate(limit);
    let last = rows.last().map(|&(_, number)| number);
    Ok(TokenPage {
        tokens: rows.into_iter().map(|(token, _)| token).collect(),
        next: last.filter(|_| !is_whole),
    })
}

/// The edition of the tokens, and all of them.
pub(super) fn all(transaction: &Sql<'_>) -> sql::Result<(i64, Entitlements)> {
    let text = Each {
        // A file has one process, which knows of every change.
        sqlite: "SELECT 0",
        postgres: "SELECT tokens FROM head",
    };
    // Before the tokens, which may be newer than their edition then, but not older.
    let edition = transaction.one(text, params![], |row| row.get(0))?;
    Ok((edition, not_revoked(transaction)?))
}

/// Tells other replicas that tokens have changed.
pub(super) fn count_change(transaction: &Sql<'_>) -> sql::Result<()> {
    match transaction {
        Sql::Sqlite(_) => Ok(()),
        Sql::Postgres(_) => {
            let text = "UPDATE head SET tokens = tokens + 1";
            transaction.execute(text, params![]).map(drop)
        }
    }
}

/// All tokens that are not revoked, by their digests. Who asks for one looks at its end: the clock
/// may be wrong for a while, and a token must not be forgotten for that.
fn not_revoked(transaction: &Sql<'_>) -> sql::Result<Entitlements> {
    let text = "SELECT digest, id, role, expires_at, space FROM tokens WHERE revoked_at IS NULL";
    transaction.all(text, params![], |row| {
        let entitled = Entitled {
            id: row.get(1)?,
            role: role(row, 2)?,
            expires_at: time(row, 3)?,
            spaces: spaces(row, 4)?,
        };
        Ok((row.get(0)?, entitled))
    })
}

/// The role of the token with this id, if it counts `now`.
pub(super) fn role_of(
    transaction: &Sql<'_>,
    id: &str,
    now: UnixMillis,
) -> sql::Result<Option<Role>> {
    transaction.optional(
        &format!("SELECT role FROM tokens WHERE {COUNTS} AND id = ?2"),
        params![signed(now), id],
        |row| role(row, 0),
    )
}

pub(super) fn create(act: &Act<'_>, new: &NewToken) -> Result<Outcome, Stop> {
    let (transaction, now) = (act.transaction, act.now);
    if !act.rights.spaces().has_all(&new.spaces) {
        return Err(Rejection::WrongSpace.into());
    }
    // Of the caller's space, or of all.
    let space = act.rights.spaces().name();
    let counting: u32 = transaction.one(
        &format!("SELECT count(*) FROM tokens WHERE {COUNTS} AND (?2 IS NULL OR space = ?2)"),
        params![signed(now), space],
        |row| row.get(0),
    )?;
    let most = match space {
        Some(_) => MAX_TOKENS_OF_SPACE,
        None => MAX_TOKENS,
    };
    if counting >= most {
        return Err(Rejection::TooManyTokens.into());
    }
    let forgotten = signed(UnixMillis(now.0.saturating_sub(LISTED.0)));
    transaction.execute(
        "DELETE FROM tokens WHERE number IN \
             (SELECT number FROM tokens WHERE revoked_at <= ?1 OR expires_at <= ?1 LIMIT ?2)",
        params![forgotten, SWEPT],
    )?;
    transaction.execute(
        "INSERT INTO tokens (id, digest, name, role, created_at, expires_at, space) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            new.id,
            new.digest,
            new.name,
            new.role.word(),
            signed(now),
            new.expires_at.map(signed),
            new.spaces.name(),
        ],
    )?;
    act.say("token.create", &new.id, &new.spaces, Some(new.role.word()))?;
    own(act, &new.id).map(Outcome::Token)
}

pub(super) fn revoke(act: &Act<'_>, id: &str) -> Result<Outcome, Stop> {
    let spaces = own(act, id)?.spaces;
    let revoked = act.transaction.execute(
        "UPDATE tokens SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
        params![id, signed(act.now)],
    )?;
    if revoked > 0 {
        act.say("token.revoke", id, &spaces, None)?;
    }
    own(act, id).map(Outcome::Token)
}

/// The token with this id, if the caller may see it.
fn own(act: &Act<'_>, id: &str) -> Result<Token, Stop> {
    let token = act.transaction.optional(
        &format!("SELECT {COLUMNS} FROM tokens WHERE id = ?1"),
        params![id],
        token,
    )?;
    let own = token.filter(|token| act.rights.spaces().has_all(&token.spaces));
    own.ok_or_else(|| Rejection::NoSuchToken.into())
}

fn token(row: &Row<'_>) -> sql::Result<Token> {
    Ok(Token {
        id: row.get(0)?,
        name: row.get(1)?,
        role: role(row, 2)?,
        created_at: time(row, 3)?.unwrap_or(UnixMillis(0)),
        expires_at: time(row, 4)?,
        revoked_at: time(row, 5)?,
        spaces: spaces(row, 6)?,
    })
}

fn role(row: &Row<'_>, column: usize) -> sql::Result<Role> {
    let unknown = || SqlError::new(Class::Corrupt, "the column role holds no role");
    Role::parse(&row.get::<String>(column)?).ok_or_else(unknown)
}

fn spaces(row: &Row<'_>, column: usize) -> sql::Result<Spaces> {
    let name: Option<String> = row.get(column)?;
    let space = name.map(|name| Space::parse(&name)).transpose();
    // A token that is bound to nothing known must not see everything.
    let corrupt = |reason| SqlError::new(Class::Corrupt, reason);
    space.map(Spaces::of).map_err(corrupt)
}

fn time(row: &Row<'_>, column: usize) -> sql::Result<Option<UnixMillis>> {
    let at: Option<i64> = row.get(column)?;
    Ok(at.and_then(|at| u64::try_from(at).ok()).map(UnixMillis))
}
