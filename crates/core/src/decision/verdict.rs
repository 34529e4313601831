//! What is decided about a request.

use crate::answer::Denial;
use crate::decision::challenge::Reply;
use crate::decision::grant::Grant;
use crate::keys::service::Lookup;
use crate::signed_url::once_link::OnceLink;

/// What is to be done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes, after edits.
    Allow(Grant),
    /// The key service must be asked about this key first.
    Ask(Lookup),
    /// It may pass once: the key service must be asked first.
    Redeem(Box<Redemption>),
    /// It is rejected.
    Deny(Denial),
    /// It is answered here, and that is no rejection.
    Reply(Reply),
}

/// A request that may pass if its link was not used before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redemption {
    /// The link.
    pub link: OnceLink,
    /// Whether this request uses it up. HEAD only asks, unless the link is for nothing else.
    pub uses: bool,
    /// What holds when it was not used before.
    pub grant: Grant,
    /// The answer when it was.
    pub used: Denial,
    /// The answer when the key service gives none.
    pub unavailable: Denial,
}
