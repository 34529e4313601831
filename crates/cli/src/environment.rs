//! Secrets from environment variables; errors name the variable and never its value.

use std::ffi::OsString;

use crate::error::CliError;

/// The value of a variable that must be there, byte for byte.
pub fn required(name: &str) -> Result<OsString, CliError> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| CliError::Usage(format!("the environment variable {name} is not set")))
}

/// The value of a variable that must be there and be text.
pub fn required_text(name: &str) -> Result<String, CliError> {
    required(name)?
        .into_string()
        .map_err(|_| CliError::Usage(format!("the environment variable {name} is not UTF-8")))
}
