//! How a call to the key service fails. Each way has a counter and a line in the log, so that
//! an operator knows what to mend.

use std::cell::RefCell;
use std::fmt;

use keygate_core::keys::wire::{MAX_ANSWER, SERVICE_MARKER};
use keygate_core::time::{Millis, UnixMillis};
use litemap::LiteMap;

use crate::host::{self, HostError, Map};
use crate::metrics::count;

/// Each kind of fault is logged once in this time by each worker.
const PAUSE: Millis = Millis::from_secs(60);

/// The status of the ABI for a call to a cluster that Envoy does not have.
const NO_SUCH_CLUSTER: HostError = HostError(2);

/// Why a call brought no answer that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Envoy could not connect, or the connection broke.
    Unreachable,
    /// No answer came in time.
    TimedOut,
    /// Envoy did not send the call.
    NotSent(HostError),
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

/// Counts faults, and logs each kind once a minute.
#[derive(Default)]
pub struct Faults(RefCell<LiteMap<&'static str, UnixMillis>>);

impl Faults {
    /// Counts a fault of a call through this cluster.
    pub fn note(&self, fault: Fault, cluster: &str, now: UnixMillis) {
        let name = fault.counter();
        count(name);
        let mut logged = self.0.borrow_mut();
        let is_due = |last: &UnixMillis| last.0.abs_diff(now.0) >= PAUSE.0;
        if logged.get(name).is_none_or(is_due) {
            logged.insert(name, now);
            log::warn!("keygate: {}", Line { fault, cluster });
        }
    }
}

impl Fault {
    fn counter(self) -> &'static str {
        match self {
            Self::Unreachable => "keygate_key_service.unreachable",
            Self::TimedOut => "keygate_key_service.timed_out",
            Self::NotSent(_) => "keygate_key_service.not_sent",
            Self::TokenRefused(_) => "keygate_key_service.token_refused",
            Self::Unusable { .. } => "keygate_key_service.unusable",
        }
    }
}

/// A fault as the log has it: what happened, and what to do next.
struct Line<'a> {
    fault: Fault,
    cluster: &'a str,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cluster = self.cluster;
        match self.fault {
            Fault::Unreachable => write!(
                f,
                "the key service cannot be reached through the cluster {cluster}: \
                 start it, or correct the cluster's address"
            ),
            Fault::TimedOut => write!(
                f,
                "the key service did not answer in time through the cluster {cluster}: \
                 check its load and the network, or raise key_service.timeout"
            ),
            Fault::NotSent(NO_SUCH_CLUSTER) => write!(
                f,
                "Envoy did not send a call to the key service: it has no cluster {cluster}; \
                 add it, or correct its name in key_service"
            ),
            Fault::NotSent(_) => write!(
                f,
                "Envoy did not send a call to the key service: the circuit breaker of the \
                 cluster {cluster} is open, or no host of it is healthy"
            ),
            Fault::TokenRefused(status) => write!(
                f,
                "the key service refused the edge token with {status}: set the variable that \
                 key_service.token_env names to an edge token of the key service"
            ),
            Fault::Unusable {
                status,
                is_marked: true,
            } => write!(
                f,
                "the key service gave an unusable answer with status {status}: see its log"
            ),
            Fault::Unusable {
                status,
                is_marked: false,
            } => write!(
                f,
                "an answer with status {status} did not come from the key service: check where \
                 the cluster {cluster} leads"
            ),
        }
    }
}

/// Reads the answer to a call. Only a 200 with the marker of the key service counts: Envoy
/// answers in its place with 503 and 504, and another server could answer anything.
///
/// # Errors
/// [`Fault`] for everything else. An answer without the marker never says that the token is
/// refused.
pub fn read_answer<T>(size: usize, read: fn(&[u8]) -> Option<T>) -> Result<T, Fault> {
    let headers = host::headers(Map::HttpCallResponseHeaders).unwrap_or_default();
    let only = |name: &str| {
        let mut values = headers.iter().filter(|(it, _)| it == name.as_bytes());
        values
            .next()
            .filter(|_| values.next().is_none())
            .map(|(_, it)| it)
    };
    let status = only(":status").and_then(|it| std::str::from_utf8(it).ok()?.parse().ok());
    let is_marked = only(SERVICE_MARKER.0).is_some_and(|it| it == SERVICE_MARKER.1.as_bytes());
    let fault = match (status, is_marked) {
        // The stream was reset after its headers: Envoy then hands over none.
        (None, _) | (Some(503), false) => Fault::Unreachable,
        (Some(504), false) => Fault::TimedOut,
        (Some(status @ (401 | 403)), true) => Fault::TokenRefused(status),
        (Some(status), is_marked) => Fault::Unusable { status, is_marked },
    };
    if status != Some(200) || !is_marked || size > MAX_ANSWER {
        return Err(fault);
    }
    let body = host::callout_body(size).ok();
    body.and_then(|it| read(&it)).ok_or(fault)
}
