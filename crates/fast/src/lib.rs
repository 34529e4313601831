//! Where the decision is compiled for speed.
//!
//! An opt-level is that of a package. What every request passes is `#[inline]` in the core and
//! therefore compiled here, where it is used; the rest of the module is compiled for size.

use keygate_core::facts::Facts;
use keygate_core::policy::Policy;
use keygate_core::request::Header;
use keygate_core::verdict::Verdict;

/// As [`Policy::decide`].
#[inline(never)]
pub fn decide(policy: &Policy, headers: &[Header], facts: &Facts<'_>) -> Verdict {
    policy.decide(headers, facts)
}
