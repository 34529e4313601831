//! `keygate check`: what Envoy would say of a filter configuration.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use keygate_core::policy::Policy;

use crate::error::CliError;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate check policy.json
  kubectl get wasmplugin keygate -o json | jq .spec.pluginConfig | keygate check -

The file holds the JSON of the filter's configuration alone, not Envoy's around it
(for that: envoy --mode validate). A variable that is not set here is taken as good.
Exit code 0 when the configuration holds, 1 when it does not.";

/// Stands for a secret that is not set here: 32 bytes, in the encoding that the policy names.
fn stand_in(policy: &serde_json::Value, name: &str) -> Vec<u8> {
    let rings = policy["secrets"].as_object().into_iter().flatten();
    let mut secrets = rings.filter_map(|(_, ring)| ring.as_array()).flatten();
    let secret = secrets.find(|secret| secret["env"] == name);
    let text = match secret.and_then(|secret| secret["encoding"].as_str()) {
        Some("hex") => "30".repeat(32),
        Some("base64") => format!("{}MDA=", "MDAw".repeat(10)),
        _ => "0".repeat(32),
    };
    text.into_bytes()
}

/// Check a filter configuration; every wrong field is named.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The file, or "-" for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Prints the problems, or that there are none.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let text = read(&args.file).map_err(|error| {
        CliError::Usage(format!("cannot read {}: {error}", args.file.display()))
    })?;
    let written = serde_json::from_slice(&text).unwrap_or_default();
    let missing = RefCell::new(BTreeSet::new());
    let environment = |name: &str| {
        let value = std::env::var_os(name).map(std::ffi::OsString::into_encoded_bytes);
        value.or_else(|| {
            missing.borrow_mut().insert(name.to_owned());
            Some(stand_in(&written, name))
        })
    };
    let checked = Policy::parse(&text, &environment);
    for name in missing.borrow().iter() {
        eprintln!("note: {name} is not set here, so its value was not checked");
    }
    match checked {
        Ok(policy) => {
            output::line(&format!(
                "{}: holds ({} rules)",
                args.file.display(),
                policy.rules.all().len()
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            for problem in problems {
                output::line(&format!("{}: {problem}", args.file.display()))?;
            }
            Ok(ExitCode::from(1))
        }
    }
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text)?;
        return Ok(text);
    }
    std::fs::read(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keygate_core::assertion::{Algorithm, SigningKey};
    use keygate_core::secret::{Encoding, Secret};

    #[test]
    fn a_stand_in_is_good_for_whatever_the_secret_is_for() {
        let policy = serde_json::json!({ "secrets": {
            "a": [{ "id": "1", "env": "PLAIN" }, { "id": "2", "env": "HEX", "encoding": "hex" }],
            "b": [{ "id": "1", "env": "BASE64", "encoding": "base64" }]
        } });
        for (name, encoding) in [
            ("PLAIN", Encoding::Utf8),
            ("HEX", Encoding::Hex),
            ("BASE64", Encoding::Base64),
            ("TOKEN", Encoding::Utf8),
        ] {
            let secret = Secret::decode(&stand_in(&policy, name), encoding).unwrap();
            assert!(SigningKey::new(&secret, Algorithm::EdDsa).is_ok(), "{name}");
        }
    }
}
