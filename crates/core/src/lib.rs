//! Keygate's decision, and nothing else: data in, verdict out.
//!
//! No I/O, no clock, no randomness, no log: whoever calls brings the request,
//! what is known of keys, and `now`. Start at [`policy::Policy::decide`]; what may
//! stand in a configuration is read by [`config`]; each way to refuse is in [`reason`].

pub mod address;
pub mod answer;
pub mod app_key;
pub mod assertion;
pub mod authority;
pub mod base62;
pub mod brand;
pub mod cache;
pub mod carriers;
pub mod challenge;
pub mod checks;
pub mod client;
pub mod config;
pub mod cookie;
pub mod credential;
mod cut;
pub mod edit;
pub mod facts;
pub mod failure_limit;
pub mod feed;
pub mod glob;
pub mod grant;
pub mod header_name;
mod hex;
mod html;
pub mod identity;
pub mod index;
pub mod json;
pub mod key_service;
pub mod limits;
pub mod lint;
pub mod mac;
pub mod memo;
pub mod once;
pub mod path;
pub mod policy;
pub mod problem;
pub mod provider;
pub mod query;
pub mod reason;
pub mod record;
pub mod referrer;
pub mod request;
pub mod requirement;
pub mod rule;
pub mod scopes;
pub mod secret;
pub mod session;
pub mod signed_url;
#[cfg(any(
    feature = "formats-cdn",
    feature = "formats-storage",
    feature = "formats-standards"
))]
mod sorted;
pub mod time;
mod token;
pub mod verdict;
pub mod wire;
