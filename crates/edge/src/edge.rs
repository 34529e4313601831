//! The state machine: what goes in, and what comes out.
//!
//! Owns the tables and in which order they are asked. What a call says is read in
//! [`answers`](super::answers), how a request comes to wait in [`requests`](super::requests).

use std::collections::VecDeque;
use std::hash::BuildHasher as _;
use std::rc::Rc;

use keygate_core::identity::Sessions;
use keygate_core::keys::wire::EdgeName;
use keygate_core::keys::{CacheBounds, FailureLimit};
use keygate_core::{Millis, Policy, UnixMillis, Verdict};

use crate::budget::FailureBudget;
use crate::by_rule::RuleMetric;
use crate::cache::{KeyCache, Seed};
use crate::call::Call;
use crate::caller::sessions_of;
use crate::failure_limiter::{FailureLimiter, MAX_NETWORKS};
use crate::faults::Faults;
use crate::follower::Follower;
use crate::host::RequestId;
use crate::key_uses::KeyUses;
use crate::links::{UnusedLinks, UsedLinks};
use crate::lookups::Lookups;
use crate::rates::{MAX_COUNTED, Rates};
use crate::report::{Metric, Notice, Report};
use crate::shared::Shared;
use crate::uses::Uses;
use crate::waiting::{Ground, Room, Waiter};

/// How often the edge looks whether there is something to do.
const TICK: Millis = Millis(250);

/// One worker between its host and the decision. The order of calls is on the page of the
/// [crate](crate).
pub struct Edge {
    pub(crate) policy: Policy,
    /// Every way to read sessions that the policy has.
    pub(crate) sessions: Vec<Sessions>,
    /// What is known of keys.
    pub(crate) cache: KeyCache,
    /// How many public-key signatures may turn out wrong.
    pub(crate) signatures: FailureBudget,
    /// How many unknown keys clients may present.
    pub(crate) misses: FailureLimiter,
    /// How many requests keys and accounts have sent.
    pub(crate) rates: Rates,
    /// The requests that wait for a key.
    pub(crate) lookups: Lookups,
    /// The requests that wait with a link.
    pub(crate) uses: Uses,
    /// How often keys were used.
    pub(crate) key_uses: KeyUses,
    /// Links that need not be asked about any more.
    pub(crate) used_links: UsedLinks,
    /// Links about which a request that uses nothing up need not ask.
    pub(crate) unused_links: UnusedLinks,
    /// How calls to the key service have failed.
    pub(crate) faults: Faults,
    /// Follows the change feed, where there is a key service.
    pub(crate) follower: Option<Follower>,
    /// The requests that wait no longer for an answer, and on what each is to be decided.
    pub(crate) due: VecDeque<(Waiter, Ground)>,
    pub(crate) room: Rc<Room>,
    pub(crate) report: Report,
    /// When a path that is not normalized was logged last.
    pub(crate) warned: Option<UnixMillis>,
}

impl Edge {
    /// A worker that knows nothing yet. Each has a `seed` of its own, which no client knows.
    ///
    /// It needs no time: nothing in it is dated before the first tick.
    pub fn new(policy: Policy, seed: Seed) -> Self {
        let service = policy.key_service.as_ref();
        let lease = service.map_or(Millis(0), |service| service.lease);
        let bounds = service.map_or_else(CacheBounds::default, |service| service.cache);
        let misses = service.map_or(FailureLimit::MISSES, |service| service.miss_limit);
        let of_limits = seed.derive();
        let of_follower = of_limits.derive().derive();
        let of_rates = of_follower.derive();
        let limiter = |limit| FailureLimiter::new(limit, MAX_NETWORKS, of_limits);
        Self {
            follower: service.map(|service| Follower::new(service, of_follower)),
            sessions: sessions_of(&policy),
            cache: KeyCache::new(bounds, seed, lease),
            signatures: FailureBudget::new(limiter(policy.signature_limit)),
            misses: limiter(misses),
            rates: Rates::new(MAX_COUNTED, of_rates),
            policy,
            lookups: Lookups::default(),
            uses: Uses::default(),
            key_uses: KeyUses::new(of_limits.derive().hash_one(0_u64)),
            used_links: UsedLinks::default(),
            unused_links: UnusedLinks::default(),
            faults: Faults::default(),
            due: VecDeque::new(),
            room: Rc::default(),
            report: Report::default(),
            warned: None,
        }
    }

    /// The same in a proxy of this name, which the key service lists.
    #[must_use]
    pub fn of_proxy(self, name: Option<EdgeName>) -> Self {
        let follower = self.follower.map(|follower| follower.of_proxy(name));
        Self { follower, ..self }
    }

    /// What is allowed.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// How often [`Self::tick`] is to be called; `None` for never.
    pub fn period(&self) -> Option<Millis> {
        let service = self.policy.key_service.as_ref()?;
        Some(TICK.min(service.poll))
    }

    /// Time has passed. Follows the change feed, gives up answers that were lost, and looks whether
    /// uses are to be reported.
    pub fn tick(&mut self, shared: &dyn Shared, now: UnixMillis) {
        self.follow(shared, now);
        self.give_up_overdue(now);
        self.key_uses.tick(now);
    }

    /// A paused request has ended. Others that wait for the same key or link stay.
    pub fn gone(&mut self, id: RequestId) {
        self.due.retain(|(waiter, _)| waiter.id != id);
        self.uses.leave(id);
        self.lookups.leave(id);
    }

    /// The worker gets no more requests: another configuration has taken over. The next tick
    /// of another worker polls the feed. Uses that were not reported yet are lost.
    pub fn end(&self, shared: &dyn Shared) {
        if let Some(follower) = &self.follower {
            follower.hand_over(shared);
        }
    }

    /// The next call to send: a poll of the feed, every key that a request waits for, up to a
    /// hundred in one call, links, each in a call of its own, a few at a time, and a report of uses.
    pub fn poll_call(&mut self) -> Option<Call> {
        let service = self.policy.key_service.as_ref()?;
        if let Some(due) = self.follower.as_mut().and_then(Follower::next_poll) {
            return Some(Call::poll(service, due));
        }
        let questions = self.lookups.unsent();
        if !questions.is_empty() {
            return Some(Call::keys(service, questions));
        }
        if let Some(question) = self.uses.next() {
            return Some(Call::link(service, question));
        }
        let uses = self.key_uses.next()?;
        Some(Call::uses(service, uses))
    }

    /// The next of the paused requests that are decided, and its verdict as in
    /// [`Step::Decided`](crate::Step::Decided).
    pub fn poll_decided(&mut self, now: UnixMillis) -> Option<(RequestId, Verdict)> {
        while let Some((waiter, ground)) = self.due.pop_front() {
            let id = waiter.id;
            if let Some(verdict) = self.settle(waiter, ground, now) {
                return Some((id, verdict));
            }
        }
        None
    }

    /// Whether [`Self::poll_decided`] may have another one: a host that takes only some at
    /// once comes back for it.
    pub fn has_decided(&self) -> bool {
        !self.due.is_empty()
    }

    /// The next counter to add one to.
    pub fn poll_metric(&mut self) -> Option<Metric> {
        self.report.next_metric()
    }

    /// The next counter of a rule to add one to. There is none without `metrics_by_rule`.
    pub fn poll_rule_metric(&mut self) -> Option<RuleMetric> {
        self.report.next_rule_metric()
    }

    /// The next line for the log.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.report.next_notice()
    }
}
