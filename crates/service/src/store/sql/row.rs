//! A row that a statement returned.

use rusqlite::types::ValueRef;

use super::value::{FromValue, Type, Value};
use super::{Result, SqlError};

/// A row.
pub(in crate::store) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

/// Names a column: its number, from 0, or its name.
pub(in crate::store) trait Column: std::fmt::Display {
    fn sqlite(&self, row: &rusqlite::Row<'_>) -> Result<usize>;

    fn postgres<'a>(&self, row: &'a tokio_postgres::Row) -> Result<Value<'a>>;
}

impl Column for usize {
    fn sqlite(&self, _: &rusqlite::Row<'_>) -> Result<usize> {
        Ok(*self)
    }

    fn postgres<'a>(&self, row: &'a tokio_postgres::Row) -> Result<Value<'a>> {
        Ok(row.try_get(*self)?)
    }
}

impl Column for &str {
    fn sqlite(&self, row: &rusqlite::Row<'_>) -> Result<usize> {
        Ok(row.as_ref().column_index(self)?)
    }

    fn postgres<'a>(&self, row: &'a tokio_postgres::Row) -> Result<Value<'a>> {
        Ok(row.try_get(*self)?)
    }
}

impl Row<'_> {
    /// Reads a column.
    ///
    /// # Errors
    /// [`Class::Other`](super::Class::Other) if it holds another type, or does not exist.
    pub(in crate::store) fn get<T: FromValue>(&self, column: impl Column) -> Result<T> {
        let value = T::from_value(self.value(&column)?);
        value.ok_or_else(|| SqlError::other(format!("the column {column} has another type")))
    }

    /// The value of a column, whatever its type.
    pub(in crate::store) fn value(&self, column: &impl Column) -> Result<Value<'_>> {
        match self {
            Self::Sqlite(row) => Ok(match row.get_ref(column.sqlite(row)?)? {
                ValueRef::Null => Value::Null(Type::Any),
                ValueRef::Integer(number) => Value::Integer(number),
                ValueRef::Text(text) => {
                    Value::Text(std::str::from_utf8(text).map_err(|_| {
                        SqlError::other(format!("the column {column} is not UTF-8"))
                    })?)
                }
                ValueRef::Blob(bytes) => Value::Blob(bytes),
                ValueRef::Real(_) => {
                    return Err(SqlError::other(format!("the column {column} is a float")));
                }
            }),
            Self::Postgres(row) => column.postgres(row),
        }
    }
}
