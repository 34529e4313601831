//! Keygate's decision: data in, verdict out.
//!
//! No I/O, no clock, no randomness, no log: the caller brings the request, what is known of
//! keys, and `now`. A [`Policy`] is parsed once and decides every request.
//!
//! ```
//! use keygate_core::keys::NothingKnown;
//! use keygate_core::signed_url::Checks;
//! use keygate_core::{Client, Facts, Header, NoClaims, Policy, Reason, UnixMillis, Verdict};
//!
//! let text = r#"{
//!     "version": 1,
//!     "secrets": { "media": [{ "id": "k1", "env": "MEDIA_SECRET" }] },
//!     "providers": { "link": { "type": "signed_url", "format": "keygate",
//!                              "secrets": "media", "max_lifetime": "7d" } },
//!     "rules": [
//!         { "name": "films", "match": { "path": "/films/**" }, "require": "link" },
//!         { "name": "trailers", "match": { "path": "/trailers/**" }, "require": "nothing" }
//!     ],
//!     "unmatched": "deny"
//! }"#;
//! let environment = |name: &str| match name {
//!     "MEDIA_SECRET" => Some(b"a-secret-of-at-least-32-bytes-for-links".to_vec()),
//!     _ => None,
//! };
//! let policy = Policy::parse(text.as_bytes(), &environment).unwrap();
//!
//! let facts = Facts {
//!     client: Client::Known(None),
//!     keys: &NothingKnown,
//!     claims: &NoClaims,
//!     checks: Checks::default(),
//!     now: UnixMillis::from_secs(1_700_000_000),
//! };
//! let decide = |path: &str| {
//!     let headers = [(":method", "GET"), (":authority", "example.com"), (":path", path)];
//!     let headers: [Header; 3] = headers.map(|(name, value)| (name.into(), value.into()));
//!     policy.decide(&headers, &facts)
//! };
//!
//! assert!(matches!(decide("/trailers/cat.mp4"), Verdict::Allow(_)));
//! let Verdict::Deny(denial) = decide("/films/cat.mp4") else {
//!     panic!("a film needs a link");
//! };
//! assert_eq!(denial.reason, Reason::MissingCredential);
//! assert_eq!(denial.status, 403);
//! ```
//!
//! What a caller needs for that is here at the root; each folder is a module that exports
//! the rest of what other crates use. The files behind them are private, and the lints
//! `unreachable_pub` and `unnameable_types` keep both sides of that.
//!
//! Imports point down: [`config`] and [`lint`] → [`decision`] → [`answer`], [`signed_url`],
//! [`keys`] → [`identity`] → [`http`], [`secret`] → [`text`], `time`, `reason`. A test
//! (`tests/layers.rs`) keeps that order.

#![cfg_attr(
    not(all(feature = "tools", feature = "all-formats")),
    allow(
        dead_code,
        unused_imports,
        reason = "a build with fewer features uses less; the full build has no dead code"
    )
)]

pub mod answer;
pub mod config;
pub mod decision;
pub mod http;
pub mod identity;
pub mod keys;
#[cfg(feature = "tools")]
pub mod lint;
mod reason;
pub mod secret;
pub mod signed_url;
pub mod text;
mod time;

pub use answer::Denial;
pub use decision::{Facts, Grant, Outcome, Policy, Provider, Verdict};
pub use http::{Client, Edit, Header, Request, Target};
pub use identity::NoClaims;
pub use reason::{PublicReason, Reason};
pub use secret::Secret;
pub use time::{Millis, TimeError, UnixMillis};
