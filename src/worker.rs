//! The edge of one worker, and how its words become host calls.
//!
//! A host call may make the host call the module again before it has returned, so the edge is
//! never borrowed while a request is answered or resumed.

use std::cell::RefCell;
use std::rc::Rc;

use keygate_core::http::Bytes;
use keygate_core::{Client, Header, UnixMillis, Verdict};
use keygate_edge::{Edge, Level, RequestId, Shared, Step, host_failure};
use litemap::LiteMap;

use crate::claims::VerifiedClaims;
use crate::enforce::{Progress, conclude};
use crate::host;
use crate::metrics::{self, RuleCounters};

/// Most paused requests that are decided in one go, of which a callback of the host has two at
/// most. Each of them may make the host call the module again before that callback has ended,
/// one call within the other: some three hundred fill the stack, and the virtual machine is
/// gone.
const MAX_DECIDED_AT_ONCE: usize = 32;

/// What the root context and its streams have in common.
pub struct Worker {
    edge: RefCell<Edge>,
    /// The bell of the root context; a policy without a key service has none.
    queue: Option<u32>,
    /// The streams that wait, by their contexts.
    paused: RefCell<LiteMap<u32, Rc<Progress>>>,
    /// The counters of rules, if the policy has them.
    by_rule: Option<RuleCounters>,
}

/// What the workers of this proxy share.
pub struct SharedData;

impl Shared for SharedData {
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        host::shared(name).ok()
    }

    fn write(&self, name: &str, value: &[u8], version: u32) -> bool {
        host::share(name, value, version).is_ok()
    }
}

impl Worker {
    pub fn new(edge: Edge, queue: Option<u32>) -> Self {
        let by_rule = RuleCounters::of(edge.policy());
        Self {
            edge: RefCell::new(edge),
            queue,
            paused: RefCell::default(),
            by_rule,
        }
    }

    /// Runs on the edge, which no callback of the host finds at work; `None` should one.
    pub fn with<T>(&self, act: impl FnOnce(&mut Edge) -> T) -> Option<T> {
        self.edge
            .try_borrow_mut()
            .ok()
            .map(|mut edge| act(&mut edge))
    }

    /// Decides the request of the current context; `None` when it waits.
    pub fn decide(
        &self,
        context: u32,
        headers: Vec<Header>,
        progress: &Rc<Progress>,
        now: UnixMillis,
    ) -> Option<Verdict> {
        let client = Client::Asked(&host::client_address);
        let step =
            self.with(|edge| edge.request(id(context), headers, client, &VerifiedClaims, now));
        self.report();
        match step {
            Some(Step::Decided(verdict)) => Some(verdict),
            Some(Step::Paused) => {
                let progress = Rc::clone(progress);
                self.paused.borrow_mut().insert(context, progress);
                // If the bell does not ring, the next tick finds the question.
                self.ring();
                None
            }
            None => {
                let rejection = host_failure(&[]);
                metrics::decision(&rejection);
                Some(rejection)
            }
        }
    }

    /// Forgets a paused request whose client has gone.
    pub fn leave(&self, context: u32) {
        self.paused.borrow_mut().remove(&context);
        self.with(|edge| edge.gone(id(context)));
    }

    /// Carries out what is decided of paused requests, as many as may be in one go.
    pub fn conclude_some(&self, now: UnixMillis) {
        for _ in 0..MAX_DECIDED_AT_ONCE {
            let decided = self.with(|edge| edge.poll_decided(now)).flatten();
            let Some((RequestId(context), verdict)) = decided else {
                break;
            };
            let context = u32::try_from(context).unwrap_or_default();
            let progress = self.paused.borrow_mut().remove(&context);
            if let Some(progress) = progress {
                conclude(context, &progress, verdict);
            }
        }
        self.report();
    }

    /// Rings for those that are decided in a later turn.
    pub fn ring_for_others(&self) {
        if self.with(|edge| edge.has_decided()) == Some(true) {
            self.ring();
        }
    }

    fn ring(&self) {
        if let Some(queue) = self.queue {
            // If it does not ring, the next tick goes on.
            let _ = host::ring(queue);
        }
    }

    /// Counts and logs what the edge has to tell.
    pub fn report(&self) {
        while let Some(metric) = self.with(Edge::poll_metric).flatten() {
            metrics::add(metric);
        }
        if let Some(counters) = &self.by_rule {
            while let Some(metric) = self.with(Edge::poll_rule_metric).flatten() {
                let name = || self.with(|edge| metric.name(edge.policy()));
                counters.add(metric, name);
            }
        }
        while let Some(notice) = self.with(Edge::poll_notice).flatten() {
            match notice.level() {
                Level::Info => log::info!("keygate: {notice}"),
                Level::Warning => log::warn!("keygate: {notice}"),
            }
        }
    }

    /// Whether a trailer of this name does not reach the upstream.
    pub fn removes_trailer(&self, name: &Bytes) -> bool {
        // One that cannot be looked at goes.
        self.with(|edge| edge.policy().removes_trailer(name))
            .unwrap_or(true)
    }
}

fn id(context: u32) -> RequestId {
    RequestId(context.into())
}
