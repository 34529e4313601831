//! Lookups from a server: those that wait at the same time are one statement, since its round trip and
//! the thread that it wakes cost more than the rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keygate_core::keys::KeyHash;
use keygate_core::keys::wire::{Record, Want};
use tokio::sync::oneshot;

use super::StoreError;
use super::connection::Connection;
use super::lookup::{Asked, Found, at_once};
use super::readers::Readers;
use super::sql::{self, Sql};

/// Most lookups that wait.
const MAX_WAITING: usize = 4096;

/// After so many hashes, a statement takes no further lookup.
const MAX_HASHES: usize = 200;

/// The lookups that wait for a statement.
#[derive(Default)]
pub(super) struct Gathered(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    lookups: Vec<Lookup>,
    /// Whether a thread has yet to take what waits.
    is_posted: bool,
}

struct Lookup {
    asked: Asked,
    answer: oneshot::Sender<Result<Found, StoreError>>,
}

impl Gathered {
    /// Looks up hashes, in the next statement.
    ///
    /// # Errors
    /// Those of the statement, and [`StoreError::Overloaded`] when too many wait.
    pub(super) async fn lookup(
        self: &Arc<Self>,
        readers: &Readers,
        asked: Asked,
    ) -> Result<Found, StoreError> {
        let (answer, found) = oneshot::channel();
        let is_posted = {
            let mut waiting = self.lock();
            if waiting.lookups.len() >= MAX_WAITING {
                return Err(StoreError::Overloaded);
            }
            waiting.lookups.push(Lookup { asked, answer });
            std::mem::replace(&mut waiting.is_posted, true)
        };
        if !is_posted {
            let gathered = Arc::clone(self);
            let posted = readers.post(move |connection| gathered.answer(connection));
            if posted.is_err() {
                for lookup in self.lock().take(usize::MAX) {
                    let _ = lookup.answer.send(Err(StoreError::Overloaded));
                }
            }
        }
        found.await.map_err(|_| StoreError::panicked())?
    }

    /// Answers all that wait.
    fn answer(&self, connection: &mut Connection) {
        loop {
            let mut batch = self.lock().take(MAX_HASHES);
            batch.retain(|lookup| !lookup.answer.is_closed());
            if batch.is_empty() {
                return;
            }
            match connection.read(|sql| find(sql, &batch)) {
                Ok(found) => {
                    for (lookup, found) in batch.into_iter().zip(found) {
                        // A caller that has gone needs no answer.
                        let _ = lookup.answer.send(Ok(found));
                    }
                }
                Err(error) => {
                    for lookup in batch {
                        let _ = lookup.answer.send(Err(error.clone().into()));
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Gathered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gathered(..)")
    }
}

impl Waiting {
    /// Takes lookups until they have so many hashes. The next that comes posts a thread again.
    fn take(&mut self, most: usize) -> Vec<Lookup> {
        self.is_posted = false;
        let mut count = 0_usize;
        let end = self.lookups.iter().position(|lookup| {
            let is_full = count >= most;
            count = count.saturating_add(lookup.asked.hashes.len());
            is_full
        });
        let end = end.unwrap_or(self.lookups.len());
        self.lookups.drain(..end).collect()
    }
}

/// What each of these lookups finds: one statement for those by the same rights that want the same.
fn find(sql: &Sql<'_>, batch: &[Lookup]) -> sql::Result<Vec<Found>> {
    let of = |lookup: &Lookup| {
        let Asked { spaces, want, .. } = &lookup.asked;
        (
            spaces.name().map(str::to_owned),
            want.contains(&Want::Sealed),
        )
    };
    let mut groups: BTreeMap<_, (&[Want], Vec<KeyHash>)> = BTreeMap::new();
    for lookup in batch {
        let Asked { want, hashes, .. } = &lookup.asked;
        let (_, all) = groups.entry(of(lookup)).or_insert((want, Vec::new()));
        all.extend(hashes);
    }
    let mut answers = BTreeMap::new();
    for (group, (want, hashes)) in groups {
        let found = at_once(sql, group.0.as_deref(), want, &hashes)?;
        let records = found.records.into_iter();
        let records: HashMap<KeyHash, Record> = records.map(|it| (it.hash, it)).collect();
        answers.insert(group, (found.incarnation, found.epoch, records));
    }
    let found = batch.iter().filter_map(|lookup| {
        let (incarnation, epoch, records) = answers.get(&of(lookup))?;
        let hashes = lookup.asked.hashes.iter();
        Some(Found {
            incarnation: *incarnation,
            epoch: *epoch,
            records: hashes.filter_map(|it| records.get(it).cloned()).collect(),
        })
    });
    Ok(found.collect())
}
