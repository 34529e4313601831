//! One per worker and configuration: reads the configuration, and sends the calls of the edge.
//!
//! Callouts are made here and not by a stream, since the host drops the answer to a
//! stream that has gone, and others may wait for it. A stream rings a queue; the host
//! then calls this context in the worker's next turn.

use std::rc::Rc;

use keygate_core::keys::wire::EdgeName;
use keygate_core::{Millis, Policy, UnixMillis};
use keygate_edge::{Call, Edge, MAX_BODY, NotSent, Response, Seed, Token};

use crate::host::{self, HostError, Map};
use crate::metrics::{self, memory};
use crate::worker::{SharedData, Worker};

/// The first tick comes at once: the lease is to begin before the first request.
const FIRST_TICK: Millis = Millis(10);

/// The status of the ABI for a call to a cluster that Envoy does not have.
const NO_SUCH_CLUSTER: HostError = HostError(2);

/// The root context.
pub struct Root {
    context: u32,
    worker: Option<Rc<Worker>>,
    ticks_fast: bool,
}

impl Root {
    pub fn new(context: u32) -> Self {
        Self {
            context,
            worker: None,
            ticks_fast: false,
        }
    }

    /// What it has in common with its streams, once it is configured.
    pub fn worker(&self) -> Option<Rc<Worker>> {
        self.worker.clone()
    }

    /// Takes the configuration; `None` rejects it, and the log says why.
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
        metrics::begin();
        let seed = Seed([host::random().ok()?, host::random().ok()?]);
        let node = host::property(&["xds", "node", "id"]).unwrap_or_default();
        let edge = Edge::new(policy, seed).of_proxy(EdgeName::of(&node));
        let mut queue = None;
        if edge.period().is_some() {
            // A name of its own for each configuration: the host calls only the context
            // that registered a name last, and an older configuration may still drain.
            let name = format!("keygate.{:016x}", host::random().ok()?);
            queue = Some(host::register_queue(&name).ok()?);
            host::set_tick(FIRST_TICK).ok()?;
            self.ticks_fast = true;
        }
        self.worker = Some(Rc::new(Worker::new(edge, queue)));
        Some(())
    }

    /// Sends what the edge asks, and decides the requests that are due. Twice: a request may
    /// need another answer, and a call that is not sent is answered at once.
    fn work(&self, worker: &Worker, now: UnixMillis) {
        for _ in 0..2 {
            while let Some(call) = worker.with(Edge::poll_call).flatten() {
                let sent = self.send(&call);
                worker.with(|edge| edge.sent(call, sent, now));
            }
            worker.conclude_some(now);
        }
        worker.ring_for_others();
    }

    fn send(&self, call: &Call) -> Result<Token, NotSent> {
        let headers = call.headers.iter();
        let headers: Vec<(&str, &str)> = headers.map(|(name, value)| (*name, &**value)).collect();
        let body = Some(&*call.body).filter(|body| !body.is_empty());
        // Settling a request has made its context the current one; the answer to a call
        // goes to whose context is current when it is made.
        let token = host::enter(self.context)
            .and_then(|()| host::call(&call.cluster, &headers, body, call.timeout));
        token
            .map(|token| Token(token.into()))
            .map_err(|error| match error {
                NO_SUCH_CLUSTER => NotSent::NoSuchCluster,
                HostError(_) => NotSent::Refused,
            })
    }
}

/// What the host calls.
impl Root {
    /// Another configuration has taken over, and requests are no longer sent here.
    pub fn on_done(&self) {
        if let Some(worker) = &self.worker {
            worker.with(|edge| edge.end(&SharedData));
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
        let response = Response {
            headers: host::headers(Map::HttpCallResponseHeaders).unwrap_or_default(),
            body: match size <= MAX_BODY {
                true => host::callout_body(size).ok(),
                false => None,
            },
        };
        worker.with(|edge| edge.answer(Token(token.into()), &response, &SharedData, now));
        self.work(&worker, now);
    }

    pub fn on_configure(&mut self) -> bool {
        self.configure().is_some()
    }

    pub fn on_tick(&mut self) {
        let (Some(worker), Ok(now)) = (self.worker.clone(), host::now()) else {
            return;
        };
        memory();
        if std::mem::take(&mut self.ticks_fast)
            && let Some(period) = worker.with(|edge| edge.period()).flatten()
        {
            let _ = host::set_tick(period);
        }
        worker.with(|edge| edge.tick(&SharedData, now));
        self.work(&worker, now);
    }

    pub fn on_queue_ready(&mut self, queue: u32) {
        host::drain(queue);
        let (Some(worker), Ok(now)) = (self.worker.clone(), host::now()) else {
            return;
        };
        self.work(&worker, now);
    }
}
