//! The connection of a copy or a backup: one, which may take as long as it takes.

use super::link::DURABLE;
use super::{OpenError, PostgresUrl, migrations};
use crate::store::sql::{Session, Sql, params};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Purpose {
    /// No service uses the database meanwhile.
    Copy,
    /// Services go on.
    Backup,
}

impl Purpose {
    /// What other connections see of it.
    fn name(self) -> &'static str {
        match self {
            Self::Copy => "keygate-copy",
            Self::Backup => "keygate-backup",
        }
    }
}

/// Connects to a server that can be written. Changes nothing in the database.
pub(in crate::store) fn connect_for(
    url: &PostgresUrl,
    purpose: Purpose,
) -> Result<Session, OpenError> {
    let session = migrations::connect(url)?;
    let settings = format!(
        "SET search_path = keygate; SET application_name = '{}'; SET lock_timeout = '3s'; \
         SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
         SET client_min_messages = warning",
        purpose.name()
    );
    session.bound(None);
    session.batch(&settings).map_err(OpenError::of)?;
    let durable = Sql::Postgres(&session).exists(DURABLE, params![]);
    durable.map_err(OpenError::of)?;
    Ok(session)
}
