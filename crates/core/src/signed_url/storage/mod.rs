//! Formats of object stores.

pub(crate) mod azure_sas;
pub(crate) mod s3;
