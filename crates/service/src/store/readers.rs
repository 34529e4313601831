//! Connections that read: a call takes one that is free.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Transaction};
use tokio::sync::Semaphore;

use super::StoreError;

/// Some connections for one kind of question.
#[derive(Debug)]
pub(super) struct Readers {
    /// As many permits as idle connections.
    free: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(connections: Vec<Connection>) -> Self {
        Self {
            free: Arc::new(Semaphore::new(connections.len())),
            idle: Arc::new(Mutex::new(connections)),
        }
    }

    /// Runs `work` in a transaction that sees one state of the database.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let closed = |_| StoreError::Failed("it is closed".to_owned());
        let permit = Arc::clone(&self.free).acquire_owned();
        let permit = permit.await.map_err(closed)?;
        let idle = Arc::clone(&self.idle);
        let read = move || {
            // Given back after the connection, so that who gets it finds one.
            let _permit = permit;
            let mut taken = Taken::of(&idle).ok_or_else(StoreError::panicked)?;
            let transaction = taken.connection()?.transaction()?;
            let answer = work(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        };
        tokio::task::spawn_blocking(read)
            .await
            .unwrap_or_else(|_| Err(StoreError::panicked()))
    }

    /// Closes the idle connections; the others close when their call ends.
    pub(super) fn close(&self) {
        self.free.close();
        lock(&self.idle).clear();
    }
}

/// A connection that goes back whatever happens.
struct Taken<'a> {
    connection: Option<Connection>,
    idle: &'a Mutex<Vec<Connection>>,
}

impl<'a> Taken<'a> {
    fn of(idle: &'a Mutex<Vec<Connection>>) -> Option<Self> {
        let connection = lock(idle).pop()?;
        Some(Self {
            connection: Some(connection),
            idle,
        })
    }

    fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        self.connection.as_mut().ok_or_else(StoreError::panicked)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        lock(self.idle).extend(self.connection.take());
    }
}

fn lock(idle: &Mutex<Vec<Connection>>) -> std::sync::MutexGuard<'_, Vec<Connection>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
