//! Keygate's decision, and nothing else: data in, verdict out.
//!
//! No I/O, no clock, no randomness, no log: the caller brings the request, what is known of
//! keys, and `now`. Start at [`decision::policy::Policy::decide`].
//!
//! Imports point down: [`config`] and [`lint`] → [`decision`] → [`answer`], [`signed_url`],
//! [`keys`] → [`identity`] → [`http`], [`secret`] → [`text`], [`time`], [`reason`]. A test
//! (`tests/layers.rs`) keeps that order.

pub mod answer;
pub mod config;
pub mod decision;
pub mod http;
pub mod identity;
pub mod keys;
pub mod lint;
pub mod reason;
pub mod secret;
pub mod signed_url;
pub mod text;
pub mod time;
