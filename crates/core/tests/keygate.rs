//! Links in Keygate's own format: what they open, what they refuse, and who may make them.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "keygate/attacks.rs"]
mod attacks;
mod common;
#[path = "keygate/config.rs"]
mod config;
#[path = "keygate/fields.rs"]
mod fields;
#[path = "keygate/kit.rs"]
mod kit;
#[path = "keygate/properties.rs"]
mod properties;
#[path = "keygate/tools.rs"]
mod tools;
