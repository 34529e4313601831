//! The open connections: what each waits for, and which one gives way.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Limits;

/// How often a full service looks whether a connection has become idle.
const RECHECK: Duration = Duration::from_millis(100);

/// All connections of a service.
#[derive(Debug, Default)]
pub(super) struct Open {
    connections: Mutex<Connections>,
    /// Told of the end of each connection. One waits at a time.
    ended: Notify,
}

/// By number, so that the oldest is the first. A connection that has to end is in neither map.
#[derive(Debug, Default)]
struct Connections {
    next: u64,
    anonymous: BTreeMap<u64, Arc<State>>,
    known: BTreeMap<u64, Arc<State>>,
    /// How many have to end, and have not yet.
    leaving: usize,
}

/// One connection.
#[derive(Debug)]
struct State {
    number: u64,
    phase: Mutex<Phase>,
    is_known: AtomicBool,
    has_unread_body: AtomicBool,
    evicted: Notify,
}

/// What a connection waits for, and since when.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The headers of a request.
    Head(Instant),
    /// The answer to it. What this takes is bounded where it is made.
    Answer,
    /// The next request.
    Idle(Instant),
}

impl Open {
    /// Makes room for the connection `newest`, which itself stays. Returns when no more than
    /// `most` are open.
    pub(super) async fn shrink(&self, most: usize, newest: u64) {
        loop {
            {
                let mut connections = self.lock();
                let count = connections.count();
                if count <= most {
                    return;
                }
                if count.saturating_sub(connections.leaving) > most {
                    connections.evict(Some(newest));
                }
            }
            // Whether it ends: also the next time a connection may be idle.
            let _ = tokio::time::timeout(RECHECK, self.ended.notified()).await;
        }
    }

    /// Tells a connection other than `kept` to end, if one can.
    pub(super) fn evict(&self, kept: Option<u64>) {
        self.lock().evict(kept);
    }

    /// Returns when the last connection has ended.
    pub(super) async fn emptied(&self) {
        while self.lock().count() > 0 {
            self.ended.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        let connections = self.connections.lock();
        connections.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    fn count(&self) -> usize {
        let staying = self.anonymous.len().saturating_add(self.known.len());
        staying.saturating_add(self.leaving)
    }

    fn evict(&mut self, kept: Option<u64>) {
        let other = |number: &&u64| Some(**number) != kept;
        let anonymous = self.anonymous.keys().find(other).copied();
        let state = match anonymous {
            Some(number) => self.anonymous.remove(&number),
            None => {
                let others = self.known.values().filter(|it| other(&&it.number));
                let idle = others.filter_map(|it| Some((it.idle_since()?, it.number)));
                let longest = idle.min().map(|(_, number)| number);
                longest.and_then(|number| self.known.remove(&number))
            }
        };
        if let Some(state) = state {
            self.leaving = self.leaving.saturating_add(1);
            state.evicted.notify_one();
        }
    }
}

impl State {
    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle_since(&self) -> Option<Instant> {
        match *self.phase() {
            Phase::Idle(since) => Some(since),
            Phase::Head(_) | Phase::Answer => None,
        }
    }
}

/// The place of a connection, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place(Peer);

impl Place {
    /// Takes a place, whether there is one or not: see [`Open::shrink`].
    pub(super) fn take(open: &Arc<Open>) -> Self {
        let mut connections = open.lock();
        let number = connections.next;
        connections.next = number.wrapping_add(1);
        let state = Arc::new(State {
            number,
            phase: Mutex::new(Phase::Head(Instant::now())),
            is_known: AtomicBool::new(false),
            has_unread_body: AtomicBool::new(false),
            evicted: Notify::new(),
        });
        connections.anonymous.insert(number, Arc::clone(&state));
        Self(Peer {
            open: Arc::clone(open),
            state,
        })
    }

    pub(super) fn number(&self) -> u64 {
        self.0.state.number
    }

    pub(super) fn peer(&self) -> Peer {
        self.0.clone()
    }

    /// Returns when the connection has to give way.
    pub(super) async fn evicted(&self) {
        self.0.state.evicted.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Peer { open, state } = &self.0;
        let mut connections = open.lock();
        let anonymous = connections.anonymous.remove(&state.number);
        let known = connections.known.remove(&state.number);
        if anonymous.or(known).is_none() {
            connections.leaving = connections.leaving.saturating_sub(1);
        }
        drop(connections);
        open.ended.notify_one();
    }
}

/// The connection that a request came by.
#[derive(Clone)]
pub(crate) struct Peer {
    open: Arc<Open>,
    state: Arc<State>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state.fmt(f)
    }
}

impl Peer {
    /// Notes that a request was authenticated: anonymous connections do not displace this one.
    pub(crate) fn authenticated(&self) {
        if self.state.is_known.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut connections = self.open.lock();
        // Unless it has to end.
        if let Some(state) = connections.anonymous.remove(&self.state.number) {
            connections.known.insert(state.number, state);
        }
    }

    /// Notes that a request was answered before its body was read: the connection has to close, and
    /// the rest of the body arrives meanwhile.
    pub(crate) fn left_body(&self) {
        self.state.has_unread_body.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_unread_body(&self) -> bool {
        self.state.has_unread_body.load(Ordering::Relaxed)
    }

    /// Notes that bytes came: between two requests they are the first of the next.
    pub(super) fn heard(&self) {
        let mut phase = self.state.phase();
        if let Phase::Idle(_) = *phase {
            *phase = Phase::Head(Instant::now());
        }
    }

    /// Notes that the headers of a request are complete.
    pub(super) fn asked(&self) {
        *self.state.phase() = Phase::Answer;
    }

    /// Notes that a request has its answer, which is still to be sent.
    pub(super) fn answered(&self) {
        *self.state.phase() = Phase::Idle(Instant::now());
    }

    /// When the connection has waited too long.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match *self.state.phase() {
            Phase::Head(since) => Some(since + limits.head),
            Phase::Answer => None,
            Phase::Idle(since) => Some(since + limits.idle),
        }
    }
}
