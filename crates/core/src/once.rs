//! Links that work once: who remembers is the key service, for all workers and proxies.

use crate::answer::Denial;
use crate::grant::Grant;
use crate::time::UnixMillis;

/// A link that works once, and holds otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnceLink {
    /// The id of the key that signed it, a dot, and its own id.
    pub id: String,
    /// The first instant at which it holds no more: until then it must be remembered.
    pub expires: UnixMillis,
}

/// A request that may pass if its link was not used before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redemption {
    /// The link.
    pub link: OnceLink,
    /// Whether this request uses it up. HEAD only asks.
    pub uses: bool,
    /// What holds when it was not used before.
    pub grant: Grant,
    /// The answer when it was.
    pub used: Denial,
    /// The answer when nobody can say.
    pub unavailable: Denial,
}
