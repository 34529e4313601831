//! A policy in a file, checked as Envoy checks it, for the commands that decide by it.

use std::path::{Path, PathBuf};

use keygate_core::Policy;
use serde_json::Value;

use crate::environment::StandIns;
use crate::error::CliError;
use crate::file::misread;
use crate::policy_text;

/// A policy that `keygate check` accepts.
pub struct PolicyFile {
    /// The policy. A variable that is not set here has a value that nothing was made with.
    pub policy: Policy,
    /// The policy as JSON, for the names in it.
    pub written: Value,
    /// The variables of its rings that are not set here.
    pub missing: Vec<String>,
}

impl PolicyFile {
    /// Reads and checks a policy.
    ///
    /// # Errors
    /// The file cannot be read, or Envoy would reject the policy: the message names the first
    /// wrong field.
    pub fn read(file: &Path) -> Result<Self, CliError> {
        Self::parse(file, &policy_text::json(file)?)
    }

    /// Checks the JSON of a policy; the file is named in the error.
    ///
    /// # Errors
    /// As [`PolicyFile::read`].
    pub fn parse(file: &Path, text: &[u8]) -> Result<Self, CliError> {
        let stand_ins = StandIns::of(text);
        let policy = Policy::parse(text, &|name| stand_ins.get(name)).map_err(|problems| {
            let first = problems.first().map(ToString::to_string);
            let why = misread(text).map_or(first.unwrap_or_default(), str::to_owned);
            let command = format!("keygate check {}", shown(file).display());
            CliError::Usage(format!(
                "Envoy would reject this policy: {why} (`{command}` lists every problem)"
            ))
        })?;
        let written: Value = serde_json::from_slice(text).unwrap_or_default();
        let rings = written["secrets"].as_object().into_iter().flatten();
        let secrets = rings.flat_map(|(_, ring)| ring.as_array().into_iter().flatten());
        let variables: Vec<&str> = secrets.filter_map(|it| it["env"].as_str()).collect();
        let mut missing = stand_ins.missing();
        // No decision depends on the token for the key service.
        missing.retain(|name| variables.contains(&name.as_str()));
        Ok(Self {
            policy,
            written,
            missing,
        })
    }

    /// Names the variables without which the answer may be another one at the edge.
    pub fn note_missing(&self) {
        for name in &self.missing {
            eprintln!("note: {name} is not set here, so credentials made with it are rejected");
        }
    }
}

/// The name of the file as a person would type it.
fn shown(file: &Path) -> PathBuf {
    match file.as_os_str().is_empty() {
        true => PathBuf::from("policy.json"),
        false => file.to_owned(),
    }
}
