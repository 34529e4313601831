//! What a worker does between its host and the decision, as a state machine without I/O.
//!
//! The [core](keygate_core) decides on what it is given. This crate owns what must be found out
//! first, and what is shared by requests: lookups and who waits for them, links that work once,
//! the change feed and which worker polls it, caches, limits, faults of calls, counters. It
//! does not know its host: no callbacks, no sockets, no clock, no randomness, no log. After
//! quinn-proto, everything goes in by a method of [`Edge`] and comes out by a `poll_…`.
//!
//! # Order of calls
//!
//! In, whenever the host has something to say, each with the time of that moment:
//!
//! - [`Edge::request`] for each request that arrives. [`Step::Paused`] holds it.
//! - [`Edge::answer`] for each answer to a call, and for a call that ended without one.
//! - [`Edge::tick`] every [`Edge::period`], also while nothing else happens.
//! - [`Edge::gone`] for a paused request whose client leaves.
//! - [`Edge::end`] once, when the worker gets no more requests.
//!
//! Out, after each of these, in this order:
//!
//! 1. [`Edge::poll_call`] until `None`. Each call is sent and then handed to [`Edge::sent`] with
//!    the host's number, or with the error: what was not sent is answered by that.
//! 2. [`Edge::poll_decided`] until `None`, or until the host has had enough for one turn: see
//!    [`Edge::has_decided`]. A request that is decided may be resumed and end at once, and
//!    [`Edge::gone`] then be called; so the edge must not be borrowed meanwhile.
//! 3. `poll_call` once more, since a request with two keys may need another answer.
//! 4. [`Edge::poll_metric`] and [`Edge::poll_notice`] until `None`, and with `metrics_by_rule`
//!    [`Edge::poll_rule_metric`]: they are kept until then.
//!
//! After `request`, 1 to 3 may wait for a turn of the host in which no request is at work.
//!
//! # What differs between hosts
//!
//! What the workers of a proxy share: see [`Shared`]. And what only the host can say of a
//! request, its client's address and its verified claims, comes with the request and is asked
//! for lazily: a question takes about 2 µs and few decisions need it. A request that pauses
//! keeps both.
//!
//! # Example
//!
//! ```
//! use keygate_core::{Client, NoClaims, Policy, UnixMillis, Verdict};
//! use keygate_edge::{Edge, Memory, RequestId, Response, Seed, Step, Token};
//!
//! let text = r#"{
//!     "version": 1,
//!     "secrets": { "app_keys": [{ "id": "01", "env": "SECRET" }] },
//!     "key_service": { "cluster": "keys", "authority": "keys", "token_env": "TOKEN" },
//!     "providers": { "key": { "type": "app_key", "secrets": "app_keys", "from": ["bearer"],
//!                             "accept": ["opaque"] } },
//!     "rules": [{ "name": "api", "match": { "path": "/api/**" }, "require": "key" }],
//!     "unmatched": "deny"
//! }"#;
//! let environment = |_: &str| Some(b"a-secret-of-more-than-32-bytes-in-an-example".to_vec());
//! let policy = Policy::parse(text.as_bytes(), &environment).unwrap();
//! let (mut edge, workers) = (Edge::new(policy, Seed([1, 2])), Memory::default());
//! let now = UnixMillis(1_700_000_000_000);
//!
//! // A request with a key that this worker does not know.
//! let headers = [
//!     (":method", "GET"),
//!     (":path", "/api/x"),
//!     (":authority", "example.com"),
//!     ("authorization", "Bearer legacy:alice:0123456789"),
//! ];
//! let headers = headers.map(|(name, value)| (name.into(), value.into())).to_vec();
//! let step = edge.request(RequestId(7), headers, Client::Known(None), &NoClaims, now);
//! assert_eq!(step, Step::Paused);
//!
//! // The host sends the question, and the key service knows no such key.
//! let call = edge.poll_call().unwrap();
//! assert_eq!(call.cluster, "keys");
//! edge.sent(call, Ok(Token(1)), now);
//! let response = Response {
//!     headers: vec![
//!         (":status".into(), "200".into()),
//!         ("x-keygate-service".into(), "1".into()),
//!     ],
//!     body: Some(br#"{"epoch": 1, "records": []}"#.to_vec()),
//! };
//! edge.answer(Token(1), &response, &workers, now);
//!
//! let (request, verdict) = edge.poll_decided(now).unwrap();
//! assert_eq!(request, RequestId(7));
//! assert!(matches!(verdict, Verdict::Deny(denial) if denial.status == 401));
//! let metrics: Vec<_> = std::iter::from_fn(|| edge.poll_metric()).collect();
//! assert_eq!(metrics[1].to_string(), "keygate_decision.deny.unknown_key");
//! ```

mod answers;
mod applied;
mod bucket;
mod budget;
mod by_rule;
mod cache;
mod call;
mod caller;
mod counter;
mod edge;
mod failure_limiter;
mod fault;
mod faults;
mod feed;
mod follower;
mod host;
mod key_uses;
mod links;
mod lookups;
mod rates;
mod report;
mod requests;
mod shared;
mod uses;
mod waiting;

pub use by_rule::{Decision, RuleMetric};
pub use cache::Seed;
pub use call::Call;
pub use edge::Edge;
pub use fault::Fault;
pub use host::{MAX_BODY, NotSent, RequestId, Response, Step, Token};
pub use report::{Level, Metric, Notice};
pub use requests::{declare_body, host_failure};
pub use shared::{Memory, Shared, Version};

/// Parts that tests, benches and fuzz targets try without an edge. A host needs none of them.
pub mod parts {
    pub use crate::applied::Applied;
    pub use crate::cache::{KeyCache, LastKnown};
    pub use crate::feed::{CatchUp, PollLease, Position, SharedFeed};
    pub use crate::links::{UnusedLinks, UsedLinks};
}
