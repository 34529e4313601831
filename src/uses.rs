//! Links that work once: one call for each link, however many requests wait with it.

use std::collections::VecDeque;

use keygate_core::decision::verdict::Redemption;
use keygate_core::decision::verdict::Verdict;
use keygate_core::signed_url::once_link::OnceLink;
use keygate_core::time::{Millis, UnixMillis};
use litemap::LiteMap;

use crate::waiting::Waiter;

/// Most calls under way. Lookups of cold keys share the cluster with them.
const MAX_CALLS: usize = 8;

/// Most requests that wait with links: half of all that may wait, so that keys have room.
const MAX_WAITERS: usize = 512;

/// Most requests that wait with one link, so that one link leaves room for others.
const MAX_WAITERS_OF_ONE: usize = 256;

/// A paused request whose link works once.
pub struct Use {
    waiter: Waiter,
    redemption: Box<Redemption>,
    since: UnixMillis,
}

/// A question to the key service about one link.
pub struct Question {
    /// The link.
    pub link: OnceLink,
    /// Whether it is to be used up. Otherwise the key service only tells.
    pub uses: bool,
}

/// A question that was sent.
pub struct Call {
    /// What it asks.
    pub question: Question,
    /// When it was sent.
    pub at: UnixMillis,
}

/// Those of one root context.
///
/// Each link that requests wait with is either in the queue or in one call.
#[derive(Default)]
pub struct Uses {
    /// By the id of the link; the request that has waited longest is the first.
    waiting: LiteMap<String, Vec<Use>>,
    /// Links that are not asked about yet, in the order in which they came.
    queue: VecDeque<String>,
    calls: LiteMap<u32, Call>,
}

impl Uses {
    /// Adds a request; gives it back when too many wait.
    pub fn join(&mut self, one: Use) -> Result<(), Use> {
        let all = self.waiting.values().map(Vec::len);
        let id = &one.redemption.link.id;
        let of_one = self.waiting.get(id).map_or(0, Vec::len);
        if all.sum::<usize>() >= MAX_WAITERS || of_one >= MAX_WAITERS_OF_ONE {
            return Err(one);
        }
        match self.waiting.get_mut(id) {
            Some(waiting) => waiting.push(one),
            None => {
                self.queue.push_back(id.clone());
                self.waiting.insert(id.clone(), vec![one]);
            }
        }
        Ok(())
    }

    /// Forgets a request whose client has gone. A link that was asked about may be used up.
    pub fn leave(&mut self, context: u32) {
        for (_, waiting) in self.waiting.iter_mut() {
            waiting.retain(|it| it.waiter.context != context);
        }
        self.tidy();
    }

    /// The next question, unless enough are under way.
    pub fn next(&mut self) -> Option<Question> {
        if self.calls.len() >= MAX_CALLS {
            return None;
        }
        let waiting = std::iter::from_fn(|| self.queue.pop_front())
            .find_map(|id| self.waiting.get(&id).filter(|it| !it.is_empty()))?;
        Some(Question {
            link: waiting.first()?.redemption.link.clone(),
            uses: waiting.iter().any(Use::uses),
        })
    }

    /// Remembers the call of a question.
    pub fn sent(&mut self, token: u32, question: Question, now: UnixMillis) {
        self.calls.insert(token, Call { question, at: now });
    }

    /// What a call asked; `None` for a call that is none of these.
    pub fn answered(&mut self, token: u32) -> Option<Call> {
        self.calls.remove(&token)
    }

    /// Decides the requests that wait with a link: `Some(true)` says that it was unused,
    /// `None` that the question has no answer.
    ///
    /// Where the question used the link up, the first request that needs this gets it. Where
    /// it only asked, such requests wait for a question of their own.
    pub fn settle(&mut self, question: &Question, first: Option<bool>) -> Vec<(Waiter, Verdict)> {
        let id = &question.link.id;
        let mut waiting = self.waiting.remove(id).unwrap_or_default();
        if first == Some(true) && !question.uses {
            let needs_use = |it: &mut Use| it.redemption.uses;
            let others: Vec<Use> = waiting.extract_if(.., needs_use).collect();
            if !others.is_empty() {
                self.waiting.insert(id.clone(), others);
                self.queue.push_front(id.clone());
            }
        }
        let mut is_free = first == Some(true);
        let settle = |one: Use| match one.redemption.uses {
            true => one.settle(first.map(|_| std::mem::take(&mut is_free))),
            false => one.settle(first),
        };
        waiting.into_iter().map(settle).collect()
    }

    /// Forgets calls whose answer was lost, and gives up requests that have waited as long.
    pub fn overdue(&mut self, patience: Millis, now: UnixMillis) -> Overdue {
        let is_late = |since: UnixMillis| since.0.abs_diff(now.0) > patience.0;
        let is_lost = |(_, call): &(&u32, &Call)| is_late(call.at);
        let calls = self.calls.iter().filter(is_lost);
        let lost: Vec<String> = calls.map(|(_, it)| it.question.link.id.clone()).collect();
        self.calls.retain(|_, call| !is_late(call.at));
        let mut late = Vec::new();
        for (_, waiting) in self.waiting.iter_mut() {
            late.extend(waiting.extract_if(.., |it| is_late(it.since)));
        }
        let lost_calls = lost.len();
        // Requests that joined after the call was sent have some patience left.
        self.queue.extend(lost);
        self.tidy();
        Overdue {
            lost_calls,
            waiters: late.into_iter().map(|it| it.settle(None)).collect(),
        }
    }

    /// Drops the links that no request waits with any more. Those of calls go with the answer.
    fn tidy(&mut self) {
        let Self {
            waiting,
            queue,
            calls,
        } = self;
        let is_asked = |id: &str| calls.values().any(|it| it.question.link.id == id);
        waiting.retain(|id, all| !all.is_empty() || is_asked(id));
        queue.retain(|id| waiting.contains_key(id));
    }
}

/// What has waited too long.
pub struct Overdue {
    /// How many calls brought no answer.
    pub lost_calls: usize,
    /// The requests, and what becomes of each.
    pub waiters: Vec<(Waiter, Verdict)>,
}

impl Use {
    /// A request that begins to wait.
    pub fn new(waiter: Waiter, redemption: Box<Redemption>, now: UnixMillis) -> Self {
        Self {
            waiter,
            redemption,
            since: now,
        }
    }

    /// Its link.
    pub fn link(&self) -> &OnceLink {
        &self.redemption.link
    }

    /// Whether it uses the link up.
    pub fn uses(&self) -> bool {
        self.redemption.uses
    }

    /// The request and its verdict: `Some(true)` for a link that was not used before, `None`
    /// when that is unknown.
    pub fn settle(self, first: Option<bool>) -> (Waiter, Verdict) {
        let Redemption {
            grant,
            used,
            unavailable,
            ..
        } = *self.redemption;
        let verdict = match first {
            Some(true) => Verdict::Allow(grant),
            Some(false) => Verdict::Deny(used),
            None => Verdict::Deny(unavailable),
        };
        (self.waiter, verdict)
    }
}
