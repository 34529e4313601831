//! `keygate schema`: what an editor must know to help with a policy.

use std::process::ExitCode;

use keygate_core::config::schema;

use crate::error::CliError;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate schema > policy.schema.json

Name it in the settings of your editor, for VS Code:
  \"json.schemas\": [{ \"fileMatch\": [\"policy.json\"], \"url\": \"./policy.schema.json\" }]
The schema describes shapes only; `keygate check` checks everything.";

/// Print the JSON schema of the filter's configuration.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

/// Prints it.
pub fn run(_: &Args) -> Result<ExitCode, CliError> {
    output::line(&format!("{:#}", schema()))?;
    Ok(ExitCode::SUCCESS)
}
