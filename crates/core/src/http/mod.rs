//! HTTP as the decision reads it: requests, their parts, and changes to headers.
//!
//! It knows nothing of policies, keys and formats. Every parser accepts a grammar and
//! rejects the rest.

pub mod address;
pub(crate) mod authority;
pub(crate) mod client;
pub(crate) mod cookie;
pub mod credential;
pub(crate) mod edit;
pub(crate) mod glob;
pub(crate) mod header_name;
pub(crate) mod parameter;
pub mod path;
pub(crate) mod path_token;
pub(crate) mod query;
pub(crate) mod referrer;
pub(crate) mod request;

pub use authority::{Authority, NotAnAuthority};
pub use client::Client;
pub use edit::{Edit, SecretValue, Strip};
pub use glob::{HostPattern, PathGlob, PatternError, SplitPath};
pub use header_name::is_sealable;
pub use parameter::{TokenParameter, find_parameter};
pub use path::Target;
pub use path_token::PathToken;
pub use referrer::{ReferrerError, ReferrerPattern};
pub use request::{Bytes, Header, Request};
