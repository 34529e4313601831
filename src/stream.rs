//! One request: headers in, verdict out. Nothing but [`State::Allowed`] lets a byte pass.

use std::cell::Cell;
use std::rc::Rc;

use keygate_core::answer::{Refusal, Scheme, Voice};
use keygate_core::decision::facts::Facts;
use keygate_core::decision::grant::Grant;
use keygate_core::decision::verdict::Redemption;
use keygate_core::decision::verdict::Verdict;
use keygate_core::http::client::Client;
use keygate_core::http::edit::Edit;
use keygate_core::http::request::Header;
use keygate_core::keys::record::{KeyLookup, NoAnswer};
use keygate_core::reason::Reason;
use keygate_core::signed_url::checks::Checks;
use keygate_core::time::UnixMillis;

use crate::claims::VerifiedClaims;
use crate::host::{self, Action, HostError, Map};
use crate::metrics;
use crate::waiting::Waiter;
use crate::warnings;
use crate::worker::Worker;

/// How far the decision about a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No header was seen yet.
    Undecided,
    /// The key service is being asked.
    Waiting,
    /// It may pass.
    Allowed,
    /// It was answered.
    Denied,
}

/// The filter's part of one request.
pub struct Stream {
    context: u32,
    worker: Option<Rc<Worker>>,
    progress: Rc<Progress>,
}

/// What a request and whoever decides it later have in common.
pub struct Progress {
    /// What it may let pass.
    pub state: Cell<State>,
    /// What is to be done to the answer of the upstream.
    pub response_edits: Cell<Vec<Edit>>,
}

impl Stream {
    pub fn new(context: u32, worker: Option<Rc<Worker>>) -> Self {
        let progress = Rc::new(Progress {
            state: Cell::new(State::Undecided),
            response_edits: Cell::default(),
        });
        Self {
            context,
            worker,
            progress,
        }
    }

    fn gate(&self) -> Action {
        match self.progress.state.get() {
            State::Allowed => Action::Continue,
            State::Undecided | State::Waiting | State::Denied => Action::Pause,
        }
    }

    /// A client's identity must not arrive behind the body either.
    fn strip_trailers(&self) -> Result<(), HostError> {
        let Some(worker) = &self.worker else {
            return Ok(());
        };
        let trailers = host::headers(Map::HttpRequestTrailers)?;
        let mut names = trailers.iter().map(|(name, _)| name);
        names.try_for_each(|name| match worker.policy.identity.is_claimed_by(name) {
            true => host::remove(Map::HttpRequestTrailers, name),
            false => Ok(()),
        })
    }

    fn decide(&self, end_of_stream: bool) -> State {
        let Some(worker) = &self.worker else {
            return refuse(&[], Reason::HostFailure);
        };
        let (Ok(mut headers), Ok(now)) = (host::headers(Map::HttpRequestHeaders), host::now())
        else {
            return refuse(&[], Reason::HostFailure);
        };
        if !end_of_stream {
            tell_body(&mut headers);
        }
        let waiter = Waiter {
            context: self.context,
            headers,
            client: None,
            progress: Rc::clone(&self.progress),
            place: None,
            questions: 0,
            has_paid: false,
            failed_checks: Cell::new(0),
        };
        match judge(worker, &waiter, &worker.cache, now) {
            Verdict::Ask(lookup) => match worker.ask(lookup, waiter, now) {
                Ok(()) => State::Waiting,
                Err((waiter, reason)) => {
                    enforce_for(&waiter, judge(worker, &waiter, &NoAnswer(reason), now))
                }
            },
            Verdict::Redeem(redemption) => redeem(worker, waiter, redemption, now),
            verdict => enforce_for(&waiter, verdict),
        }
    }
}

/// Lets a request wait until its link, which works once, is used up.
fn redeem(worker: &Worker, waiter: Waiter, redemption: Box<Redemption>, now: UnixMillis) -> State {
    match worker.redeem(waiter, redemption, now) {
        Ok(()) => State::Waiting,
        Err((waiter, verdict)) => enforce_for(&waiter, *verdict),
    }
}

/// Adds `transfer-encoding` for the decision where a body follows without a length, as over
/// HTTP/2: HTTP/1.1 would say it so. What the upstream gets is not changed.
fn tell_body(headers: &mut Vec<Header>) {
    let mut names = headers.iter().map(|(name, _)| name);
    // An upgraded connection has no body.
    let told = ["content-length", "transfer-encoding", "upgrade"];
    if !names.any(|name| told.iter().any(|it| name == it)) {
        headers.push(("transfer-encoding".into(), "chunked".into()));
    }
}

fn judge(worker: &Worker, waiter: &Waiter, keys: &dyn KeyLookup, now: UnixMillis) -> Verdict {
    let facts = Facts {
        checks: Checks::new(&waiter.failed_checks, &worker.signatures),
        client: Client::Asked(&host::client_address),
        keys,
        claims: &VerifiedClaims,
        now,
    };
    keygate_fast::decide(&worker.policy, &waiter.headers, &facts)
}

/// Decides a paused request on an answer. A request with several keys may wait once more,
/// for another of them.
pub fn settle(worker: &Worker, waiter: Waiter, keys: &dyn KeyLookup, now: UnixMillis) {
    // Entered before it is judged: what a session claims is that of the current context.
    if waiter.progress.state.get() != State::Waiting || host::enter(waiter.context).is_err() {
        return;
    }
    match judge(worker, &waiter, keys, now) {
        Verdict::Ask(lookup) => {
            if let Err((waiter, reason)) = worker.ask(lookup, waiter, now) {
                let verdict = judge(worker, &waiter, &NoAnswer(reason), now);
                conclude(&waiter, verdict);
            }
        }
        Verdict::Redeem(redemption) => {
            if let Err((waiter, verdict)) = worker.redeem(waiter, redemption, now) {
                conclude(&waiter, *verdict);
            }
        }
        verdict => conclude(&waiter, verdict),
    }
}

/// Carries out the verdict on a paused request.
pub fn conclude(waiter: &Waiter, verdict: Verdict) {
    if waiter.progress.state.get() != State::Waiting || host::enter(waiter.context).is_err() {
        return;
    }
    let state = enforce_for(waiter, verdict);
    waiter.progress.state.set(state);
    if state == State::Allowed && host::resume().is_err() {
        log::warn!("keygate: a request that may pass could not be resumed");
    }
}

/// Carries out a verdict, and leaves for later what concerns the upstream's answer.
fn enforce_for(waiter: &Waiter, verdict: Verdict) -> State {
    let state = enforce(&verdict, &waiter.headers);
    if let (Verdict::Allow(grant), State::Allowed) = (verdict, state) {
        waiter.progress.response_edits.set(grant.response_edits);
    }
    state
}

/// Carries out a verdict on the request of the current context.
fn enforce(verdict: &Verdict, headers: &[Header]) -> State {
    metrics::decision(verdict);
    match verdict {
        Verdict::Allow(grant) => match edit(grant) {
            Ok(()) => State::Allowed,
            Err(_) => refuse(headers, Reason::HostFailure),
        },
        Verdict::Deny(it) => {
            if it.reason == Reason::NotNormalized {
                warnings::not_normalized();
            }
            if carry_out(Map::HttpRequestHeaders, &it.edits).is_err() {
                log::warn!("keygate: a credential stays in the path of a refused request");
            }
            let grpc = it.grpc_status;
            answered(host::reply(
                it.status,
                &it.headers,
                &it.body,
                &it.details,
                grpc,
            ))
        }
        Verdict::Reply(it) => answered(host::reply(it.status, &it.headers, "", &it.details, None)),
        Verdict::Ask(_) | Verdict::Redeem(_) => refuse(headers, Reason::HostFailure),
    }
}

fn answered(sent: Result<(), HostError>) -> State {
    if sent.is_err() {
        log::error!("keygate: the answer to a request could not be sent");
    }
    State::Denied
}

fn edit(grant: &Grant) -> Result<(), HostError> {
    carry_out(Map::HttpRequestHeaders, &grant.edits)?;
    let mut state = grant.state.iter();
    state.try_for_each(|(name, value)| host::set_state(name, value))
}

fn carry_out(map: Map, edits: &[Edit]) -> Result<(), HostError> {
    edits.iter().try_for_each(|edit| match edit {
        Edit::Remove(name) => host::remove(map, name.as_bytes()),
        Edit::Set(name, value) => host::set(map, name, value),
        Edit::Add(name, value) => host::add(map, name, value),
    })
}

/// The answer when the decision itself could not be made or carried out.
fn refuse(headers: &[Header], reason: Reason) -> State {
    let refusal = Refusal {
        reason,
        scheme: Scheme::None,
    };
    let denial = refusal.answer(headers, &Voice::default());
    enforce(&Verdict::Deny(denial), headers)
}

/// What the host calls.
impl Stream {
    pub fn on_done(&self) {
        if self.progress.state.get() == State::Waiting
            && let Some(worker) = &self.worker
        {
            worker.leave(self.context);
        }
    }

    pub fn on_http_request_headers(&self, _count: usize, end_of_stream: bool) -> Action {
        #[cfg(feature = "trap")]
        crate::trap::at_request();
        self.progress.state.set(self.decide(end_of_stream));
        self.gate()
    }

    // Envoy calls these during the pause when allow_on_headers_stop_iteration is set.
    pub fn on_http_request_body(&self, _size: usize, _end_of_stream: bool) -> Action {
        self.gate()
    }

    pub fn on_http_request_trailers(&self, _count: usize) -> Action {
        match self.strip_trailers() {
            Ok(()) => self.gate(),
            // What cannot be cleaned goes no further; the stream's idle timeout ends it.
            Err(_) => Action::Pause,
        }
    }

    pub fn on_http_response_headers(&self, _count: usize, _end_of_stream: bool) -> Action {
        for edit in self.progress.response_edits.take() {
            if carry_out(Map::HttpResponseHeaders, &[edit]).is_err() {
                log::warn!("keygate: a header of an answer could not be edited");
            }
        }
        Action::Continue
    }
}
