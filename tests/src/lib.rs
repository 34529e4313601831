//! The harness of the end-to-end tests: it brings a real Envoy, a real key
//! service and an upstream up, talks to them byte by byte, and takes them down.
//!
//! It knows no policy and asserts nothing about one; a part that does not come
//! up, or does not answer in time, is a panic that says which.

pub mod browser;
pub mod client;
pub mod dashboard;
pub mod echo;
pub mod envoy;
pub mod fake_service;
pub mod faults;
pub mod ffmpeg;
pub mod h2;
pub mod launch;
pub mod leaks;
pub mod load;
pub mod manifests;
pub mod namespace;
pub mod port;
pub mod process;
pub mod prometheus;
pub mod readme;
pub mod relay;
pub mod service;
pub mod signers;
pub mod soak;
mod stack;
pub mod tools;
pub mod wait;

pub use stack::{Stack, StackBuilder};

use std::path::PathBuf;

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .canonicalize()
        .expect("the repository is where it was built")
}
