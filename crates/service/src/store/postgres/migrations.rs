//! The schema `keygate` of a PostgreSQL database, one step a file. A step that was released is never
//! changed.
//!
//! Replicas are updated one after the other, so the release before must run on the new schema: a step
//! adds tables, and columns that have a default or may be empty. A step that does more names itself in
//! [`OLDEST`], and the release before refuses the schema then.

use tokio_postgres::error::SqlState;

use super::{OpenError, PostgresUrl};
use crate::store::sql::{self, Class, Session, Sql, SqlError, params};

/// Step N brings the version of the schema from N to N + 1.
const STEPS: &[&str] = &[include_str!("../../../migrations/postgres/0001_schema.sql")];

/// The oldest version whose release runs on the schema of today.
const OLDEST: i64 = 1;

/// The oldest version of the server.
const OLDEST_SERVER: i64 = 14;

/// Held by the replica that changes the schema: "keygate" in ASCII.
const LOCK: i64 = 0x006b_6579_6761_7465;

/// The version of the schema of this release.
pub(in crate::store) const KNOWN: i64 = STEPS.len() as i64;

/// Connects, and checks the server.
pub(super) fn connect(url: &PostgresUrl) -> Result<Session, OpenError> {
    let session = url.connect().map_err(|error| {
        if error.is(&SqlState::INVALID_PASSWORD)
            || error.is(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
        {
            OpenError::Password(error.to_string())
        } else if error.is(&SqlState::INVALID_CATALOG_NAME) {
            OpenError::Missing(error.to_string())
        } else if error.to_string().contains("password missing") {
            OpenError::Password("the server asks for a password".to_owned())
        } else {
            OpenError::Connect(error.to_string())
        }
    })?;
    check_server(&session)?;
    Ok(session)
}

/// The version of the schema; `None` if there is no schema of ours.
pub(in crate::store) fn version(sql: &Sql<'_>) -> sql::Result<Option<i64>> {
    let text = "SELECT 1 WHERE to_regclass('keygate.schema_version') IS NOT NULL";
    match sql.exists(text, params![])? {
        false => Ok(None),
        true => {
            let text = "SELECT version FROM keygate.schema_version";
            sql.optional(text, params![], |row| row.get(0))
        }
    }
}

/// Checks the server, and runs the steps that are missing, all or none.
pub(in crate::store) fn run(url: &PostgresUrl) -> Result<(), OpenError> {
    let session = connect(url)?;
    // Another replica may be at it, and a step takes as long as it takes.
    session.bound(None);
    session
        .batch("SET lock_timeout = '60s'; SET statement_timeout = 0")
        .map_err(OpenError::of)?;
    session.batch("BEGIN").map_err(OpenError::of)?;
    let done = migrate(&session);
    let end = session.batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" });
    done?;
    end.map_err(OpenError::of)
}

fn check_server(session: &Session) -> Result<(), OpenError> {
    let sql = Sql::Postgres(session);
    let read = |text: &str| sql.one(text, params![], |row| row.get::<String>(0));
    let version = read("SELECT current_setting('server_version')").map_err(OpenError::of)?;
    let major = version.split(|it: char| !it.is_ascii_digit()).next();
    let major: i64 = major.and_then(|it| it.parse().ok()).unwrap_or(0);
    // Others that speak its protocol have versions of their own.
    let name = read("SELECT version()").map_err(OpenError::of)?;
    if name.starts_with("PostgreSQL ") && !name.contains("-YB-") && major < OLDEST_SERVER {
        return Err(OpenError::Version(version));
    }
    let recovery = "SELECT pg_is_in_recovery()";
    match sql.one(recovery, params![], |row| row.get(0)) {
        Ok(true) => return Err(OpenError::Standby),
        Ok(false) => {}
        Err(error) if error.is(&SqlState::UNDEFINED_FUNCTION) => {}
        Err(error) => return Err(OpenError::of(error)),
    }
    let encoding = read("SELECT current_setting('server_encoding')").map_err(OpenError::of)?;
    match encoding.as_str() {
        "UTF8" => Ok(()),
        _ => Err(OpenError::Encoding(encoding)),
    }
}

/// Runs the missing steps in the transaction that is open.
fn migrate(session: &Session) -> Result<(), OpenError> {
    let sql = Sql::Postgres(session);
    let exists = |text: &str| sql.exists(text, params![]).map_err(OpenError::of);
    let lock = sql.exists("SELECT pg_advisory_xact_lock(?1)", params![LOCK]);
    lock.map_err(OpenError::of)?;
    if !exists("SELECT 1 FROM pg_namespace WHERE nspname = 'keygate'")? {
        session
            .batch("CREATE SCHEMA keygate")
            .map_err(OpenError::of)?;
    }
    session
        .batch("SET LOCAL search_path = keygate")
        .map_err(OpenError::of)?;
    let ours = "SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
                WHERE nspname = 'keygate'";
    let is_new = !exists(&format!("{ours} AND relname = 'schema_version'"))?;
    if is_new {
        // Empty: an administrator has made it for us.
        if exists(ours)? {
            return Err(OpenError::Foreign);
        }
        let make = "CREATE TABLE schema_version (version bigint NOT NULL, oldest bigint NOT NULL); \
                    INSERT INTO schema_version (version, oldest) VALUES (0, 0)";
        session.batch(make).map_err(OpenError::of)?;
    }
    let text = "SELECT version, oldest FROM schema_version";
    let read = |row: &sql::Row<'_>| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?));
    let (found, oldest) = sql.one(text, params![], read).map_err(OpenError::of)?;
    let known = KNOWN;
    if known < oldest {
        return Err(OpenError::Newer { found, known });
    }
    let steps = STEPS
        .iter()
        .skip(usize::try_from(found).unwrap_or(usize::MAX));
    for step in steps {
        session.batch(step).map_err(OpenError::of)?;
    }
    if found < known {
        let text = "UPDATE schema_version SET version = ?1, oldest = ?2";
        let set = sql.execute(text, params![known, OLDEST]);
        set.map_err(OpenError::of)?;
    }
    Ok(())
}

impl OpenError {
    pub(super) fn of(error: SqlError) -> Self {
        match error.class {
            Class::Standby => Self::Standby,
            Class::Lost => Self::Connect(error.to_string()),
            _ if error.is(&SqlState::INSUFFICIENT_PRIVILEGE) => Self::Privilege(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_migrations_is_a_step_in_order() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");
        let files = std::fs::read_dir(directory).unwrap();
        let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        paths.sort();
        let read = |path| std::fs::read_to_string(path).unwrap();
        let texts: Vec<String> = paths.into_iter().map(read).collect();
        assert_eq!(texts, STEPS);
    }
}
