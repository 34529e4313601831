//! Formats that RFCs define.

pub(crate) mod http_signature;
pub(crate) mod uri_signing;
