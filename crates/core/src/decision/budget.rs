//! The failure limiter as the budget of public-key checks.

use std::cell::RefCell;
use std::net::IpAddr;

use crate::keys::failure_limit::FailureLimiter;
use crate::signed_url::checks::Budget;
use crate::time::UnixMillis;

impl Budget for RefCell<FailureLimiter> {
    fn admit(&self, client: Option<IpAddr>, now: UnixMillis) -> bool {
        let limiter = self.try_borrow_mut();
        limiter.is_ok_and(|mut it| it.admit(client, now))
    }

    fn failed(&self, client: Option<IpAddr>, now: UnixMillis) {
        if let Ok(mut limiter) = self.try_borrow_mut() {
            limiter.failed(client, now);
        }
    }

    fn succeeded(&self, client: Option<IpAddr>, now: UnixMillis) {
        if let Ok(mut limiter) = self.try_borrow_mut() {
            limiter.succeeded(client, now);
        }
    }
}
