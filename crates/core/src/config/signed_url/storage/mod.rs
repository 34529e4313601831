//! Formats of object storage.

pub(super) mod azure_sas;
pub(super) mod s3;
