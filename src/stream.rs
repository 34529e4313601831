//! One request: headers in, verdict out. Nothing but [`State::Allowed`] lets a byte pass.

use std::cell::Cell;
use std::rc::Rc;

use keygate_core::{Denial, Edit, Grant, Header, Verdict};
use keygate_edge::{declare_body, host_failure};

use crate::host::{self, Action, HostError, Map};
use crate::metrics;
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

/// What a request shares with the worker while it is paused.
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

    /// Neither a client's identity nor a credential may arrive behind the body.
    fn strip_trailers(&self) -> Result<(), HostError> {
        let Some(worker) = &self.worker else {
            return Ok(());
        };
        let trailers = host::headers(Map::HttpRequestTrailers)?;
        let mut names = trailers.iter().map(|(name, _)| name);
        names.try_for_each(|name| match worker.removes_trailer(name) {
            true => host::remove(Map::HttpRequestTrailers, name),
            false => Ok(()),
        })
    }

    fn decide(&self, end_of_stream: bool) -> State {
        let (Some(worker), Ok(mut headers), Ok(now)) = (
            &self.worker,
            host::headers(Map::HttpRequestHeaders),
            host::now(),
        ) else {
            return reject(&[]);
        };
        if !end_of_stream {
            declare_body(&mut headers);
        }
        match worker.decide(self.context, headers, &self.progress, now) {
            Some(verdict) => enforce(verdict, &self.progress),
            None => State::Waiting,
        }
    }
}

/// Carries out the verdict on a paused request.
pub fn conclude(context: u32, progress: &Progress, verdict: Verdict) {
    if progress.state.get() != State::Waiting || host::enter(context).is_err() {
        return;
    }
    let state = enforce(verdict, progress);
    progress.state.set(state);
    if state == State::Allowed && host::resume().is_err() {
        log::warn!("keygate: an allowed request could not be resumed");
    }
}

/// Carries out a verdict on the request of the current context, and leaves for later what
/// concerns the upstream's answer.
fn enforce(verdict: Verdict, progress: &Progress) -> State {
    match verdict {
        Verdict::Allow(grant) => match edit(&grant) {
            Ok(()) => {
                progress.response_edits.set(grant.response_edits);
                State::Allowed
            }
            // The current headers decide the form of the answer as well as the original ones.
            Err(_) => reject(&host::headers(Map::HttpRequestHeaders).unwrap_or_default()),
        },
        Verdict::Deny(denial) => deny(&denial),
        Verdict::Reply(reply) => answered(host::reply(
            reply.status,
            &reply.headers,
            "",
            &reply.details,
            None,
        )),
        // The edge decides no request so.
        Verdict::Ask(_) | Verdict::Redeem(_) => reject(&[]),
    }
}

fn deny(denial: &Denial) -> State {
    if carry_out(Map::HttpRequestHeaders, &denial.edits).is_err() {
        log::warn!(
            "keygate: a credential could not be removed from the path of a rejected \
                    request"
        );
    }
    let Denial {
        status,
        headers,
        body,
        details,
        grpc_status,
        ..
    } = denial;
    answered(host::reply(*status, headers, body, details, *grpc_status))
}

fn answered(sent: Result<(), HostError>) -> State {
    if sent.is_err() {
        log::error!("keygate: an answer could not be sent");
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
fn reject(headers: &[Header]) -> State {
    let rejection = host_failure(headers);
    metrics::decision(&rejection);
    match rejection {
        Verdict::Deny(denial) => deny(&denial),
        Verdict::Allow(_) | Verdict::Ask(_) | Verdict::Redeem(_) | Verdict::Reply(_) => {
            State::Denied
        }
    }
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
                log::warn!("keygate: a header of an answer could not be changed");
            }
        }
        Action::Continue
    }
}
