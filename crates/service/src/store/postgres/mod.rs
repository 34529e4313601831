//! PostgreSQL: one database for any number of replicas of the service.
//!
//! Each replica has one thread that writes, a few that read, and one that listens for the changes of
//! the others. Each has a connection of its own and makes another one when it is lost. A pool
//! such as deadpool would let lists take the connections of lookups. `sqlx` cannot be built beside rusqlite: both link SQLite.

mod address;
mod history;
mod link;
mod listener;
mod migrations;
mod purpose;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

pub use self::address::{PostgresUrl, UrlError};
pub(super) use self::link::Link;
pub(super) use self::listener::Listener;
pub(super) use self::migrations::{KNOWN, run as migrate, version};
pub(super) use self::purpose::{Purpose, connect_for};
pub(super) use self::writer::Writer;
use super::head::Head;
use super::sql::Class;

/// How long a transaction waits for another one.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(3);

/// What all connections of a replica share.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) url: PostgresUrl,
    /// How long a transaction waits for another one.
    lock_timeout: Duration,
    /// How far the feed has come, as far as this replica knows.
    pub(super) heads: Arc<watch::Sender<Head>>,
}

/// Why a replica does not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No connection can be made.
    #[error("cannot connect to it: {0}")]
    Connect(String),
    /// The user or the password is wrong.
    #[error(
        "{0}: check the user in the URL and its password, which comes from KEYGATE_STORE, \
         --store-password-file or PGPASSFILE"
    )]
    Password(String),
    /// There is no such database.
    #[error("{0}: create it with createdb")]
    Missing(String),
    /// The server is older than 14.
    #[error("it is PostgreSQL {0}, but version 14 or later is needed: upgrade it")]
    Version(String),
    /// A server that follows another one.
    #[error(
        "it is a standby, which cannot be written and lags behind: give the URL of the primary"
    )]
    Standby,
    /// Texts would not be what they are.
    #[error(
        "its encoding is {0}, but UTF8 is needed: create it with createdb --encoding=UTF8 --template=template0"
    )]
    Encoding(String),
    /// The schema has other tables than ours.
    #[error(
        "its schema keygate belongs to another program, so nothing was changed: give the URL of \
         another database"
    )]
    Foreign,
    /// A newer release has changed the schema.
    #[error(
        "it has schema version {found}, but this release supports {known}: use a newer release, or \
         restore a backup"
    )]
    Newer {
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The user lacks a right.
    #[error("{0}: let its owner run CREATE SCHEMA keygate AUTHORIZATION the user of the URL")]
    Privilege(String),
    /// A statement failed.
    #[error("{0}")]
    Failed(String),
}

/// Connects, brings the schema up to date, and begins an incarnation if the history is new. Blocks,
/// and must not be called by a thread that runs async code.
///
/// # Errors
/// [`OpenError`]; then nothing was changed.
pub(super) fn open(url: &PostgresUrl, lock_timeout: Duration) -> Result<Arc<Database>, OpenError> {
    migrations::run(url)?;
    let session = link::connect(url, lock_timeout).map_err(|error| match error.class {
        Class::Standby => OpenError::Standby,
        _ => OpenError::Failed(error.to_string()),
    })?;
    let head = history::check(&session);
    let head = head.map_err(|error| OpenError::Failed(error.to_string()))?;
    Ok(Arc::new(Database {
        url: url.clone(),
        lock_timeout,
        heads: Arc::new(watch::Sender::new(head)),
    }))
}
