//! Texts and their encodings. It knows nothing of HTTP or secrets.

pub mod base62;
pub(crate) mod cut;
#[cfg_attr(
    not(feature = "all-formats"),
    allow(dead_code, reason = "a build with fewer formats uses less of it")
)]
pub(crate) mod hex;
pub(crate) mod html;
pub mod json;
