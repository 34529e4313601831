//! Secrets from environment variables; errors name the variable and never its value.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsString;

use keygate_core::Secret;
use serde_json::Value;

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

/// How messages name the value of a variable, which they never quote.
pub fn value_of(variable: &str) -> String {
    format!("the value of {variable}")
}

/// Says what to do about a variable that an option could name.
pub fn or_another(error: &CliError, option: &str) -> CliError {
    CliError::Usage(format!(
        "{error}: set it, or name another one with {option}"
    ))
}

/// Says what to do about variables of a policy that are not set in this shell.
pub fn unset_here(variables: &[&str]) -> String {
    let (are, them, values) = match variables {
        [_] => ("is", "it", "the value"),
        _ => ("are", "them", "the values"),
    };
    let names = variables.join(" and ");
    format!("{names} {are} not set in this shell: set {them} to {values} that Envoy has")
}

/// Warns of white space or quotes around the value of a variable: the edge and a signer that
/// cut them off have another secret.
pub fn warn_of_padding(name: &str, value: &[u8]) {
    if Secret::looks_padded(value) {
        eprintln!(
            "keygate: warning: the value of {name} begins or ends with white space or a quote: \
             is that part of the secret?"
        );
    }
}

/// The environment of a policy, in which every variable has a value.
pub struct StandIns {
    policy: Value,
    asked: RefCell<BTreeSet<String>>,
    missing: RefCell<BTreeSet<String>>,
}

impl StandIns {
    /// For a policy, whose text may be broken.
    pub fn of(policy: &[u8]) -> Self {
        Self {
            policy: serde_json::from_slice(policy).unwrap_or_default(),
            asked: RefCell::default(),
            missing: RefCell::default(),
        }
    }

    /// The value of a variable, or a stand-in for it: 32 bytes, in the encoding that the
    /// policy names, which suit every use of a secret.
    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.asked.borrow_mut().insert(name.to_owned());
        let value = std::env::var_os(name).map(OsString::into_encoded_bytes);
        value.or_else(|| {
            self.missing.borrow_mut().insert(name.to_owned());
            Some(self.stand_in(name).into_bytes())
        })
    }

    fn stand_in(&self, name: &str) -> String {
        let rings = self.policy["secrets"].as_object().into_iter().flatten();
        let mut secrets = rings.filter_map(|(_, ring)| ring.as_array()).flatten();
        let secret = secrets.find(|secret| secret["env"] == name);
        match secret.and_then(|secret| secret["encoding"].as_str()) {
            Some("hex") => "30".repeat(32),
            Some("base64") => format!("{}MDA=", "MDAw".repeat(10)),
            Some("base64url") => format!("{}MDA", "MDAw".repeat(10)),
            _ => "0".repeat(32),
        }
    }

    /// The variables that were asked for.
    pub fn asked(&self) -> Vec<String> {
        self.asked.borrow().iter().cloned().collect()
    }

    /// The variables that were asked for and are not set.
    pub fn missing(&self) -> Vec<String> {
        self.missing.borrow().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keygate_core::identity::assertion::{Algorithm, SigningKey};
    use keygate_core::secret::Encoding;

    #[test]
    fn a_stand_in_secret_suits_every_use() {
        let stand_ins = StandIns::of(
            br#"{ "secrets": {
                "a": [{ "id": "1", "env": "PLAIN" }, { "id": "2", "env": "HEX", "encoding": "hex" }],
                "b": [{ "id": "1", "env": "BASE64", "encoding": "base64" },
                      { "id": "2", "env": "BASE64URL", "encoding": "base64url" }]
            } }"#,
        );
        for (name, encoding) in [
            ("PLAIN", Encoding::Utf8),
            ("HEX", Encoding::Hex),
            ("BASE64", Encoding::Base64),
            ("BASE64URL", Encoding::Base64Url),
            ("TOKEN", Encoding::Utf8),
        ] {
            let secret = Secret::decode(&stand_ins.get(name).unwrap(), encoding).unwrap();
            assert!(SigningKey::new(&secret, Algorithm::EdDsa).is_ok(), "{name}");
        }
    }
}
