//! Statements and their rows, as the rules of the store see them. It knows no table.
//!
//! A statement is written once, with the marks `?1`, `?2` of SQLite, unless the databases understand
//! it differently ([`Each`]).

mod error;
mod row;
mod session;
mod text;
mod value;

pub(super) use self::error::{Class, SqlError};
pub(super) use self::row::Row;
pub(super) use self::session::Session;
pub(super) use self::text::{Each, Text};
pub(super) use self::value::{FromValue, ToValue, Type, Value};

/// What a statement returns.
pub(super) type Result<T> = std::result::Result<T, SqlError>;

/// The values of a statement, each anything that is [`ToValue`].
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::store::sql::ToValue::to_value(&$value)),*]
    };
}
pub(super) use params;

/// A connection on which statements run: in a transaction where the caller has begun one, and
/// otherwise each on its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sql<'a> {
    Sqlite(&'a rusqlite::Connection),
    Postgres(&'a Session),
}

impl Sql<'_> {
    /// Runs a statement, and returns how many rows it changed.
    pub(super) fn execute(&self, text: impl Text, values: &[Value<'_>]) -> Result<usize> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(text.sqlite())?;
                Ok(statement.execute(rusqlite::params_from_iter(values))?)
            }
            Self::Postgres(session) => session.execute(text.postgres(), values),
        }
    }

    /// Runs a statement whose result nothing reads: with the next one where each costs a round trip. It
    /// belongs into a transaction. If it fails, the next one does.
    pub(super) fn later(&self, text: impl Text, values: &[Value<'_>]) -> Result<()> {
        match self {
            Self::Sqlite(_) => self.execute(text, values).map(drop),
            Self::Postgres(session) => session.later(text.postgres(), values),
        }
    }

    /// Runs a statement, and reads its first row if it has one.
    pub(super) fn optional<T>(
        &self,
        text: impl Text,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(text.sqlite())?;
                let mut rows = statement.query(rusqlite::params_from_iter(values))?;
                let row = rows.next()?;
                row.map(|row| read(&Row::Sqlite(row))).transpose()
            }
            Self::Postgres(session) => {
                let rows = session.query(text.postgres(), values)?;
                let row = rows.first();
                row.map(|row| read(&Row::Postgres(row))).transpose()
            }
        }
    }

    /// Runs a statement, and reads its first row.
    ///
    /// # Errors
    /// [`Class::Other`] if there is none.
    pub(super) fn one<T>(
        &self,
        text: impl Text,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        let row = self.optional(text, values, read)?;
        row.ok_or_else(|| SqlError::other("a statement returned no row"))
    }

    /// Runs a statement, and reads its rows.
    pub(super) fn all<T, All: FromIterator<T>>(
        &self,
        text: impl Text,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<All> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(text.sqlite())?;
                let rows = statement.query_and_then(rusqlite::params_from_iter(values), |row| {
                    read(&Row::Sqlite(row))
                })?;
                rows.collect()
            }
            Self::Postgres(session) => {
                let rows = session.query(text.postgres(), values)?;
                rows.iter().map(|row| read(&Row::Postgres(row))).collect()
            }
        }
    }

    /// Runs a statement, and returns whether it has a row.
    pub(super) fn exists(&self, text: impl Text, values: &[Value<'_>]) -> Result<bool> {
        Ok(self.optional(text, values, |_| Ok(()))?.is_some())
    }

    /// Runs `work`, which reads alone, in a transaction that sees one state of the database.
    pub(super) fn within<T>(self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        match self {
            Self::Sqlite(connection) => {
                // Nothing else uses the connection meanwhile.
                let transaction = connection.unchecked_transaction()?;
                let answer = work(&self)?;
                transaction.commit()?;
                Ok(answer)
            }
            Self::Postgres(session) => {
                session.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
                let answer = work(&self);
                match answer {
                    Ok(answer) => session.batch("COMMIT").map(|()| answer),
                    Err(error) => {
                        // It may be over already.
                        let _ = session.rollback();
                        Err(error)
                    }
                }
            }
        }
    }
}
