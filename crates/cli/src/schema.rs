//! `keygate schema`: what an editor must know to help with a policy.

use std::process::ExitCode;

use keygate_core::config::schema;
use serde_json::json;

use crate::error::CliError;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate schema > policy.schema.json

Name it in the first line of a policy in YAML, or in a member of one in JSON:
  # yaml-language-server: $schema=policy.schema.json
  \"$schema\": \"policy.schema.json\"
The schema describes shapes only; `keygate check` checks everything.";

/// Print the JSON schema of the filter's configuration.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

/// Prints it.
pub fn run(_: &Args) -> Result<ExitCode, CliError> {
    let mut schema = schema();
    // Editors read it, `check` and `render` take it out, and the filter never sees it.
    schema["properties"]["$schema"] = json!({
        "description": "Path or URL of this schema, for editors.",
        "type": "string",
    });
    // A file with the logo; both put it in place.
    let logo = &mut schema["$defs"]["Brand"]["properties"]["logo"]["pattern"];
    *logo = json!(format!("^@|{}", logo.as_str().unwrap_or_default()));
    output::line(&format!("{schema:#}"))?;
    Ok(ExitCode::SUCCESS)
}
