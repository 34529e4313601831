//! One per worker and configuration: reads the configuration, asks the key service
//! for all streams together, follows its change feed.
//!
//! Callouts are made here and not by a stream, since the host drops the answer to a
//! stream that has gone, and others may wait for it. A stream rings a queue; the host
//! then calls this context in the worker's next turn.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;

use keygate_core::app_key::KeyHash;
use keygate_core::cache::KeyCache;
use keygate_core::once::Redemption;
use keygate_core::policy::{KeyService, Policy};
use keygate_core::reason::Reason;
use keygate_core::record::{Answer, KeyLookup, Knowledge, KnownKey, NoAnswer};
use keygate_core::time::{Millis, UnixMillis};
use keygate_core::wire::{
    CHANGES_PATH, ChangesResponse, LINK_USES_PATH, LOOKUPS_PATH, LinkUseRequest, LinkUseResponse,
    LookupRequest, LookupResponse, MAX_ANSWER, SERVICE_MARKER,
};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::feed::Follower;
use crate::host::{self, HostError, Map};
use crate::lookups::{Asked, Lookups, Waiter};
use crate::metrics::count;
use crate::stream::{Stream, conclude, settle};
use crate::uses::Uses;

const KNOWN_KEYS: NonZeroUsize = NonZeroUsize::new(50_000).unwrap();
const UNKNOWN_KEYS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// How often the root context looks whether there is something to do.
const TICK: Millis = Millis(250);

/// The first tick comes at once: the lease is to begin before the first request.
const FIRST_TICK: Millis = Millis(10);

/// What a worker has in common for all its requests under one configuration.
pub struct Worker {
    /// What is allowed.
    pub policy: Policy,
    /// What is known of keys.
    pub cache: KeyCache,
    lookups: RefCell<Lookups>,
    uses: RefCell<Uses>,
    queue: Option<u32>,
}

impl Worker {
    /// Lets a request wait for what the key service says of a key; gives it back with
    /// the reason when it cannot.
    pub fn ask(
        &self,
        hash: KeyHash,
        waiter: Waiter,
        now: UnixMillis,
    ) -> Result<(), (Waiter, Reason)> {
        let Some(queue) = self.queue else {
            return Err((waiter, Reason::KeyServiceUnavailable));
        };
        let joined = self.lookups.borrow_mut().join(hash, waiter, now);
        joined.map_err(|waiter| (waiter, Reason::Overloaded))?;
        // If the bell does not ring, the next tick finds the question.
        let _ = host::ring(queue);
        Ok(())
    }

    /// Lets a request wait until its link is used up; gives it back when it cannot.
    pub fn redeem(
        &self,
        waiter: Waiter,
        redemption: Box<Redemption>,
        now: UnixMillis,
    ) -> Result<(), (Waiter, Box<Redemption>)> {
        let Some(queue) = self.queue else {
            return Err((waiter, redemption));
        };
        self.uses.borrow_mut().join(waiter, redemption, now)?;
        // If the bell does not ring, the next tick finds it.
        let _ = host::ring(queue);
        Ok(())
    }

    /// Forgets a request whose client has gone.
    pub fn leave(&self, context: u32) {
        self.uses.borrow_mut().leave(context);
        self.lookups.borrow_mut().leave(context);
    }

    /// Decides all requests that wait for a key.
    fn settle(&self, hash: &KeyHash, keys: &dyn KeyLookup, now: UnixMillis) {
        let waiters = self.lookups.borrow_mut().settle(hash);
        for waiter in waiters {
            settle(self, waiter, keys, now);
        }
    }

    fn give_up(&self, hashes: &[KeyHash], now: UnixMillis) {
        for hash in hashes {
            self.settle(hash, &NoAnswer(Reason::KeyServiceUnavailable), now);
        }
    }
}

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
        let mut lease = Millis(0);
        let mut queue = None;
        if let Some(service) = &policy.key_service {
            lease = service.lease;
            // A name of its own for each configuration: the host calls only the context
            // that registered a name last, and an older configuration may still drain.
            let name = format!("keygate.{:016x}", host::random().ok()?);
            queue = Some(host::register_queue(&name).ok()?);
            self.follower = Some(Follower::new(service).ok()?);
            host::set_tick(FIRST_TICK).ok()?;
            self.ticks_fast = true;
        }
        self.worker = Some(Rc::new(Worker {
            policy,
            cache: KeyCache::new(KNOWN_KEYS, UNKNOWN_KEYS, lease),
            lookups: RefCell::default(),
            uses: RefCell::default(),
            queue,
        }));
        Some(())
    }

    /// Asks about every key that someone waits for, up to a hundred in one call.
    fn send_lookups(&self, worker: &Worker, service: &KeyService, now: UnixMillis) {
        loop {
            let hashes = worker.lookups.borrow_mut().unsent();
            if hashes.is_empty() {
                return;
            }
            let request = LookupRequest { hashes };
            let body = request.write();
            match self.call(service, "POST", LOOKUPS_PATH, Some(body.as_bytes())) {
                Ok(token) => {
                    let asked = Asked {
                        hashes: request.hashes,
                        generation: worker.cache.generation(),
                    };
                    worker.lookups.borrow_mut().sent(token, asked);
                }
                Err(_) => {
                    count("keygate_lookup.unavailable");
                    worker.give_up(&request.hashes, now);
                }
            }
        }
    }

    /// Asks about every link that someone waits with, in a call of its own.
    fn send_uses(&self, worker: &Worker, service: &KeyService) {
        loop {
            let Some(one) = worker.uses.borrow_mut().next() else {
                return;
            };
            let Redemption { link, uses, .. } = one.redemption.as_ref();
            let request = LinkUseRequest {
                id: link.id.clone(),
                expires_at: link.expires,
                peek: !uses,
            };
            let body = request.write();
            match self.call(service, "POST", LINK_USES_PATH, Some(body.as_bytes())) {
                Ok(token) => worker.uses.borrow_mut().sent(token, one),
                Err(_) => {
                    count("keygate_link_use.unavailable");
                    let (waiter, verdict) = one.settle(None);
                    conclude(&waiter, verdict);
                }
            }
        }
    }

    fn read_lookup(&self, worker: &Worker, asked: &Asked, size: usize, now: UnixMillis) {
        let Some(answer) = read_answer(size, LookupResponse::read) else {
            count("keygate_lookup.unavailable");
            worker.give_up(&asked.hashes, now);
            return;
        };
        count("keygate_lookup.answered");
        let is_current = asked.generation == worker.cache.generation();
        for &hash in &asked.hashes {
            let record = answer.records.iter().find(|record| record.hash == hash);
            let known = record.map(KnownKey::at_edge).transpose();
            let Ok(known) = known.map(|known| known.map(Rc::new)) else {
                log::warn!("keygate: the key service sent a record that is not usable");
                worker.give_up(&[hash], now);
                continue;
            };
            if !is_current || !worker.cache.insert(hash, known.clone(), answer.epoch) {
                if !worker.lookups.borrow_mut().ask_again(&hash) {
                    worker.give_up(&[hash], now);
                }
                continue;
            }
            let knowledge = known.map_or(Knowledge::Unknown, Knowledge::Known);
            let answer = Answer {
                hash,
                knowledge,
                others: &worker.cache,
            };
            worker.settle(&hash, &answer, now);
        }
    }

    /// Polls the change feed when it is this worker's turn, and follows what was published.
    fn follow(&mut self, worker: &Worker, service: &KeyService, now: UnixMillis) {
        let Some(follower) = &mut self.follower else {
            return;
        };
        let due = follower.poll_due(service, now);
        follower.follow(&worker.cache);
        let Some(due) = due else {
            return;
        };
        let path = match due.after {
            Some(epoch) => format!("{CHANGES_PATH}?after={epoch}"),
            None => CHANGES_PATH.to_owned(),
        };
        let call = self.call(service, "GET", &path, None);
        if let Some(follower) = &mut self.follower {
            match call {
                Ok(token) => follower.sent(&due, token, now),
                Err(_) => follower.failed(),
            }
        }
    }

    /// Calls the key service. One retry where the request cannot have arrived.
    fn call(
        &self,
        service: &KeyService,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<u32, HostError> {
        // Settling a request has made its context the current one; the answer to a call
        // goes to whose context is current when it is made.
        host::enter(self.context)?;
        let token = String::from_utf8_lossy(service.token.expose());
        let authorization = format!("Bearer {token}");
        let headers = vec![
            (":method", method),
            (":path", path),
            (":authority", &service.authority),
            ("authorization", &authorization),
            ("content-type", "application/json"),
            ("x-envoy-retry-on", "connect-failure,refused-stream"),
            ("x-envoy-max-retries", "1"),
        ];
        host::call(&service.cluster, headers, body, service.timeout)
    }
}

/// Two calls and a second: what has not come by then, the host has lost.
pub fn patience(service: &KeyService) -> Millis {
    Millis(service.timeout.0.saturating_mul(2).saturating_add(1000))
}

/// What the key service said; `None` for anything that is not its own 200. Envoy's
/// answers in its place (503, 504) look like others', hence the marker.
fn read_answer<T>(size: usize, read: fn(&[u8]) -> Option<T>) -> Option<T> {
    let headers = host::headers(Map::HttpCallResponseHeaders).ok()?;
    let has = |name: &str, value: &str| {
        let mut values = headers.iter().filter(|(it, _)| it == name.as_bytes());
        values.next().is_some_and(|(_, it)| it == value.as_bytes()) && values.next().is_none()
    };
    if !has(":status", "200") || !has(SERVICE_MARKER.0, SERVICE_MARKER.1) || size > MAX_ANSWER {
        return None;
    }
    read(&host::callout_body(size).ok()?)
}

impl Context for Root {
    fn on_http_call_response(
        &mut self,
        token: u32,
        _headers: usize,
        size: usize,
        _trailers: usize,
    ) {
        let (Some(worker), Ok(now)) = (self.worker.clone(), host::now()) else {
            return;
        };
        // Out of its table before anybody is resumed, who may end and look into it.
        let used = worker.uses.borrow_mut().answered(token);
        let asked = worker.lookups.borrow_mut().answered(token);
        let mut follower = self.follower.as_mut();
        let poll = follower.as_mut().and_then(|it| it.is_poll(token));
        if let (Some(poll), Some(follower)) = (poll, follower) {
            match read_answer(size, ChangesResponse::read) {
                Some(answer) => follower.publish(&poll, &answer),
                None => follower.failed(),
            }
        } else if let Some(one) = used {
            let first = read_answer(size, LinkUseResponse::read).map(|it| it.first);
            count(match first {
                Some(_) => "keygate_link_use.answered",
                None => "keygate_link_use.unavailable",
            });
            let (waiter, verdict) = one.settle(first);
            conclude(&waiter, verdict);
        } else if let Some(asked) = asked {
            self.read_lookup(&worker, &asked, size, now);
        }
        if let Some(service) = &worker.policy.key_service {
            self.follow(&worker, service, now);
            self.send_lookups(&worker, service, now);
            self.send_uses(&worker, service);
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.configure().is_some()
    }

    fn on_tick(&mut self) {
        let (Some(worker), Ok(now)) = (self.worker.clone(), host::now()) else {
            return;
        };
        let Some(service) = &worker.policy.key_service else {
            return;
        };
        if std::mem::take(&mut self.ticks_fast) {
            let _ = host::set_tick(TICK.min(service.poll));
        }
        self.follow(&worker, service, now);
        self.send_lookups(&worker, service, now);
        let overdue = worker.lookups.borrow().overdue(patience(service), now);
        worker.give_up(&overdue, now);
        self.send_uses(&worker, service);
        let overdue = worker.uses.borrow_mut().overdue(patience(service), now);
        for one in overdue {
            let (waiter, verdict) = one.settle(None);
            conclude(&waiter, verdict);
        }
    }

    fn on_queue_ready(&mut self, queue: u32) {
        host::drain(queue);
        let (Some(worker), Ok(now)) = (self.worker.clone(), host::now()) else {
            return;
        };
        if let Some(service) = &worker.policy.key_service {
            self.send_lookups(&worker, service, now);
            self.send_uses(&worker, service);
        }
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(context, self.worker.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
