//! Where the decision is compiled for speed.
//!
//! An opt-level is that of a package. What every request passes is `#[inline]` in the core and
//! therefore compiled here, where it is used; the rest of the module is compiled for size.

use keygate_core::decision::facts::Facts;
use keygate_core::decision::policy::Policy;
use keygate_core::decision::verdict::Verdict;
use keygate_core::http::request::Header;

/// As [`Policy::decide`].
#[inline(never)]
pub fn decide(policy: &Policy, headers: &[Header], facts: &Facts<'_>) -> Verdict {
    policy.decide(headers, facts)
}
