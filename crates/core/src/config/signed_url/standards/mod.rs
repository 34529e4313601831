//! Formats of standards.

pub(super) mod http_signature;
pub(super) mod uri_signing;
