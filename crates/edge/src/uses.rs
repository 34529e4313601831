//! Links that work once: one call for each link, however many requests wait with it.

use std::collections::VecDeque;

use keygate_core::decision::Redemption;
use keygate_core::signed_url::OnceLink;
use keygate_core::{Millis, UnixMillis, Verdict};
use litemap::LiteMap;

use crate::host::{RequestId, Token};
use crate::waiting::Waiter;

/// Most calls under way. Lookups of cold keys share the cluster with them.
const MAX_CALLS: usize = 8;

/// Most requests that wait with links: half of all that may wait, so that keys have room.
const MAX_WAITERS: usize = 512;

/// Most requests that wait with one link, so that one link leaves room for others.
const MAX_WAITERS_OF_ONE: usize = 256;

/// A paused request whose link works once.
pub(crate) struct Use {
    waiter: Box<Waiter>,
    redemption: Box<Redemption>,
    since: UnixMillis,
}

/// A question to the key service about one link.
pub(crate) struct Question {
    /// The link.
    pub(crate) link: OnceLink,
    /// Whether it is to be used up. Otherwise the key service only tells.
    pub(crate) uses: bool,
}

/// A question that was sent.
pub(crate) struct Asked {
    /// What it asks.
    pub(crate) question: Question,
    /// When it was sent.
    pub(crate) at: UnixMillis,
}

/// Those of one worker.
///
/// Each link that requests wait with is either in the queue or in one call.
#[derive(Default)]
pub(crate) struct Uses {
    /// By the id of the link; the request that has waited longest is the first.
    waiting: LiteMap<String, Vec<Use>>,
    /// Links that are not asked about yet, in the order in which they came.
    queue: VecDeque<String>,
    calls: LiteMap<Token, Asked>,
}

impl Uses {
    /// Adds a request; gives it back when too many wait.
    pub(crate) fn join(&mut self, one: Use) -> Result<(), Use> {
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
    pub(crate) fn leave(&mut self, id: RequestId) {
        for waiting in self.waiting.iter_mut().map(|(_, value)| value) {
            waiting.retain(|it| it.waiter.id != id);
        }
        self.tidy();
    }

    /// The next question, unless enough are under way.
    pub(crate) fn next(&mut self) -> Option<Question> {
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
    pub(crate) fn sent(&mut self, token: Token, question: Question, now: UnixMillis) {
        self.calls.insert(token, Asked { question, at: now });
    }

    /// What a call asked; `None` for a call that is none of these.
    pub(crate) fn answered(&mut self, token: Token) -> Option<Asked> {
        self.calls.remove(&token)
    }

    /// Decides the requests that wait with a link: `Some(true)` says that it was unused,
    /// `None` that the question has no answer.
    ///
    /// Where the question used the link up, the first request that needs this gets it. Where
    /// it only asked, such requests wait for a question of their own.
    pub(crate) fn settle(
        &mut self,
        question: &Question,
        first: Option<bool>,
    ) -> Vec<(Waiter, Verdict)> {
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
    pub(crate) fn overdue(&mut self, patience: Millis, now: UnixMillis) -> Overdue {
        let is_late = |since: UnixMillis| since.0.abs_diff(now.0) > patience.0;
        let is_lost = |(_, call): &(&Token, &Asked)| is_late(call.at);
        let calls = self.calls.iter().filter(is_lost);
        let lost: Vec<String> = calls.map(|(_, it)| it.question.link.id.clone()).collect();
        self.calls.retain(|_, call| !is_late(call.at));
        let mut late = Vec::new();
        for waiting in self.waiting.iter_mut().map(|(_, value)| value) {
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
pub(crate) struct Overdue {
    /// How many calls brought no answer.
    pub(crate) lost_calls: usize,
    /// The requests, and what becomes of each.
    pub(crate) waiters: Vec<(Waiter, Verdict)>,
}

impl Use {
    /// A request whose link is to be asked about.
    pub(crate) fn new(waiter: Waiter, redemption: Box<Redemption>, now: UnixMillis) -> Self {
        Self {
            waiter: Box::new(waiter),
            redemption,
            since: now,
        }
    }

    /// Its link.
    pub(crate) fn link(&self) -> &OnceLink {
        &self.redemption.link
    }

    /// Whether it uses the link up.
    pub(crate) fn uses(&self) -> bool {
        self.redemption.uses
    }

    /// The request and its verdict: `Some(true)` for a link that was not used before, `None`
    /// when that is unknown.
    pub(crate) fn settle(self, first: Option<bool>) -> (Waiter, Verdict) {
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
        (*self.waiter, verdict)
    }
}
