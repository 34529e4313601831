//! What the check of a link draws on besides the request.

use crate::http::client::Client;
use crate::signed_url::checks::Checks;
use crate::time::UnixMillis;

/// What the check of a link draws on besides the request.
#[derive(Clone, Copy)]
pub struct LinkFacts<'a> {
    /// Where the request comes from.
    pub client: Client<'a>,
    /// What its public-key checks may cost.
    pub checks: Checks<'a>,
    /// The time.
    pub now: UnixMillis,
}
