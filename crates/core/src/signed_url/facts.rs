//! What the check of a link draws on besides the request.

use crate::checks::Checks;
use crate::client::Client;
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
