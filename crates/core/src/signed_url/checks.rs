//! What the public-key checks of one request may cost.
//!
//! One such check takes up to 30 times as long as everything else about a request, and any
//! client can ask for one. A decision consults these bounds before it begins a check and
//! reports those that fail.

use std::cell::Cell;
use std::net::IpAddr;

use crate::time::UnixMillis;

/// Most public-key checks that may fail for one request, over all providers, keys and
/// spellings.
pub(crate) const MAX_FAILED: u8 = 2;

/// The bounds of one request. The default has none.
#[derive(Clone, Copy, Default)]
pub struct Checks<'a>(Option<(&'a Cell<u8>, &'a dyn Budget)>);

/// How many checks may fail over many requests.
pub trait Budget {
    /// Whether a check for this client may begin.
    fn admit(&self, client: Option<IpAddr>, now: UnixMillis) -> bool;

    /// Counts a failure of a check that was admitted.
    fn failed(&self, client: Option<IpAddr>, now: UnixMillis);

    /// Ends a check that was admitted and does not count.
    fn succeeded(&self, client: Option<IpAddr>, now: UnixMillis);
}

impl<'a> Checks<'a> {
    /// `failed` counts the failed checks of the request, also if it is decided more than once.
    pub fn new(failed: &'a Cell<u8>, budget: &'a dyn Budget) -> Self {
        Self(Some((failed, budget)))
    }

    /// Whether the request has a failed check left.
    pub fn are_left(self) -> bool {
        self.0.is_none_or(|(failed, _)| failed.get() < MAX_FAILED)
    }

    /// Counts a check of the request that failed.
    pub fn spend(self) {
        if let Some((failed, _)) = self.0 {
            failed.set(failed.get().saturating_add(1));
        }
    }

    /// What other requests leave, if it is bounded.
    pub fn budget(self) -> Option<&'a dyn Budget> {
        self.0.map(|(_, budget)| budget)
    }
}
