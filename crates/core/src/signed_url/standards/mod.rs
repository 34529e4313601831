//! Formats that RFCs define.

pub mod http_signature;
pub mod uri_signing;
