//! The decision: from a request and what is known to a verdict.
//!
//! [`Policy`] finds the rule, [`Rule`] applies it, [`Requirement`] and [`Provider`] judge
//! what the request presents, [`Grant`] and [`Verdict`] are the outcome. How a policy is
//! written is the business of [`config`](crate::config).

pub(crate) mod carriers;
pub mod challenge;
pub(crate) mod facts;
pub(crate) mod grant;
pub(crate) mod index;
pub(crate) mod policy;
pub(crate) mod problem;
pub(crate) mod provider;
pub(crate) mod requirement;
pub(crate) mod rule;
pub(crate) mod unseal;
pub(crate) mod verdict;

pub use carriers::Carriers;
pub use facts::{Exceeded, Facts};
pub use grant::{Grant, Outcome};
pub use index::Rules;
pub use policy::{Policy, Unmatched};
pub use problem::{Place, Problem, Wrong};
pub use provider::{AppKeys, Conclusion, Finding, Hashes, Held, Holder, Outage, Provider};
pub use requirement::Requirement;
pub use rule::{HeaderMatch, Mode, NeededScopes, Rule};
pub use unseal::{Missing, Unseal};
pub use verdict::{Redemption, Verdict};
