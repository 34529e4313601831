//! A verdict carried out by host calls, at once or after a pause.
//!
//! Knows neither the stream nor the worker: both call it.

use std::cell::Cell;

use keygate_core::{Denial, Edit, Grant, Header, Verdict};
use keygate_edge::host_failure;

use crate::host::{self, HostError, Map};
use crate::metrics;

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

/// What a request shares with the worker while it is paused.
pub struct Progress {
    /// What it may let pass.
    pub state: Cell<State>,
    /// What is to be done to the answer of the upstream.
    pub response_edits: Cell<Vec<Edit>>,
}

impl Progress {
    pub fn new() -> Self {
        Self {
            state: Cell::new(State::Undecided),
            response_edits: Cell::default(),
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
pub fn enforce(verdict: Verdict, progress: &Progress) -> State {
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

/// Makes edits of a map, up to the first that fails.
pub fn carry_out(map: Map, edits: &[Edit]) -> Result<(), HostError> {
    edits.iter().try_for_each(|edit| match edit {
        Edit::Remove(name) => host::remove(map, name.as_bytes()),
        Edit::Set(name, value) => host::set(map, name, value),
        Edit::Add(name, value) => host::add(map, name, value),
        Edit::SetSecret(name, value) => host::set(map, name, value.expose()),
    })
}

/// The answer when the decision itself could not be made or carried out.
pub fn reject(headers: &[Header]) -> State {
    let rejection = host_failure(headers);
    metrics::decision(&rejection);
    match rejection {
        Verdict::Deny(denial) => deny(&denial),
        Verdict::Allow(_) | Verdict::Ask(_) | Verdict::Redeem(_) | Verdict::Reply(_) => {
            State::Denied
        }
    }
}
