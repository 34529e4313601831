//! Rows of SQLite as keys, and cells as values of SQLite.

use keygate_core::keys::KeyHash;
use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Type, ValueRef};

use super::row::{self, Cell};
use crate::key::Key;

/// Reads a row of [`LAST_USE`](row::LAST_USE), [`COLUMNS`](row::COLUMNS) and what may follow them.
pub(super) fn key(row: &Row<'_>) -> rusqlite::Result<Key> {
    let columns = 0..row.as_ref().column_count();
    let cells: Result<_, _> = columns.map(|index| row.get(index)).collect();
    row::key(cells?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(error.index, Type::Null, error.into())
    })
}

pub(super) fn hash(row: &Row<'_>, column: usize) -> rusqlite::Result<KeyHash> {
    row.get(column).map(KeyHash)
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Number(number) => ValueRef::Integer(*number),
        }))
    }
}

impl FromSql for Cell {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Null => Ok(Self::Null),
            ValueRef::Integer(number) => Ok(Self::Number(number)),
            ValueRef::Text(_) => value.as_str().map(|text| Self::Text(text.to_owned())),
            ValueRef::Real(_) | ValueRef::Blob(_) => Err(FromSqlError::InvalidType),
        }
    }
}
