//! Links that work once: a call for each, since nobody shares the answer.

use std::collections::VecDeque;

use keygate_core::once::Redemption;
use keygate_core::policy::Verdict;
use keygate_core::time::{Millis, UnixMillis};
use litemap::LiteMap;

use crate::waiting::Waiter;

/// A paused request whose link works once.
pub struct Use {
    /// The request.
    pub waiter: Waiter,
    /// What depends on the answer.
    pub redemption: Box<Redemption>,
    since: UnixMillis,
}

/// Those of one root context.
#[derive(Default)]
pub struct Uses {
    queued: VecDeque<Use>,
    calls: LiteMap<u32, Use>,
}

impl Uses {
    /// Adds a request.
    pub fn join(&mut self, waiter: Waiter, redemption: Box<Redemption>, now: UnixMillis) {
        self.queued.push_back(Use {
            waiter,
            redemption,
            since: now,
        });
    }

    /// Forgets a request whose client has gone. A link that was asked about may be used up.
    pub fn leave(&mut self, context: u32) {
        self.queued.retain(|it| it.waiter.context != context);
        self.calls.retain(|_, it| it.waiter.context != context);
    }

    /// The next to ask about.
    pub fn next(&mut self) -> Option<Use> {
        self.queued.pop_front()
    }

    /// Remembers what a call asks about.
    pub fn sent(&mut self, token: u32, one: Use) {
        self.calls.insert(token, one);
    }

    /// What a call asked about; `None` for a call that is none of these.
    pub fn answered(&mut self, token: u32) -> Option<Use> {
        self.calls.remove(&token)
    }

    /// Takes those whose answer was lost.
    pub fn overdue(&mut self, patience: Millis, now: UnixMillis) -> Vec<Use> {
        let is_late = |it: &Use| it.since.0.abs_diff(now.0) > patience.0;
        let late: Vec<u32> = self
            .calls
            .iter()
            .filter(|(_, it)| is_late(it))
            .map(|(token, _)| *token)
            .collect();
        late.iter()
            .filter_map(|token| self.calls.remove(token))
            .collect()
    }
}

impl Use {
    /// The request, and what holds for it: `Some(true)` for a link that was not used
    /// before, `None` when nobody can say.
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
