//! How a call to the key service fails. Each way has a counter and a line in the log, so that
//! an operator knows what to mend.
//!
//! Knows what a usable answer looks like, and nothing of what was asked.

use std::fmt;

use keygate_core::keys::wire::{MAX_ANSWER, SERVICE_MARKER};
use keygate_core::{Millis, UnixMillis};
use litemap::LiteMap;

use crate::call::{NotSent, Response};
use crate::counter::Counter;
use crate::report::{Notice, Report};

/// Each kind of fault is logged once in this time by each worker.
const PAUSE: Millis = Millis::from_secs(60);

/// Why a call brought no answer that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The host could not connect, or the connection broke.
    Unreachable,
    /// No answer came in time.
    TimedOut,
    /// The host did not send the call.
    NotSent(NotSent),
    /// The key service does not accept the edge token: 401, or 403 for a token of another role.
    TokenRefused(u16),
    /// The answer is not one of the key service, or says that it failed itself.
    Unusable {
        /// Its status.
        status: u16,
        /// Whether it has the marker of the key service.
        is_marked: bool,
    },
}

/// When each kind of fault was logged last.
#[derive(Default)]
pub(crate) struct Faults(LiteMap<&'static str, UnixMillis>);

impl Faults {
    /// Counts a fault of a call through this cluster, and logs each kind once a minute.
    pub(crate) fn note(
        &mut self,
        fault: Fault,
        cluster: &str,
        now: UnixMillis,
        report: &mut Report,
    ) {
        let counter = fault.counter();
        let name = counter.name();
        report.count(counter);
        let is_due = |last: &UnixMillis| last.0.abs_diff(now.0) >= PAUSE.0;
        if self.0.get(name).is_none_or(is_due) {
            self.0.insert(name, now);
            let cluster = cluster.to_owned();
            report.log(Notice::Fault { fault, cluster });
        }
    }
}

impl Fault {
    fn counter(self) -> Counter {
        match self {
            Self::Unreachable => Counter::KeyServiceUnreachable,
            Self::TimedOut => Counter::KeyServiceTimedOut,
            Self::NotSent(_) => Counter::KeyServiceNotSent,
            Self::TokenRefused(_) => Counter::KeyServiceTokenRefused,
            Self::Unusable { .. } => Counter::KeyServiceUnusable,
        }
    }

    /// Writes what happened to a call through this cluster, and what to do next.
    pub(crate) fn write(self, cluster: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => write!(
                f,
                "the key service cannot be reached through the cluster {cluster}: \
                 start it, or correct the cluster's address"
            ),
            Self::TimedOut => write!(
                f,
                "the key service did not answer in time through the cluster {cluster}: \
                 check its load and the network, or raise key_service.timeout"
            ),
            Self::NotSent(NotSent::NoSuchCluster) => write!(
                f,
                "Envoy did not send a call to the key service: it has no cluster {cluster}; \
                 add it, or correct the name in key_service"
            ),
            Self::NotSent(NotSent::Refused) => write!(
                f,
                "Envoy did not send a call to the key service: the circuit breaker of the \
                 cluster {cluster} is open, or no host of it is healthy"
            ),
            Self::TokenRefused(status) => write!(
                f,
                "the key service rejected the edge token with {status}: set the variable named \
                 by key_service.token_env to an edge token of the key service"
            ),
            Self::Unusable {
                status,
                is_marked: true,
            } => write!(
                f,
                "the key service sent an unusable answer with status {status}: see its log"
            ),
            Self::Unusable {
                status,
                is_marked: false,
            } => write!(
                f,
                "an answer with status {status} did not come from the key service: check the \
                 address of the cluster {cluster}"
            ),
        }
    }
}

/// Reads the answer to a call. Only a 200 with the marker of the key service counts: Envoy
/// answers in its place with 503 and 504, and another server could answer anything.
///
/// # Errors
/// [`Fault`] for everything else. An answer without the marker never says that the token is
/// rejected.
pub(crate) fn read_answer<T>(
    response: &Response,
    read: fn(&[u8]) -> Option<T>,
) -> Result<T, Fault> {
    let status = response.only(":status");
    let status = status.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    let (marker, expected) = SERVICE_MARKER;
    let is_marked = response.only(marker) == Some(expected.as_bytes());
    let fault = match (status, is_marked) {
        // The stream was reset after its headers: Envoy then hands over none.
        (None, _) | (Some(503), false) => Fault::Unreachable,
        (Some(504), false) => Fault::TimedOut,
        (Some(status @ (401 | 403)), true) => Fault::TokenRefused(status),
        (Some(status), is_marked) => Fault::Unusable { status, is_marked },
    };
    if status != Some(200) || !is_marked {
        return Err(fault);
    }
    let body = response
        .body
        .as_ref()
        .filter(|body| body.len() <= MAX_ANSWER);
    body.and_then(|body| read(body)).ok_or(fault)
}
