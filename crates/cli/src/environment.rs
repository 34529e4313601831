//! Secrets from environment variables; errors name the variable and never its value.

use std::cell::RefCell;
use std::collections::BTreeSet;
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

/// Stands for a secret that is not set here: long enough, and valid in every encoding.
const STAND_IN: &[u8] = b"3030303030303030303030303030303030303030303030303030303030303030";

/// The environment of a policy, in which every variable has a value.
#[derive(Default)]
pub struct StandIns(RefCell<BTreeSet<String>>);

impl StandIns {
    /// The value of a variable, or what stands for it.
    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        let value = std::env::var_os(name).map(OsString::into_encoded_bytes);
        value.or_else(|| {
            self.0.borrow_mut().insert(name.to_owned());
            Some(STAND_IN.to_vec())
        })
    }

    /// The variables that were asked for and are not set.
    pub fn missing(&self) -> Vec<String> {
        self.0.borrow().iter().cloned().collect()
    }
}
