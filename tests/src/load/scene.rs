//! What the clients of a load share: who they ask, their keys, and how every answer was judged.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::json;

use super::credentials::{Credential, Forge, Key};
use super::oracle::{Answer, Bounds, Finding, Oracle, Spell, Trouble};
use super::tally::Tally;
use crate::client::{Connection, Request};
use crate::service::Service;
use crate::stack::Stack;
use crate::wait;

/// Which request it is, for the upstream.
const NUMBER: &str = "x-load-number";

/// Most requests of the past that the upstream may still bring news of.
const REMEMBERED: u64 = 100_000;

/// Keys that every worker has used.
const WARM: usize = 6;

/// How many unused keys lie ready: for ten seconds of an outage, in which none is created.
pub(super) const COLD: usize = 150;

/// What the clients share.
pub struct Scene {
    /// Envoy and the upstream.
    pub stack: Stack,
    /// Beside them.
    pub service: Service,
    /// Makes credentials that were never issued.
    pub forge: Forge,
    pub(super) keys: Mutex<Keys>,
    oracle: Mutex<Oracle>,
    tally: Mutex<Tally>,
    /// Requests that must not reach the upstream, and what they showed.
    forbidden: Mutex<BTreeMap<u64, &'static str>>,
    count: AtomicU64,
    in_flight: Mutex<BTreeSet<u64>>,
    pub(super) created: AtomicU64,
    pub(super) revoked: AtomicU64,
}

/// Keys that were issued.
#[derive(Default)]
pub(super) struct Keys {
    pub warm: Vec<Arc<Key>>,
    /// Never used.
    pub cold: VecDeque<Arc<Key>>,
    /// Used since they were created.
    pub live: VecDeque<Arc<Key>>,
    /// Revoked, or asked to be.
    pub dead: VecDeque<Arc<Key>>,
}

impl Scene {
    /// Before the first request.
    pub(super) fn new(stack: Stack, service: Service, bounds: Bounds) -> Self {
        Self {
            stack,
            service,
            forge: Forge::new(),
            keys: Mutex::default(),
            oracle: Mutex::new(Oracle {
                bounds,
                spells: Vec::new(),
            }),
            tally: Mutex::default(),
            forbidden: Mutex::default(),
            count: AtomicU64::new(0),
            in_flight: Mutex::default(),
            created: AtomicU64::new(0),
            revoked: AtomicU64::new(0),
        }
    }

    /// Sends one request, judges its answer and counts it. The connection is made when there
    /// is none, and gone afterwards when it cannot be used again.
    pub fn ask(&self, connection: &mut Option<Connection>, credential: &Credential) -> Answer {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let request = credential
            .request(self.stack.envoy.port())
            .header(NUMBER, number.to_string())
            .patience(lock(&self.oracle).bounds.patience());
        let (right, sent) = (credential.right(), Instant::now());
        if !lock(&self.oracle).may_pass(right, sent) {
            lock(&self.forbidden).insert(number, credential.name());
        }
        lock(&self.in_flight).insert(number);
        let (answer, problem) = exchange(connection, &request, self.stack.envoy.port());
        let answered = Instant::now();
        lock(&self.in_flight).remove(&number);
        let later = (credential.right(), answered);
        let finding = lock(&self.oracle).judge((right, sent), later, answer);
        if finding == Finding::WronglyPassed {
            // It counts once.
            lock(&self.forbidden).remove(&number);
        }
        let mut tally = lock(&self.tally);
        let took = answered - sent;
        tally.add(finding, sent, took, || {
            let name = credential.name();
            format!("{name}: {answer:?} after {took:?}{problem}")
        });
        if let (Answer::Passed, Some(revoked)) = (answer, credential.revoked()) {
            let late = sent.saturating_duration_since(revoked);
            tally.slowest_revocation = tally.slowest_revocation.max(late);
        }
        answer
    }

    /// Something begins to be broken: to be said before it is.
    pub fn begin(&self, trouble: Trouble) {
        lock(&self.oracle).spells.push(Spell {
            trouble,
            from: Instant::now(),
            until: None,
        });
    }

    /// The machine, or the key service on it, was too slow since then.
    pub(super) fn was_slow(&self, since: Instant) {
        lock(&self.oracle).spells.push(Spell {
            trouble: Trouble::Busy,
            from: since,
            until: Some(Instant::now()),
        });
    }

    /// What is broken is broken no longer: to be said after it was healed. Says when.
    pub fn end(&self) -> Instant {
        let now = Instant::now();
        for spell in &mut lock(&self.oracle).spells {
            spell.until.get_or_insert(now);
        }
        now
    }

    /// A key that every worker knows.
    #[must_use]
    pub fn warm_key(&self) -> Option<Credential> {
        lock(&self.keys).warm.first().cloned().map(Credential::Warm)
    }

    /// An unused key.
    #[must_use]
    pub fn cold_key(&self) -> Option<Credential> {
        lock(&self.keys).cold.pop_front().map(Credential::Issued)
    }

    /// Waits until there are enough unused keys for an outage.
    ///
    /// # Panics If none are created.
    pub fn wait_for_cold_keys(&self) {
        wait::until("unused keys", wait::STARTUP, || {
            (lock(&self.keys).cold.len() >= COLD * 3 / 4).then_some(())
        });
    }

    /// What is promised.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        lock(&self.oracle).bounds
    }

    /// How it went since the last time, also at the upstream.
    pub fn take(&self) -> Tally {
        self.compare_with_upstream();
        std::mem::take(&mut lock(&self.tally))
    }

    /// Waits until all is answered that is asked by now.
    ///
    /// # Panics
    /// When a client has no patience.
    pub fn wait_for_answers(&self) {
        let newest = self.count.load(Ordering::Relaxed);
        let bound = self.bounds().patience() + wait::STARTUP;
        wait::until("every request to be answered or given up", bound, || {
            let oldest = lock(&self.in_flight).first().copied();
            oldest.is_none_or(|it| it >= newest).then_some(())
        });
    }

    /// How it went so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        lock(&self.tally).clone()
    }

    /// Counts what has reached the upstream and must not have.
    pub fn compare_with_upstream(&self) {
        for received in self.stack.echo.take() {
            let number = received.header(NUMBER).and_then(|it| it.parse().ok());
            let Some(number) = number else { continue };
            if let Some(what) = lock(&self.forbidden).remove(&number) {
                let text = format!("WronglyPassed: {what}: the upstream has got it");
                lock(&self.tally).reached_upstream(text);
            }
        }
        let old = self
            .count
            .load(Ordering::Relaxed)
            .saturating_sub(REMEMBERED);
        let mut forbidden = lock(&self.forbidden);
        *forbidden = forbidden.split_off(&old);
    }

    /// How often the filter has counted this.
    #[must_use]
    pub fn counted(&self, name: &str) -> u64 {
        let name = format!("wasmcustom.{name}");
        self.stack.envoy.stat(&name).unwrap_or(0)
    }

    /// How many keys were created, and how many revoked.
    #[must_use]
    pub fn managed(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.created), read(&self.revoked))
    }

    /// How often a virtual machine was recreated.
    #[must_use]
    pub fn reloads(&self) -> u64 {
        let stats = self.stack.envoy.stats("vm_reload_success");
        stats.iter().map(|(_, count)| count).sum()
    }

    pub(super) fn issue_warm(&self) {
        for number in 0..WARM {
            let account = format!("warm-{number}");
            let created = self.service.create_key(&json!({ "account": account }));
            lock(&self.keys).warm.push(Key::issued(created));
        }
    }

    /// Until every worker follows the feed and has every warm key in its cache.
    pub(super) fn warm_up(&self) {
        let warm = lock(&self.keys).warm.clone();
        let mut connections: Vec<Option<Connection>> = (0..24).map(|_| None).collect();
        wait::until("every worker to know the warm keys", wait::STARTUP, || {
            let before = self.counted("keygate_lookup.answered");
            let followed = self.counted("keygate_poll.answered") > 2;
            for connection in &mut connections {
                for key in &warm {
                    self.ask(connection, &Credential::Issued(Arc::clone(key)));
                }
            }
            (followed && before > 0 && self.counted("keygate_lookup.answered") == before)
                .then_some(())
        });
        self.take();
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn exchange(connection: &mut Option<Connection>, request: &Request, port: u16) -> (Answer, String) {
    let mut open = match connection.take() {
        Some(open) => open,
        None => match Connection::try_open(port) {
            Ok(open) => open,
            Err(error) => return (Answer::Missing, format!(": {error}")),
        },
    };
    match open.try_exchange(request) {
        Ok(response) => {
            if response.header("connection").as_deref() != Some("close") {
                *connection = Some(open);
            }
            match response.status {
                200 => (Answer::Passed, String::new()),
                status => (Answer::Rejected(status), String::new()),
            }
        }
        Err(error) => (Answer::Missing, format!(": {error}")),
    }
}
