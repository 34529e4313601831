//! Which answers to a call count, and how often a fault is counted and logged.
//!
//! Knows what a usable answer looks like, and nothing of what was asked.

use keygate_core::keys::wire::{MAX_ANSWER, SERVICE_MARKER};
use keygate_core::{Millis, UnixMillis};
use litemap::LiteMap;

use crate::fault::Fault;
use crate::host::Response;
use crate::report::{Notice, Report};

/// Each kind of fault is logged once in this time by each worker.
const PAUSE: Millis = Millis::from_secs(60);

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
