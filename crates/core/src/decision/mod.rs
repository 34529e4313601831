//! The decision: from a request and what is known to a verdict.
//!
//! [`policy`] finds the rule, [`rule`] applies it, [`requirement`] and [`provider`] judge
//! what the request presents, [`grant`] and [`verdict`] are the outcome. How a policy is
//! written is the business of [`config`](crate::config).

pub mod carriers;
pub mod challenge;
pub mod facts;
pub mod grant;
pub mod index;
pub mod policy;
pub mod problem;
pub mod provider;
pub mod requirement;
pub mod rule;
pub mod verdict;
