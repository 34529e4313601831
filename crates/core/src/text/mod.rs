//! Texts and their encodings. It knows nothing of HTTP or secrets.

pub mod base62;
pub(crate) mod cut;
pub mod hex;
pub(crate) mod html;
pub mod json;
pub(crate) mod names;
