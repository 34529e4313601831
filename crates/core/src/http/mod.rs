//! HTTP as the decision reads it: requests, their parts, and changes to headers.
//!
//! It knows nothing of policies, keys and formats. Every parser accepts a grammar and
//! rejects the rest.

pub mod address;
pub mod authority;
pub mod client;
pub mod cookie;
pub mod credential;
pub mod edit;
pub mod glob;
pub mod header_name;
pub mod parameter;
pub mod path;
pub mod path_token;
pub mod query;
pub mod referrer;
pub mod request;
