//! Rows of any table as bytes, which are equal for equal rows of any database.

use sha2::{Digest as _, Sha256};

use super::error::CopyError;
use super::tables::Table;
use crate::store::sql::{self, Row, Sql, SqlError, Type, Value};

/// Rows that are read and written at once: about 2 MB of keys.
pub(super) const PAGE: usize = 5000;

/// Marks of the types.
const NULL: u8 = 0;
const INTEGER: u8 = 1;
const TEXT: u8 = 2;
const BLOB: u8 = 3;

/// A row. Each value is its mark, the length of a text or blob (4 bytes, big endian), and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    bytes: Vec<u8>,
    /// How many bytes its primary key has.
    key: usize,
}

impl Line {
    fn read(row: &Row<'_>, table: &Table) -> sql::Result<Self> {
        let mut bytes = Vec::with_capacity(256);
        let mut key = 0;
        for place in 0..table.columns.len() {
            encode(&row.value(&place)?, &mut bytes)?;
            if place < table.keys {
                key = bytes.len();
            }
        }
        Ok(Self { bytes, key })
    }

    /// Its primary key, encoded.
    pub(super) fn key(&self) -> &[u8] {
        self.bytes.get(..self.key).unwrap_or_default()
    }

    /// Its values, in the order of the columns.
    pub(super) fn values(&self) -> Vec<Value<'_>> {
        Values(&self.bytes).collect()
    }

    /// The values of its primary key.
    pub(super) fn key_values(&self) -> Vec<Value<'_>> {
        Values(self.key()).collect()
    }

    /// Whether both are about the same key, token or entry, whatever else has changed.
    pub(super) fn is_same(&self, other: &Self, table: &Table) -> bool {
        let (own, others) = (self.values(), other.values());
        let pairs = own.iter().zip(&others).zip(&table.columns);
        let mut blobs = pairs.filter(|(_, column)| column.kind == Type::Blob);
        self.key() == other.key()
            && blobs.all(|((own, other), _)| match (own, other) {
                (Value::Blob(own), Value::Blob(other)) => own == other,
                _ => false,
            })
    }
}

fn encode(value: &Value<'_>, bytes: &mut Vec<u8>) -> sql::Result<()> {
    let (mark, content) = match value {
        Value::Null(_) => {
            bytes.push(NULL);
            return Ok(());
        }
        Value::Integer(number) => {
            bytes.push(INTEGER);
            bytes.extend(number.to_be_bytes());
            return Ok(());
        }
        Value::Text(text) => (TEXT, text.as_bytes()),
        Value::Blob(blob) => (BLOB, *blob),
        Value::Bool(_) | Value::Blobs(_) => {
            return Err(SqlError::other("a column has a type that is not copied"));
        }
    };
    let length = u32::try_from(content.len());
    let length = length.map_err(|_| SqlError::other("a value has more than 4 GB"))?;
    bytes.push(mark);
    bytes.extend(length.to_be_bytes());
    bytes.extend(content);
    Ok(())
}

/// Reads what [`encode`] has written.
struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn content(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(u32::from_be_bytes(self.take()?)).ok()?;
        let (content, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let [mark] = self.take()?;
        match mark {
            NULL => Some(Value::Null(Type::Any)),
            INTEGER => self.take().map(i64::from_be_bytes).map(Value::Integer),
            // It was a text when it was written.
            TEXT => std::str::from_utf8(self.content()?).ok().map(Value::Text),
            _ => self.content().map(Value::Blob),
        }
    }
}

/// Reads the rows after one and up to another one, in the order of the primary key, and at most
/// `limit` of them if there is one.
pub(super) fn between(
    sql: &Sql<'_>,
    table: &Table,
    start: Option<&Line>,
    end: Option<&Line>,
    limit: Option<usize>,
) -> sql::Result<Vec<Line>> {
    let text = table.page(start.is_some(), end.is_some(), limit);
    let bounds = start.into_iter().chain(end);
    let values: Vec<Value<'_>> = bounds.flat_map(Line::key_values).collect();
    sql.all(&text, &values, |row| Line::read(row, table))
}

/// Calls `take` with all rows of a table, a page at a time.
pub(super) fn each_page(
    sql: &Sql<'_>,
    table: &Table,
    mut take: impl FnMut(Option<&Line>, &[Line]) -> Result<(), CopyError>,
) -> Result<(), CopyError> {
    let mut last: Option<Line> = None;
    loop {
        let page = between(sql, table, last.as_ref(), None, Some(PAGE))?;
        take(last.as_ref(), &page)?;
        if page.len() < PAGE {
            return Ok(());
        }
        last = page.into_iter().next_back();
    }
}

/// The SHA-256 of a table: of its rows in the order of the primary key, each after its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDigest {
    /// The table.
    pub table: &'static str,
    /// How many rows it has.
    pub rows: u64,
    /// The digest.
    pub digest: [u8; 32],
}

/// Reads a table.
pub(super) fn digest(sql: &Sql<'_>, table: &Table) -> Result<TableDigest, CopyError> {
    let mut hash = Sha256::new();
    let mut rows = 0_u64;
    each_page(sql, table, |_, page| {
        for line in page {
            hash.update(u64::try_from(line.bytes.len()).unwrap_or(0).to_be_bytes());
            hash.update(&line.bytes);
            rows = rows.saturating_add(1);
        }
        Ok(())
    })?;
    Ok(TableDigest {
        table: table.name,
        rows,
        digest: hash.finalize().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_back_as_it_was_written() {
        let values = [
            Value::Integer(-7),
            Value::Null(Type::Any),
            Value::Text("ä"),
            Value::Blob(&[0, 255]),
            Value::Text(""),
        ];
        let mut bytes = Vec::new();
        for value in &values {
            encode(value, &mut bytes).unwrap();
        }
        let line = Line { bytes, key: 9 };
        let shown = |values: &[Value<'_>]| format!("{values:?}");
        assert_eq!(shown(&line.values()), shown(&values));
        assert_eq!(shown(&line.key_values()), shown(&values[..1]));
    }
}
