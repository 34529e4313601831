//! The tests of the core, in one binary: it links once.
//!
//! The crate `keygate-testkit` makes requests and policies. Each module is a format, or a part of the
//! decision; a folder has a `kit` where its tests share one.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "a test may panic, and nothing outside reads it"
)]

mod akamai;
mod allocations;
mod assertion;
#[cfg(feature = "formats-storage")]
mod azure_sas;
#[cfg(feature = "all-formats")]
mod bounds;
mod browsers;
mod bunny;
mod carriers;
mod challenge;
mod checks;
mod cloudflare;
mod cloudfront;
mod config;
mod corpus;
mod docs;
mod exchange;
mod fastly;
mod formats;
mod google_cdn;
mod google_media_cdn;
mod hashes;
mod http_signature;
mod images;
mod keycdn;
mod keygate;
mod layers;
mod lint;
mod near;
mod nginx;
mod once;
mod policy;
mod reasons;
mod remembered;
mod rotation;
#[cfg(feature = "formats-storage")]
mod s3;
mod session;
mod together;
mod uri_signing;
mod vectors;
mod wrong_policies;
