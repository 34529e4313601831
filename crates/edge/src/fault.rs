//! The ways in which a call to the key service fails. Each has a counter and a line in the log,
//! so that an operator knows what to mend.

use std::fmt;

use crate::counter::Counter;
use crate::host::NotSent;

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

impl Fault {
    /// The counter of its kind.
    pub(crate) fn counter(self) -> Counter {
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
