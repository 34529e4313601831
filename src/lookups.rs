//! Who waits for which key: one question for each hash, however many ask.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use keygate_core::app_key::KeyHash;
use keygate_core::grant::Edit;
use keygate_core::request::Header;
use keygate_core::time::{Millis, UnixMillis};
use keygate_core::wire::MAX_LOOKUP;

use crate::stream::State;

/// Most requests of one worker that wait at the same time; each keeps its headers.
pub const MAX_WAITERS: usize = 1024;

/// How often a question is put before the answer counts as unavailable.
const MAX_ATTEMPTS: u8 = 2;

/// A paused request, and what it takes to decide it again.
pub struct Waiter {
    /// The context of its stream.
    pub context: u32,
    /// Its headers as they arrived.
    pub headers: Vec<Header>,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// Shared with the stream: what it may let pass.
    pub state: Rc<Cell<State>>,
    /// Shared with the stream: what is to be done to the answer of the upstream.
    pub response_edits: Rc<Cell<Vec<Edit>>>,
}

/// The table of one root context.
#[derive(Default)]
pub struct Lookups {
    questions: BTreeMap<KeyHash, Question>,
    calls: BTreeMap<u32, Asked>,
}

/// What a call asks about.
#[derive(Default)]
pub struct Asked {
    /// The hashes.
    pub hashes: Vec<KeyHash>,
    /// The generation of the cache when it was made.
    pub generation: u64,
}

struct Question {
    waiters: Vec<Waiter>,
    since: UnixMillis,
    is_sent: bool,
    attempts: u8,
}

impl Lookups {
    /// Adds a request to those that wait for a key; gives it back when too many do.
    pub fn join(&mut self, hash: KeyHash, waiter: Waiter, now: UnixMillis) -> Result<(), Waiter> {
        let waiting: usize = self.questions.values().map(|it| it.waiters.len()).sum();
        if waiting >= MAX_WAITERS {
            return Err(waiter);
        }
        let question = self.questions.entry(hash).or_insert_with(|| Question {
            waiters: Vec::new(),
            since: now,
            is_sent: false,
            attempts: 0,
        });
        question.waiters.push(waiter);
        Ok(())
    }

    /// Forgets a request whose client has gone. The question stands: others may have it too.
    pub fn leave(&mut self, context: u32) {
        for question in self.questions.values_mut() {
            question.waiters.retain(|waiter| waiter.context != context);
        }
    }

    /// The next hashes to ask about in one call; none when all is asked.
    pub fn unsent(&mut self) -> Vec<KeyHash> {
        self.questions
            .iter_mut()
            .filter(|(_, question)| !question.is_sent)
            .take(MAX_LOOKUP)
            .map(|(hash, question)| {
                question.is_sent = true;
                question.attempts = question.attempts.saturating_add(1);
                *hash
            })
            .collect()
    }

    /// Remembers what a call asks about.
    pub fn sent(&mut self, token: u32, asked: Asked) {
        self.calls.insert(token, asked);
    }

    /// What a call asked about; `None` for a call that is none of these.
    pub fn answered(&mut self, token: u32) -> Option<Asked> {
        self.calls.remove(&token)
    }

    /// Takes those who wait for a key.
    pub fn settle(&mut self, hash: &KeyHash) -> Vec<Waiter> {
        let question = self.questions.remove(hash);
        question.map_or_else(Vec::new, |question| question.waiters)
    }

    /// Puts a question once more. `false` when it was put often enough.
    #[must_use]
    pub fn ask_again(&mut self, hash: &KeyHash) -> bool {
        match self.questions.get_mut(hash) {
            Some(question) if question.attempts < MAX_ATTEMPTS => {
                question.is_sent = false;
                true
            }
            _ => false,
        }
    }

    /// Hashes that have waited for longer than any call may take: their answer was lost.
    pub fn overdue(&self, patience: Millis, now: UnixMillis) -> Vec<KeyHash> {
        self.questions
            .iter()
            .filter(|(_, question)| question.since.0.abs_diff(now.0) > patience.0)
            .map(|(hash, _)| *hash)
            .collect()
    }
}
