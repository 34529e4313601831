//! The values of statements and of rows.

use std::error::Error;

use bytes::BytesMut;
use keygate_core::keys::KeyHash;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use tokio_postgres::types as pg;

/// Why a value cannot be written or read.
type Failed = Box<dyn Error + Sync + Send>;

/// A value that a statement is given, or that a row has.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) enum Value<'a> {
    /// Nothing, where there could be a value of this type.
    Null(Type),
    Bool(bool),
    Integer(i64),
    Text(&'a str),
    Blob(&'a [u8]),
    /// A list of them, for PostgreSQL alone.
    Blobs(&'a [&'a [u8]]),
}

/// A value that a statement is given later. Not for lists.
#[derive(Debug)]
pub(super) enum OwnedValue {
    Null(Type),
    Bool(bool),
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl OwnedValue {
    pub(super) fn borrow(&self) -> Value<'_> {
        match self {
            Self::Null(of) => Value::Null(*of),
            Self::Bool(is_true) => Value::Bool(*is_true),
            Self::Integer(number) => Value::Integer(*number),
            Self::Text(text) => Value::Text(text),
            Self::Blob(bytes) => Value::Blob(bytes),
        }
    }

    /// `None` of a list.
    pub(super) fn of(value: &Value<'_>) -> Option<Self> {
        Some(match *value {
            Value::Null(of) => Self::Null(of),
            Value::Bool(is_true) => Self::Bool(is_true),
            Value::Integer(number) => Self::Integer(number),
            Value::Text(text) => Self::Text(text.to_owned()),
            Value::Blob(bytes) => Self::Blob(bytes.to_vec()),
            Value::Blobs(_) => return None,
        })
    }
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Type {
    /// That of the column.
    Any,
    Bool,
    Integer,
    Text,
    Blob,
}

/// What a statement can be given.
pub(in crate::store) trait ToValue {
    /// The type that it has even if there is none.
    const TYPE: Type;

    fn to_value(&self) -> Value<'_>;
}

/// What a row can be read as.
pub(in crate::store) trait FromValue: Sized {
    /// `None` if it is of another type.
    fn from_value(value: Value<'_>) -> Option<Self>;
}

impl<T: ToValue + ?Sized> ToValue for &T {
    const TYPE: Type = T::TYPE;

    fn to_value(&self) -> Value<'_> {
        T::to_value(self)
    }
}

impl<T: ToValue> ToValue for Option<T> {
    const TYPE: Type = T::TYPE;

    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null(T::TYPE), T::to_value)
    }
}

impl ToValue for str {
    const TYPE: Type = Type::Text;

    fn to_value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl ToValue for String {
    const TYPE: Type = Type::Text;

    fn to_value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl ToValue for bool {
    const TYPE: Type = Type::Bool;

    fn to_value(&self) -> Value<'_> {
        Value::Bool(*self)
    }
}

impl ToValue for i64 {
    const TYPE: Type = Type::Integer;

    fn to_value(&self) -> Value<'_> {
        Value::Integer(*self)
    }
}

impl ToValue for u32 {
    const TYPE: Type = Type::Integer;

    fn to_value(&self) -> Value<'_> {
        Value::Integer(i64::from(*self))
    }
}

impl<const N: usize> ToValue for [u8; N] {
    const TYPE: Type = Type::Blob;

    fn to_value(&self) -> Value<'_> {
        Value::Blob(self)
    }
}

impl ToValue for KeyHash {
    const TYPE: Type = Type::Blob;

    fn to_value(&self) -> Value<'_> {
        Value::Blob(&self.0)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Null(_) => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

impl FromValue for String {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

impl FromValue for i64 {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    }
}

impl FromValue for u32 {
    fn from_value(value: Value<'_>) -> Option<Self> {
        i64::from_value(value).and_then(|number| Self::try_from(number).ok())
    }
}

impl FromValue for bool {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Bool(is_true) => Some(is_true),
            // SQLite has no other.
            Value::Integer(number) => Some(number != 0),
            _ => None,
        }
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Blob(bytes) => Self::try_from(bytes).ok(),
            _ => None,
        }
    }
}

impl FromValue for KeyHash {
    fn from_value(value: Value<'_>) -> Option<Self> {
        FromValue::from_value(value).map(Self)
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Null(_) => ValueRef::Null,
            Self::Bool(is_true) => ValueRef::Integer(i64::from(is_true)),
            Self::Integer(number) => ValueRef::Integer(number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
            Self::Blobs(_) => {
                let reason = "SQLite has no lists".into();
                return Err(rusqlite::Error::ToSqlConversionFailure(reason));
            }
        }))
    }
}

impl pg::ToSql for Value<'_> {
    fn to_sql(&self, of: &pg::Type, out: &mut BytesMut) -> Result<pg::IsNull, Failed> {
        match *self {
            Self::Null(_) => Ok(pg::IsNull::Yes),
            Self::Bool(is_true) => is_true.to_sql_checked(of, out),
            Self::Integer(number) => number.to_sql_checked(of, out),
            // PostgreSQL has no NUL. What is stored has none either, but a client can ask for an id that
            // nothing has.
            Self::Text(text) if text.contains('\0') => {
                text.replace('\0', "\u{FFFD}").to_sql_checked(of, out)
            }
            Self::Text(text) => text.to_sql_checked(of, out),
            Self::Blob(bytes) => bytes.to_sql_checked(of, out),
            Self::Blobs(list) => list.to_sql_checked(of, out),
        }
    }

    /// Each value looks at the type itself.
    fn accepts(_: &pg::Type) -> bool {
        true
    }

    pg::to_sql_checked!();
}

impl<'a> pg::FromSql<'a> for Value<'a> {
    fn from_sql(of: &pg::Type, raw: &'a [u8]) -> Result<Self, Failed> {
        match *of {
            pg::Type::BOOL => bool::from_sql(of, raw).map(Self::Bool),
            pg::Type::INT8 => i64::from_sql(of, raw).map(Self::Integer),
            pg::Type::INT4 => i32::from_sql(of, raw).map(|it| Self::Integer(it.into())),
            pg::Type::BYTEA => <&[u8]>::from_sql(of, raw).map(Self::Blob),
            _ => <&str>::from_sql(of, raw).map(Self::Text),
        }
    }

    fn from_sql_null(_: &pg::Type) -> Result<Self, Failed> {
        Ok(Self::Null(Type::Any))
    }

    fn accepts(of: &pg::Type) -> bool {
        let numbers = [
            pg::Type::BOOL,
            pg::Type::INT8,
            pg::Type::INT4,
            pg::Type::BYTEA,
        ];
        numbers.contains(of) || <&str>::accepts(of)
    }
}
