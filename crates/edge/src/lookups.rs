//! The requests that wait for a key: one question for each key, however many requests wait.
//!
//! Knows no call, only its token, and not what an answer says.

use std::net::IpAddr;
use std::rc::Rc;

use keygate_core::keys::wire::MAX_LOOKUP;
use keygate_core::keys::{KeyHash, Lookup};
use keygate_core::{Millis, UnixMillis};
use litemap::LiteMap;

use crate::cache::name;
use crate::host::{RequestId, Token};
use crate::waiting::Waiter;

/// Most requests that wait for one key: half of all, so that one key leaves room for others.
const MAX_WAITERS_OF_ONE: usize = 512;

/// Most keys that are asked about at the same time. A question outlives those who asked it,
/// and clients that come and go must not pile up questions.
const MAX_QUESTIONS: usize = 1024;

/// How often a question is put before the answer counts as unavailable.
const MAX_ATTEMPTS: u8 = 2;

/// The table of one worker.
#[derive(Default)]
pub(crate) struct Lookups {
    /// By the name of its hashes.
    questions: LiteMap<KeyHash, Question>,
    calls: LiteMap<Token, Asked>,
}

/// The client that spent a token of the miss limit on a question. It owes the outcome also
/// when its request has ended before the answer.
#[derive(Clone, Copy)]
pub(crate) struct Payer(pub(crate) Option<IpAddr>);

/// A question that is answered.
#[derive(Default)]
pub(crate) struct Settled {
    /// The requests that waited for it.
    pub(crate) waiters: Vec<Waiter>,
    /// The client that it is counted against.
    pub(crate) payer: Option<Payer>,
}

/// What a call asks about.
pub(crate) struct Asked {
    /// The hashes of each question.
    pub(crate) questions: Vec<Rc<[KeyHash]>>,
    /// The generation of the cache when it was made.
    pub(crate) generation: u64,
    /// When it was made.
    pub(crate) at: UnixMillis,
}

struct Question {
    hashes: Rc<[KeyHash]>,
    waiters: Vec<Waiter>,
    payer: Option<Payer>,
    since: UnixMillis,
    is_sent: bool,
    attempts: u8,
}

impl Lookups {
    /// Whether a request waits for this key already: one more costs no question.
    pub(crate) fn is_asked(&self, lookup: &Lookup) -> bool {
        self.questions.contains_key(&name(&lookup.hashes))
    }

    /// Adds a request to those that wait for a key; gives it back when too many do. The first
    /// brings the payer.
    pub(crate) fn join(
        &mut self,
        lookup: Lookup,
        waiter: Waiter,
        payer: Option<Payer>,
        now: UnixMillis,
    ) -> Result<(), Waiter> {
        let is_full = self.questions.len() >= MAX_QUESTIONS && !self.is_asked(&lookup);
        if is_full {
            return Err(waiter);
        }
        let name = name(&lookup.hashes);
        let question = self.questions.entry(name).or_insert_with(|| Question {
            hashes: lookup.hashes.into(),
            waiters: Vec::new(),
            payer,
            since: now,
            is_sent: false,
            attempts: 0,
        });
        if question.waiters.len() >= MAX_WAITERS_OF_ONE {
            return Err(waiter);
        }
        question.waiters.push(waiter);
        Ok(())
    }

    /// Forgets a request whose client has gone. The lookup stays open: others may have it too.
    // Looks through all who wait, of whom there are a thousand at most.
    pub(crate) fn leave(&mut self, id: RequestId) {
        for question in self.questions.iter_mut().map(|(_, value)| value) {
            question.waiters.retain(|waiter| waiter.id != id);
        }
    }

    /// The next questions to put in one call; none when all is asked.
    pub(crate) fn unsent(&mut self) -> Vec<Rc<[KeyHash]>> {
        let mut room = MAX_LOOKUP;
        let unsent = self
            .questions
            .iter_mut()
            .map(|(_, value)| value)
            .filter(|it| !it.is_sent);
        unsent
            .map_while(|question| {
                room = room.checked_sub(question.hashes.len())?;
                question.is_sent = true;
                question.attempts = question.attempts.saturating_add(1);
                Some(Rc::clone(&question.hashes))
            })
            .collect()
    }

    /// Remembers what a call asks about.
    pub(crate) fn sent(&mut self, token: Token, asked: Asked) {
        self.calls.insert(token, asked);
    }

    /// What a call asked about; `None` for a call that is none of these.
    pub(crate) fn answered(&mut self, token: Token) -> Option<Asked> {
        self.calls.remove(&token)
    }

    /// Takes the requests that wait for a key, and who paid for the question.
    pub(crate) fn settle(&mut self, hashes: &[KeyHash]) -> Settled {
        let question = self.questions.remove(&name(hashes));
        question.map_or_else(Settled::default, |question| Settled {
            waiters: question.waiters,
            payer: question.payer,
        })
    }

    /// Puts a question once more. `false` when it was put often enough.
    #[must_use]
    pub(crate) fn ask_again(&mut self, hashes: &[KeyHash]) -> bool {
        match self.questions.get_mut(&name(hashes)) {
            Some(question) if question.attempts < MAX_ATTEMPTS => {
                question.is_sent = false;
                true
            }
            _ => false,
        }
    }

    /// Questions that have waited for longer than any call may take: their answer was lost.
    /// Calls that are as old are forgotten.
    pub(crate) fn overdue(&mut self, patience: Millis, now: UnixMillis) -> Vec<Rc<[KeyHash]>> {
        let is_late = |since: UnixMillis| since.0.abs_diff(now.0) > patience.0;
        self.calls.retain(|_, asked| !is_late(asked.at));
        self.questions
            .values()
            .filter(|question| is_late(question.since))
            .map(|question| Rc::clone(&question.hashes))
            .collect()
    }
}
