//! Formats of object stores.

pub mod azure_sas;
pub mod s3;
