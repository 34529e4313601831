//! What the requests of one worker have in common, and how they come to wait.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use keygate_core::decision::policy::Policy;
use keygate_core::decision::verdict::Redemption;
use keygate_core::decision::verdict::Verdict;
use keygate_core::keys::app_key::KeyHash;
use keygate_core::keys::failure_limit::FailureLimit;
use keygate_core::keys::record::{Answer, Knowledge, NoAnswer};
use keygate_core::keys::service::Lookup;
use keygate_core::reason::Reason;
use keygate_core::time::UnixMillis;
use keygate_edge::budget::FailureBudget;
use keygate_edge::cache::{KeyCache, LastKnown, Seed};
use keygate_edge::failure_limiter::{FailureLimiter, MAX_NETWORKS};
use keygate_edge::feed::Position;
use keygate_edge::links::{UnusedLinks, UsedLinks};

use crate::faults::Faults;
use crate::host;
use crate::lookups::Lookups;
use crate::metrics::count;
use crate::stream::{conclude, settle};
use crate::uses::{Question, Use, Uses};
use crate::waiting::{Room, Waiter};

/// Most keys that are asked about on account of one request.
const MAX_QUESTIONS_OF_ONE: u8 = 4;

/// Most paused requests that are decided in one go, of which a callback of the host has two at
/// most. Each of them may make the host call the module again before that callback has ended,
/// one call within the other: some three hundred fill the stack, and the virtual machine is
/// gone.
const MAX_DECIDED_AT_ONCE: usize = 32;

/// On what a paused request is decided.
enum Ground {
    /// What the key service said of its key, and how far the feed was followed then.
    Answer(Rc<[KeyHash]>, Knowledge, Option<Position>),
    /// Nothing: here an outage policy holds.
    LastKnown,
    /// Nothing, and none holds.
    NoAnswer,
    /// It is decided.
    Verdict(Verdict),
}

/// What a worker has in common for all its requests under one configuration.
pub struct Worker {
    /// What is allowed.
    pub policy: Policy,
    /// What is known of keys.
    pub cache: KeyCache,
    /// How many public-key signatures may turn out wrong.
    pub signatures: FailureBudget,
    /// How many unknown keys clients may present.
    misses: RefCell<FailureLimiter>,
    /// Who waits for which key.
    pub lookups: RefCell<Lookups>,
    /// Who waits with which link.
    pub uses: RefCell<Uses>,
    /// Links that need not be asked about any more.
    pub used_links: UsedLinks,
    /// Links about which a request that uses nothing up need not ask.
    pub unused_links: UnusedLinks,
    /// How calls to the key service have failed.
    pub faults: Faults,
    /// Who waits no longer for an answer, and on what each is to be decided.
    due: RefCell<VecDeque<(Waiter, Ground)>>,
    room: Rc<Room>,
    queue: Option<u32>,
}

impl Worker {
    /// Nobody waits yet. `queue` is the bell of the root context.
    pub fn new(policy: Policy, cache: KeyCache, seed: Seed, queue: Option<u32>) -> Self {
        let misses = policy.key_service.as_ref().map(|it| it.miss_limit);
        let limiter = |limit| FailureLimiter::new(limit, MAX_NETWORKS, seed);
        Self {
            signatures: FailureBudget::new(limiter(policy.signature_limit)),
            misses: RefCell::new(limiter(misses.unwrap_or(FailureLimit::MISSES))),
            policy,
            cache,
            lookups: RefCell::default(),
            uses: RefCell::default(),
            used_links: UsedLinks::default(),
            unused_links: UnusedLinks::default(),
            faults: Faults::default(),
            due: RefCell::default(),
            room: Rc::default(),
            queue,
        }
    }

    /// Lets a request wait for what the key service says of a key; gives it back with
    /// the reason when it cannot.
    pub fn ask(
        &self,
        lookup: Lookup,
        mut waiter: Waiter,
        now: UnixMillis,
    ) -> Result<(), (Waiter, Reason)> {
        let Some(queue) = self.queue else {
            return Err((waiter, Reason::KeyServiceUnavailable));
        };
        waiter.questions = waiter.questions.saturating_add(1);
        if waiter.questions > MAX_QUESTIONS_OF_ONE || !self.room.enter(&mut waiter) {
            return Err((waiter, Reason::Overloaded));
        }
        waiter.has_paid = lookup.is_opaque && !self.lookups.borrow().is_asked(&lookup);
        if waiter.has_paid {
            waiter.client = host::client_address();
            if !self.misses.borrow_mut().admit(waiter.client, now) {
                waiter.has_paid = false;
                return Err((waiter, Reason::TooManyMisses));
            }
        }
        let joined = self.lookups.borrow_mut().join(lookup, waiter, now);
        joined.map_err(|waiter| {
            self.refund(&waiter, now);
            (waiter, Reason::Overloaded)
        })?;
        // If the bell does not ring, the next tick finds the question.
        let _ = host::ring(queue);
        Ok(())
    }

    /// Lets a request wait until its link is used up; gives it back with the verdict when
    /// there is nothing to wait for, or no room.
    pub fn redeem(
        &self,
        mut waiter: Waiter,
        redemption: Box<Redemption>,
        now: UnixMillis,
    ) -> Result<(), (Waiter, Box<Verdict>)> {
        let settled = |one: Use, first| {
            let (waiter, verdict) = one.settle(first);
            Err((waiter, Box::new(verdict)))
        };
        let has_room = self.room.enter(&mut waiter);
        let one = Use::new(waiter, redemption, now);
        let link = one.link();
        if self.used_links.contains(link) {
            return settled(one, Some(false));
        }
        if !one.uses() && self.unused_links.contains(link, now) {
            return settled(one, Some(true));
        }
        let Some(queue) = self.queue else {
            return settled(one, None);
        };
        let joined = match has_room {
            true => self.uses.borrow_mut().join(one),
            false => Err(one),
        };
        if let Err(one) = joined {
            count("keygate_link_use.overloaded");
            return settled(one, None);
        }
        // If the bell does not ring, the next tick finds it.
        let _ = host::ring(queue);
        Ok(())
    }

    /// Forgets a request whose client has gone.
    pub fn leave(&self, context: u32) {
        self.due
            .borrow_mut()
            .retain(|(it, _)| it.context != context);
        self.uses.borrow_mut().leave(context);
        self.lookups.borrow_mut().leave(context);
    }

    /// All requests that wait for a key are due, on what is now known of it.
    pub fn settle(&self, hashes: &Rc<[KeyHash]>, knowledge: &Knowledge, now: UnixMillis) {
        let was_no_miss = matches!(knowledge, Knowledge::Known(_));
        let at = self.cache.position();
        for waiter in self.take(hashes) {
            match was_no_miss {
                true => self.refund(&waiter, now),
                false => self.count_miss(&waiter, now),
            }
            let ground = Ground::Answer(Rc::clone(hashes), knowledge.clone(), at);
            self.make_due(waiter, ground);
        }
    }

    /// The key service gave no answer about these keys: here an outage policy holds.
    pub fn give_up(&self, keys: &[Rc<[KeyHash]>]) {
        for waiter in keys.iter().flat_map(|hashes| self.take(hashes)) {
            self.make_due(waiter, Ground::LastKnown);
        }
    }

    /// It gave one that does not count, and may have meant to refuse the key.
    pub fn refuse(&self, hashes: &[KeyHash]) {
        for waiter in self.take(hashes) {
            self.make_due(waiter, Ground::NoAnswer);
        }
    }

    /// All requests that wait with a link are due, on what the key service said of it.
    pub fn settle_link(&self, question: &Question, first: Option<bool>) {
        let settled = self.uses.borrow_mut().settle(question, first);
        for (waiter, verdict) in settled {
            self.conclude(waiter, verdict);
        }
    }

    /// It is known what becomes of a request.
    pub fn conclude(&self, waiter: Waiter, verdict: Verdict) {
        self.make_due(waiter, Ground::Verdict(verdict));
    }

    fn make_due(&self, waiter: Waiter, ground: Ground) {
        self.due.borrow_mut().push_back((waiter, ground));
    }

    /// Decides who is due, as many as may be in one go; then rings for the others.
    pub fn decide_due(&self, now: UnixMillis) {
        for _ in 0..MAX_DECIDED_AT_ONCE {
            let due = self.due.borrow_mut().pop_front();
            let Some((waiter, ground)) = due else {
                return;
            };
            match ground {
                Ground::Answer(hashes, knowledge, at) if at == self.cache.position() => {
                    let answer = Answer {
                        hashes: &hashes,
                        knowledge,
                        others: &self.cache,
                    };
                    settle(self, waiter, &answer, now);
                }
                // The feed has told more since, perhaps of this key.
                Ground::Answer(..) => settle(self, waiter, &self.cache, now),
                Ground::LastKnown => settle(self, waiter, &LastKnown(&self.cache), now),
                Ground::NoAnswer => {
                    settle(self, waiter, &NoAnswer(Reason::KeyServiceUnavailable), now);
                }
                Ground::Verdict(verdict) => conclude(&waiter, verdict),
            }
        }
        let is_done = self.due.borrow().is_empty();
        if let Some(queue) = self.queue.filter(|_| !is_done) {
            // If the bell does not ring, the next tick goes on.
            let _ = host::ring(queue);
        }
    }

    fn take(&self, hashes: &[KeyHash]) -> Vec<Waiter> {
        self.lookups.borrow_mut().settle(hashes)
    }

    /// Counts an unknown key against the client whose request asked about it.
    fn count_miss(&self, waiter: &Waiter, now: UnixMillis) {
        if waiter.has_paid {
            self.misses.borrow_mut().failed(waiter.client, now);
        }
    }

    /// Gives the client its token back: what it asked about was no miss.
    fn refund(&self, waiter: &Waiter, now: UnixMillis) {
        if waiter.has_paid {
            self.misses.borrow_mut().succeeded(waiter.client, now);
        }
    }
}
