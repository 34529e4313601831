//! One per worker and configuration: reads the configuration, asks the key service
//! for all streams together, follows its change feed.
//!
//! Callouts are made here and not by a stream, since the host drops the answer to a
//! stream that has gone, and others may wait for it. A stream rings a queue; the host
//! then calls this context in the worker's next turn.

use std::rc::Rc;

use keygate_core::decision::policy::Policy;
use keygate_core::keys::record::{Knowledge, KnownKey};
use keygate_core::keys::service::CacheBounds;
use keygate_core::keys::service::KeyService;
use keygate_core::keys::wire::{
    ChangesResponse, LINK_USES_PATH, LOOKUPS_PATH, LinkUseRequest, LinkUseResponse, LookupRequest,
    LookupResponse,
};
use keygate_core::time::{Millis, UnixMillis};
use keygate_edge::cache::{KeyCache, Seed};
use keygate_edge::feed::Position;

use crate::faults::{Fault, read_answer};
use crate::feed::Follower;
use crate::host;
use crate::lookups::Asked;
use crate::metrics::{count, memory};
use crate::uses::{Call, Question};
use crate::worker::Worker;

/// How often the root context looks whether there is something to do.
const TICK: Millis = Millis(250);

/// The first tick comes at once: the lease is to begin before the first request.
const FIRST_TICK: Millis = Millis(10);

/// The root context.
pub struct Root {
    context: u32,
    worker: Option<Rc<Worker>>,
    follower: Option<Follower>,
    ticks_fast: bool,
}

impl Root {
    pub fn new(context: u32) -> Self {
        Self {
            context,
            worker: None,
            follower: None,
            ticks_fast: false,
        }
    }

    /// What it has in common with its streams, once it is configured.
    pub fn worker(&self) -> Option<Rc<Worker>> {
        self.worker.clone()
    }

    /// Takes the configuration; `None` refuses it, and the log says why.
    fn configure(&mut self) -> Option<()> {
        let text = host::configuration().ok()?;
        let policy = match Policy::parse(&text, &host::environment) {
            Ok(policy) => policy,
            Err(problems) => {
                for problem in problems {
                    log::error!("keygate: configuration: {problem}");
                }
                return None;
            }
        };
        for warning in &policy.warnings {
            log::warn!("keygate: configuration: {warning}");
        }
        let mut lease = Millis(0);
        let mut bounds = CacheBounds::default();
        let mut queue = None;
        if let Some(service) = &policy.key_service {
            (lease, bounds) = (service.lease, service.cache);
            // A name of its own for each configuration: the host calls only the context
            // that registered a name last, and an older configuration may still drain.
            let name = format!("keygate.{:016x}", host::random().ok()?);
            queue = Some(host::register_queue(&name).ok()?);
            self.follower = Some(Follower::new(service).ok()?);
            host::set_tick(FIRST_TICK).ok()?;
            self.ticks_fast = true;
        }
        let seed = Seed([host::random().ok()?, host::random().ok()?]);
        let cache = KeyCache::new(bounds, seed, lease);
        self.worker = Some(Rc::new(Worker::new(policy, cache, seed.derive(), queue)));
        Some(())
    }

    /// Asks about every key that someone waits for, up to a hundred in one call.
    fn send_lookups(&self, worker: &Worker, service: &KeyService, now: UnixMillis) {
        loop {
            let questions = worker.lookups.borrow_mut().unsent();
            if questions.is_empty() {
                return;
            }
            let hashes = questions.iter().flat_map(|it| it.iter().copied());
            let request = LookupRequest {
                hashes: hashes.collect(),
            };
            let body = request.write();
            match self.ask(service, LOOKUPS_PATH, &body) {
                Ok(token) => {
                    let asked = Asked {
                        questions,
                        generation: worker.cache.generation(),
                        at: now,
                    };
                    worker.lookups.borrow_mut().sent(token, asked);
                }
                Err(fault) => {
                    worker.faults.note(fault, &service.cluster, now);
                    count("keygate_lookup.unavailable");
                    worker.give_up(&questions);
                }
            }
        }
    }

    /// Asks about the links that requests wait with, each in a call of its own, a few at a time.
    fn send_uses(&self, worker: &Worker, service: &KeyService, now: UnixMillis) {
        loop {
            let Some(question) = worker.uses.borrow_mut().next() else {
                return;
            };
            let Question { link, uses } = &question;
            let request = LinkUseRequest {
                id: link.id.clone(),
                expires_at: link.expires,
                peek: !uses,
            };
            match self.ask(service, LINK_USES_PATH, &request.write()) {
                Ok(token) => worker.uses.borrow_mut().sent(token, question, now),
                Err(fault) => {
                    worker.faults.note(fault, &service.cluster, now);
                    count("keygate_link_use.unavailable");
                    worker.settle_link(&question, None);
                }
            }
        }
    }

    fn read_lookup(
        &self,
        worker: &Worker,
        asked: &Asked,
        answer: Result<LookupResponse<String>, Fault>,
        now: UnixMillis,
    ) {
        let Ok(answer) = answer else {
            count("keygate_lookup.unavailable");
            worker.give_up(&asked.questions);
            return;
        };
        count("keygate_lookup.answered");
        let is_current = asked.generation == worker.cache.generation();
        let at = Position::of_lookup(&answer);
        for hashes in &asked.questions {
            let Ok(found) = KnownKey::among(&answer.records, hashes) else {
                log::warn!("keygate: the key service sent a record that is not usable");
                worker.refuse(hashes);
                continue;
            };
            let known = found.as_ref().map(|(_, known)| Rc::clone(known));
            if !is_current || !worker.cache.insert(hashes, found, at) {
                if !worker.lookups.borrow_mut().ask_again(hashes) {
                    worker.refuse(hashes);
                }
                continue;
            }
            let knowledge = known.map_or(Knowledge::Unknown, Knowledge::Known);
            worker.settle(hashes, &knowledge, now);
        }
    }

    /// Takes the answer about a link.
    fn read_use(&self, worker: &Worker, call: &Call, answer: Result<LinkUseResponse, Fault>) {
        let Call { question, at } = call;
        let first = answer.ok().map(|it| it.first);
        count(match first {
            Some(_) => "keygate_link_use.answered",
            None => "keygate_link_use.unavailable",
        });
        match (first, question.uses) {
            (Some(true), false) => worker.unused_links.remember(&question.link, *at),
            (Some(_), _) => worker.used_links.remember(&question.link),
            (None, _) => {}
        }
        worker.settle_link(question, first);
    }

    /// Ends the wait for answers that were lost.
    fn give_up_overdue(&self, worker: &Worker, service: &KeyService, now: UnixMillis) {
        let patience = service.patience();
        let keys = worker.lookups.borrow_mut().overdue(patience, now);
        let links = worker.uses.borrow_mut().overdue(patience, now);
        if !keys.is_empty() || links.lost_calls > 0 {
            worker.faults.note(Fault::TimedOut, &service.cluster, now);
        }
        worker.give_up(&keys);
        for (waiter, verdict) in links.waiters {
            worker.conclude(waiter, verdict);
        }
    }

    /// Polls the change feed when it is this worker's turn, and follows what was published.
    fn follow(&mut self, worker: &Worker, service: &KeyService, now: UnixMillis) {
        let Some(follower) = &mut self.follower else {
            return;
        };
        let due = follower.poll_due(service, &worker.faults, now);
        follower.follow(&worker.cache, now);
        let Some(due) = due else {
            return;
        };
        let (path, timeout) = due.call(service);
        let cluster = &service.poll_cluster;
        let call = self.call(service, cluster, ("GET", &path), None, timeout);
        if let Some(follower) = &mut self.follower {
            match call {
                Ok(token) => follower.sent(&due, token, now),
                Err(fault) => {
                    worker.faults.note(fault, cluster, now);
                    follower.failed();
                }
            }
        }
    }

    /// Sends a question for which requests wait.
    fn ask(&self, service: &KeyService, path: &str, body: &str) -> Result<u32, Fault> {
        let (body, timeout) = (Some(body.as_bytes()), service.timeout);
        self.call(service, &service.cluster, ("POST", path), body, timeout)
    }

    /// Calls the key service. One retry where the request cannot have arrived.
    fn call(
        &self,
        service: &KeyService,
        cluster: &str,
        (method, path): (&str, &str),
        body: Option<&[u8]>,
        timeout: Millis,
    ) -> Result<u32, Fault> {
        // Settling a request has made its context the current one; the answer to a call
        // goes to whose context is current when it is made.
        host::enter(self.context).map_err(Fault::NotSent)?;
        let token = String::from_utf8_lossy(service.token.expose());
        let authorization = format!("Bearer {token}");
        let headers = [
            (":method", method),
            (":path", path),
            (":authority", &service.authority),
            ("authorization", &authorization),
            ("content-type", "application/json"),
            ("x-envoy-retry-on", "connect-failure,refused-stream"),
            ("x-envoy-max-retries", "1"),
        ];
        host::call(cluster, &headers, body, timeout).map_err(Fault::NotSent)
    }
}

/// What the host calls.
impl Root {
    /// Another configuration has taken over, and requests are no longer sent here.
    pub fn on_done(&self) {
        if let Some(follower) = &self.follower {
            follower.hand_over();
        }
    }

    pub fn on_http_call_response(
        &mut self,
        token: u32,
        _headers: usize,
        size: usize,
        _trailers: usize,
    ) {
        #[cfg(feature = "trap")]
        crate::trap::at_answer(size);
        let (Some(worker), Ok(now)) = (self.worker.clone(), host::now()) else {
            return;
        };
        let Some(service) = &worker.policy.key_service else {
            return;
        };
        let note = |fault: &Fault, cluster: &str| worker.faults.note(*fault, cluster, now);
        // Out of its table before anybody is resumed, who may end and look into it.
        let used = worker.uses.borrow_mut().answered(token);
        let asked = worker.lookups.borrow_mut().answered(token);
        let mut follower = self.follower.as_mut();
        let poll = follower.as_mut().and_then(|it| it.is_poll(token));
        if let (Some(poll), Some(follower)) = (poll, follower) {
            match read_answer(size, ChangesResponse::read) {
                Ok(answer) => follower.publish(&poll, &answer),
                Err(fault) => {
                    note(&fault, &service.poll_cluster);
                    follower.failed();
                }
            }
        } else if let Some(call) = used {
            let answer = read_answer(size, LinkUseResponse::read);
            let answer = answer.inspect_err(|fault| note(fault, &service.cluster));
            self.read_use(&worker, &call, answer);
        } else if let Some(asked) = asked {
            let answer = read_answer(size, LookupResponse::read);
            let answer = answer.inspect_err(|fault| note(fault, &service.cluster));
            self.read_lookup(&worker, &asked, answer, now);
        }
        self.follow(&worker, service, now);
        // Requests that need another answer ask at once.
        worker.decide_due(now);
        self.send_lookups(&worker, service, now);
        self.send_uses(&worker, service, now);
        worker.decide_due(now);
    }

    pub fn on_configure(&mut self) -> bool {
        self.configure().is_some()
    }

    pub fn on_tick(&mut self) {
        let (Some(worker), Ok(now)) = (self.worker.clone(), host::now()) else {
            return;
        };
        let Some(service) = &worker.policy.key_service else {
            return;
        };
        memory();
        if std::mem::take(&mut self.ticks_fast) {
            let _ = host::set_tick(TICK.min(service.poll));
        }
        self.follow(&worker, service, now);
        self.send_lookups(&worker, service, now);
        self.give_up_overdue(&worker, service, now);
        self.send_uses(&worker, service, now);
        worker.decide_due(now);
    }

    pub fn on_queue_ready(&mut self, queue: u32) {
        host::drain(queue);
        let (Some(worker), Ok(now)) = (self.worker.clone(), host::now()) else {
            return;
        };
        if let Some(service) = &worker.policy.key_service {
            self.send_lookups(&worker, service, now);
            self.send_uses(&worker, service, now);
        }
        worker.decide_due(now);
    }
}
