//! Rows of a database as keys, and cells as its values.

use super::row::{self, Cell, Corrupt};
use super::sql::{self, Class, FromValue, Row, SqlError, ToValue, Type, Value};
use crate::key::Key;

/// Reads a row of [`LAST_USE`](row::LAST_USE), [`COLUMNS`](row::COLUMNS) and what may follow them.
pub(super) fn key(row: &Row<'_>) -> sql::Result<Key> {
    let mut columns = 0..;
    row::key(|| row.get(columns.next().unwrap_or(usize::MAX)))
}

impl From<Corrupt> for SqlError {
    fn from(error: Corrupt) -> Self {
        Self::new(Class::Corrupt, error.to_string())
    }
}

impl ToValue for Cell {
    const TYPE: Type = Type::Any;

    fn to_value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null(Type::Any),
            Self::Text(text) => Value::Text(text),
            Self::Number(number) => Value::Integer(*number),
        }
    }
}

impl FromValue for Cell {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Null(_) => Some(Self::Null),
            Value::Integer(number) => Some(Self::Number(number)),
            Value::Bool(is_true) => Some(Self::Number(i64::from(is_true))),
            Value::Text(text) => Some(Self::Text(text.to_owned())),
            Value::Blob(_) | Value::Blobs(_) => None,
        }
    }
}
