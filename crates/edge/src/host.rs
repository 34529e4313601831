//! What the edge and its host say to each other of a request and of a call.
//!
//! Knows no table and no decision: every file of the edge may name what is here.

use keygate_core::keys::wire::MAX_ANSWER;
use keygate_core::{Header, Verdict};

/// Most bytes of the body of a response that a host need copy: see [`Response::body`].
pub const MAX_BODY: usize = MAX_ANSWER;

/// The host's number of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What is to be done with a request that has just arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Carry this out: [`Verdict::Allow`], [`Verdict::Deny`] or [`Verdict::Reply`].
    Decided(Verdict),
    /// Hold it until [`Edge::poll_decided`](crate::Edge::poll_decided) returns it, or until its
    /// client has gone.
    Paused,
}

/// The host's number of a call that it has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Why the host did not send a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// It has no cluster of this name.
    NoSuchCluster,
    /// The circuit breaker is open, no host of the cluster is healthy, or the like.
    Refused,
}

/// What came back for a call.
#[derive(Debug, Default)]
pub struct Response {
    /// All headers, `:status` among them. None if the stream was reset.
    pub headers: Vec<Header>,
    /// The body; `None` if it is longer than [`MAX_BODY`] or could not be read.
    pub body: Option<Vec<u8>>,
}

impl Response {
    /// The value of a header that is given exactly once.
    pub(crate) fn only(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.headers.iter().filter(|(it, _)| it == name.as_bytes());
        let first = values.next().filter(|_| values.next().is_none());
        first.map(|(_, value)| &**value)
    }
}
