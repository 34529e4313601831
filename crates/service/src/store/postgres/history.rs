//! In which history a server is.
//!
//! A server that was restored from a snapshot or promoted goes on with older data, and gives the
//! numbers of the feed again, to other changes. An edge that has seen the first ones would miss the
//! others. So a new history begins a new incarnation, before anything is read in it.

use tokio_postgres::error::SqlState;

use crate::store::feed;
use crate::store::head::Head;
use crate::store::sql::{self, Session, Sql, params};

/// The name of the history: which cluster, which timeline, and since when the server runs. A snapshot
/// has the same cluster and timeline as the server that it was taken of. Every user can read all three.
const NAME: &str = "SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' \
    || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || '/' \
    || (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text";

/// The name where the server has none, as engines other than PostgreSQL.
const UNNAMED: &str = "unnamed";

/// Begins an incarnation if the history of this server is another one than that of the newest
/// incarnation. Returns how far the feed has come.
pub(super) fn check(session: &Session) -> sql::Result<Head> {
    let sql = Sql::Postgres(session);
    let name = match sql.one(NAME, params![], |row| row.get::<String>(0)) {
        Err(error) if error.is(&SqlState::UNDEFINED_FUNCTION) => UNNAMED.to_owned(),
        name => name?,
    };
    let text = "SELECT history FROM head";
    let known: String = sql.one(text, params![], |row| row.get(0))?;
    match known == name {
        true => feed::head(&sql),
        false => begin(session, Some(&name)),
    }
}

/// Begins an incarnation, unless another replica has done so for this name. Without a name, it begins
/// in any case.
pub(super) fn begin(session: &Session, name: Option<&str>) -> sql::Result<Head> {
    let sql = Sql::Postgres(session);
    let work = || {
        session.batch("BEGIN")?;
        // Locked, so that no transaction of another replica is under way.
        let text = "SELECT history FROM head FOR UPDATE";
        let known: String = sql.one(text, params![], |row| row.get(0))?;
        if name == Some(&known) {
            session.batch("COMMIT")?;
            return feed::head(&sql);
        }
        let head = feed::begin_incarnation(&sql)?;
        if let Some(name) = name {
            sql.execute("UPDATE head SET history = ?1", params![name])?;
        }
        session.batch("COMMIT")?;
        tracing::warn!(
            epoch = head.epoch,
            "the database has another history than before: edges that are ahead of it empty their caches"
        );
        Ok(head)
    };
    work().inspect_err(|_| {
        // It may be over already.
        let _ = session.rollback();
    })
}
