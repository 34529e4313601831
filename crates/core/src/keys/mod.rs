//! API keys: how one is made and recognised, what is known of it, and what the edge and the
//! key service send each other.

pub mod app_key;
pub mod failure_limit;
pub mod record;
pub mod service;
pub mod wire;
