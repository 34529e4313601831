//! A connection to PostgreSQL, with its prepared statements.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

use postgres::types::{ToSql, Type as PgType};
use postgres::{Client, Statement};

use super::text::numbered;
use super::value::{Type, Value};
use super::{Result, SqlError};

/// Most statements that are kept prepared. Lists have a text for each combination of filters.
const MAX_PREPARED: usize = 256;

/// A connection that one thread uses.
pub(in crate::store) struct Session {
    client: RefCell<Client>,
    statements: RefCell<HashMap<String, Statement>>,
}

impl Session {
    pub(in crate::store) fn new(client: Client) -> Self {
        Self {
            client: RefCell::new(client),
            statements: RefCell::default(),
        }
    }

    /// Runs statements that have no values and return nothing, in one message.
    pub(in crate::store) fn batch(&self, text: &str) -> Result<()> {
        Ok(self.client.borrow_mut().batch_execute(text)?)
    }

    /// Calls `work` with the connection itself.
    pub(in crate::store) fn client<T>(&self, work: impl FnOnce(&mut Client) -> T) -> T {
        work(&mut self.client.borrow_mut())
    }

    pub(super) fn execute(&self, text: &str, values: &[Value<'_>]) -> Result<usize> {
        let statement = self.prepared(text, values)?;
        let changed = self
            .client
            .borrow_mut()
            .execute(&statement, &parameters(values))?;
        usize::try_from(changed).map_err(|_| SqlError::other("too many rows changed"))
    }

    pub(super) fn query(&self, text: &str, values: &[Value<'_>]) -> Result<Vec<postgres::Row>> {
        let statement = self.prepared(text, values)?;
        let rows = self
            .client
            .borrow_mut()
            .query(&statement, &parameters(values))?;
        Ok(rows)
    }

    /// The types of the values go with the text, since PostgreSQL infers none for a value that is
    /// only compared with NULL.
    fn prepared(&self, text: &str, values: &[Value<'_>]) -> Result<Statement> {
        if let Some(statement) = self.statements.borrow().get(text) {
            return Ok(statement.clone());
        }
        let types: Vec<PgType> = values.iter().map(pg_type).collect();
        let statement = self
            .client
            .borrow_mut()
            .prepare_typed(&numbered(text), &types)?;
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= MAX_PREPARED {
            statements.clear();
        }
        statements.insert(text.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(..)")
    }
}

fn parameters<'a>(values: &'a [Value<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

fn pg_type(value: &Value<'_>) -> PgType {
    match value {
        Value::Null(Type::Any) => PgType::UNKNOWN,
        Value::Null(Type::Bool) | Value::Bool(_) => PgType::BOOL,
        Value::Null(Type::Integer) | Value::Integer(_) => PgType::INT8,
        Value::Null(Type::Text) | Value::Text(_) => PgType::TEXT,
        Value::Null(Type::Blob) | Value::Blob(_) => PgType::BYTEA,
        Value::Blobs(_) => PgType::BYTEA_ARRAY,
    }
}
