//! Keygate's decision, and nothing else: data in, verdict out.
//!
//! No I/O, no clock, no randomness, no log: whoever calls brings the request,
//! what is known of keys, and `now`.

pub mod app_key;
pub mod base62;
pub mod secret;
pub mod time;
pub mod wire;
