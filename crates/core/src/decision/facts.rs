//! What a decision draws on besides the request and the policy.

use crate::http::client::Client;
use crate::identity::session::Claims;
use crate::keys::record::KeyLookup;
use crate::reason::Reason;
use crate::signed_url::checks::Checks;
use crate::signed_url::facts::LinkFacts;
use crate::time::UnixMillis;

/// What a decision draws on besides the request itself.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// Where the request comes from.
    pub client: Client<'a>,
    /// What is known of keys.
    pub keys: &'a dyn KeyLookup,
    /// What a session claims.
    pub claims: &'a dyn Claims,
    /// What its public-key checks may cost.
    pub checks: Checks<'a>,
    /// The time.
    pub now: UnixMillis,
}

/// More requests have come from a caller than it may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Which limit is exceeded: a reason [of rate](Reason::is_of_rate).
    pub reason: Reason,
    /// After how many seconds there is room for another one.
    pub retry_after: u64,
}

impl<'a> Facts<'a> {
    /// The part that concerns links.
    #[inline]
    pub fn of_link(&self) -> LinkFacts<'a> {
        LinkFacts {
            client: self.client,
            checks: self.checks,
            now: self.now,
        }
    }
}
