//! How many public-key signatures may turn out wrong at a worker, as the decision asks for it.

use std::cell::RefCell;
use std::net::IpAddr;

use keygate_core::UnixMillis;
use keygate_core::signed_url::Budget;

use crate::failure_limiter::FailureLimiter;

/// A limiter that a decision may change though it only borrows it.
pub(crate) struct FailureBudget(RefCell<FailureLimiter>);

impl FailureBudget {
    /// The budget of one worker.
    pub(crate) fn new(limiter: FailureLimiter) -> Self {
        Self(RefCell::new(limiter))
    }
}

impl Budget for FailureBudget {
    fn admit(&self, client: Option<IpAddr>, now: UnixMillis) -> bool {
        let limiter = self.0.try_borrow_mut();
        limiter.is_ok_and(|mut limiter| limiter.admit(client, now))
    }

    fn failed(&self, client: Option<IpAddr>, now: UnixMillis) {
        if let Ok(mut limiter) = self.0.try_borrow_mut() {
            limiter.failed(client, now);
        }
    }

    fn succeeded(&self, client: Option<IpAddr>, now: UnixMillis) {
        if let Ok(mut limiter) = self.0.try_borrow_mut() {
            limiter.succeeded(client, now);
        }
    }
}
