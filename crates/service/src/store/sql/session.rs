//! A connection to PostgreSQL, with its prepared statements.
//!
//! It blocks, as the threads of the store do, and runs tokio-postgres on a runtime of its own. The
//! crate `postgres` does the same, but waits without end for a server that accepts a connection and
//! then says nothing.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::{ToSql, Type as PgType};
use tokio_postgres::{AsyncMessage, Client, Config, Error, Socket, Statement};

use super::text::numbered;
use super::value::{OwnedValue, Type, Value};
use super::{Class, Result, SqlError};

/// Most statements that are kept prepared. Lists have a text for each combination of filters.
const MAX_PREPARED: usize = 256;

/// Most statements that wait for the next one.
const MAX_LATER: usize = 24;

/// How long a connection that is given up may take to say goodbye.
const FAREWELL: Duration = Duration::from_millis(100);

/// A connection that one thread uses. Not for a thread that runs async code.
pub(in crate::store) struct Session {
    runtime: Runtime,
    /// Gone only while this is dropped.
    client: Option<Client>,
    /// What reads from the socket, while a call waits.
    reader: JoinHandle<()>,
    /// Has something once a notification has come.
    notified: RefCell<mpsc::Receiver<()>>,
    statements: RefCell<HashMap<String, Statement>>,
    /// Statements whose results nothing reads. They go to the server before the next one and together
    /// with it, since a round trip costs more than anything else.
    later: RefCell<Vec<(String, Vec<OwnedValue>)>>,
    /// How long an answer may take.
    bound: Cell<Option<Duration>>,
    /// Whether an answer did not come in time. Nothing is asked then: it could be answered with it.
    is_silent: Cell<bool>,
}

impl Session {
    /// Connects, within `bound`, which then bounds each call.
    ///
    /// # Errors
    /// What the server says, or [`Class::Lost`].
    pub(in crate::store) fn open<T>(config: &Config, tls: T, bound: Duration) -> Result<Self>
    where
        T: MakeTlsConnect<Socket>,
        T::TlsConnect: TlsConnect<Socket>,
        T::Stream: Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| SqlError::other(error.to_string()))?;
        let connected = runtime.block_on(async { timeout(bound, config.connect(tls)).await });
        let (client, mut connection) = connected.map_err(|_| silent(bound))??;
        let (notify, notified) = mpsc::channel(1);
        let reader = runtime.spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notification(_) = message {
                    // One that is not read yet stands for this one too.
                    let _ = notify.try_send(());
                }
            }
        });
        Ok(Self {
            runtime,
            client: Some(client),
            reader,
            notified: RefCell::new(notified),
            statements: RefCell::default(),
            later: RefCell::default(),
            bound: Cell::new(Some(bound)),
            is_silent: Cell::new(false),
        })
    }

    /// How long an answer may take from now on; `None` for as long as it takes.
    pub(in crate::store) fn bound(&self, bound: Option<Duration>) {
        self.bound.set(bound);
    }

    /// Runs statements that have no values and return nothing, in one message.
    pub(in crate::store) fn batch(&self, text: &str) -> Result<()> {
        self.after_others(self.client()?.batch_execute(text))
    }

    /// Undoes a transaction, with what was still to be sent of it.
    pub(in crate::store) fn rollback(&self) -> Result<()> {
        self.later.borrow_mut().clear();
        self.batch("ROLLBACK")
    }

    /// Waits for a notification, for `within` at most, and returns whether one came.
    ///
    /// # Errors
    /// [`Class::Lost`] if the connection has ended.
    pub(in crate::store) fn is_notified(&self, within: Duration) -> Result<bool> {
        let mut notified = self.notified.borrow_mut();
        let first = notified.recv();
        let heard = self
            .runtime
            .block_on(async { timeout(within, first).await });
        match heard {
            Ok(Some(())) => Ok(true),
            Ok(None) => Err(SqlError::new(Class::Lost, "the connection was closed")),
            Err(_) => Ok(false),
        }
    }

    /// Runs a `COPY … FROM STDIN BINARY` with these rows, whose columns have these types.
    pub(in crate::store) fn copy_in<'a>(
        &self,
        text: &str,
        types: &[Type],
        rows: impl Iterator<Item = Vec<Value<'a>>>,
    ) -> Result<()> {
        let client = self.client()?;
        let types: Vec<PgType> = types.iter().copied().map(pg_type).collect();
        self.wait(async {
            let mut writer = pin!(BinaryCopyInWriter::new(client.copy_in(text).await?, &types));
            for row in rows {
                writer.as_mut().write_raw(row).await?;
            }
            writer.finish().await?;
            Ok(())
        })
    }

    pub(super) fn execute(&self, text: &str, values: &[Value<'_>]) -> Result<usize> {
        let statement = self.prepared(text, values)?;
        let changed = self.after_others(self.client()?.execute(&statement, &parameters(values)))?;
        usize::try_from(changed).map_err(|_| SqlError::other("too many rows changed"))
    }

    pub(super) fn query(
        &self,
        text: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<tokio_postgres::Row>> {
        let statement = self.prepared(text, values)?;
        self.after_others(self.client()?.query(&statement, &parameters(values)))
    }

    /// Runs a statement before the next one. If it fails, the next one does.
    pub(super) fn later(&self, text: &str, values: &[Value<'_>]) -> Result<()> {
        let values: Option<_> = values.iter().map(OwnedValue::of).collect();
        let values = values.ok_or_else(|| SqlError::other("a list cannot be sent later"))?;
        let mut later = self.later.borrow_mut();
        later.push((text.to_owned(), values));
        let is_full = later.len() >= MAX_LATER;
        drop(later);
        match is_full {
            true => self.batch(""),
            false => Ok(()),
        }
    }

    /// Sends what was to be done before, and then this, and waits for all of it.
    fn after_others<T>(
        &self,
        answer: impl Future<Output = std::result::Result<T, Error>>,
    ) -> Result<T> {
        let later = std::mem::take(&mut *self.later.borrow_mut());
        if later.is_empty() {
            return self.wait(answer);
        }
        let client = self.client()?;
        let mut before = Vec::with_capacity(later.len());
        for (text, values) in &later {
            let values: Vec<Value<'_>> = values.iter().map(OwnedValue::borrow).collect();
            before.push((self.prepared(text, &values)?, values));
        }
        self.wait(async {
            // Each is sent when it is first polled, which is in this order.
            let before = before.iter().map(async |(statement, values)| {
                client.execute(statement, &parameters(values)).await
            });
            let (before, answer) = join(join_all(before), answer).await;
            before
                .into_iter()
                .collect::<std::result::Result<Vec<_>, _>>()?;
            answer
        })
    }

    /// The types of the values go with the text, since PostgreSQL infers none for a value that is
    /// only compared with NULL.
    fn prepared(&self, text: &str, values: &[Value<'_>]) -> Result<Statement> {
        if let Some(statement) = self.statements.borrow().get(text) {
            return Ok(statement.clone());
        }
        let types: Vec<PgType> = values.iter().map(type_of).collect();
        let statement = self.wait(self.client()?.prepare_typed(&numbered(text), &types))?;
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= MAX_PREPARED {
            statements.clear();
        }
        statements.insert(text.to_owned(), statement.clone());
        Ok(statement)
    }

    fn client(&self) -> Result<&Client> {
        let lost = |reason| SqlError::new(Class::Lost, reason);
        match self.is_silent.get() {
            true => Err(lost("the server has stopped answering")),
            false => self
                .client
                .as_ref()
                .ok_or_else(|| lost("there is no connection")),
        }
    }

    /// Waits for an answer.
    fn wait<T>(&self, answer: impl Future<Output = std::result::Result<T, Error>>) -> Result<T> {
        let Some(bound) = self.bound.get() else {
            return Ok(self.runtime.block_on(answer)?);
        };
        let answer = self
            .runtime
            .block_on(async { timeout(bound, answer).await });
        Ok(answer.map_err(|_| {
            self.is_silent.set(true);
            silent(bound)
        })??)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The reader ends once it has said goodbye to the server for a client that is gone.
        self.client = None;
        if !self.is_silent.get() {
            let reader = &mut self.reader;
            // What does not succeed ends with the runtime.
            let _ = self
                .runtime
                .block_on(async { timeout(FAREWELL, reader).await });
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(..)")
    }
}

fn silent(bound: Duration) -> SqlError {
    let reason = format!("the server gave no answer within {} s", bound.as_secs());
    SqlError::new(Class::Lost, reason)
}

fn parameters<'a>(values: &'a [Value<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

fn type_of(value: &Value<'_>) -> PgType {
    match value {
        Value::Null(kind) => pg_type(*kind),
        Value::Bool(_) => PgType::BOOL,
        Value::Integer(_) => PgType::INT8,
        Value::Text(_) => PgType::TEXT,
        Value::Blob(_) => PgType::BYTEA,
        Value::Blobs(_) => PgType::BYTEA_ARRAY,
    }
}

fn pg_type(kind: Type) -> PgType {
    match kind {
        Type::Any => PgType::UNKNOWN,
        Type::Bool => PgType::BOOL,
        Type::Integer => PgType::INT8,
        Type::Text => PgType::TEXT,
        Type::Blob => PgType::BYTEA,
    }
}
