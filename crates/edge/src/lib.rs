//! What a worker knows between its host and the decision: cached keys, the change feed, links
//! that work once, and how many checks may fail.
//!
//! Plain values, without I/O, clock or randomness: `now` and seeds are arguments. The decision
//! itself is in the [core](keygate_core), which knows nothing of this crate.

pub mod budget;
pub mod cache;
pub mod failure_limiter;
pub mod feed;
pub mod links;

pub use cache::Seed;
