//! `keygate keys create`: prints the key and nothing else, so that a script can capture it.

use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate keys create --account alice --scope files:read --expires-in 30d
  KEY=$(keygate keys create --account ci --name nightly --allow-ip 10.0.0.0/8)
  keygate keys create --account alice --metadata '{\"tier\":\"gold\"}' --json

The key goes to standard output, this once; a note about it to standard error.";

/// Create a key and print it.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// Print the whole answer of the service as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    body: Body,
}

/// What is sent. The service checks the values, so that there is one set of rules.
#[derive(clap::Args, Serialize)]
struct Body {
    /// Whose key it is
    #[arg(long)]
    account: String,
    /// What its owner calls it
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// What it may do; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// A JSON object for the upstream
    #[arg(long, value_name = "JSON", value_parser = raw_json)]
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Box<RawValue>>,
    /// How long it lives, such as 30d
    #[arg(long, value_name = "SPAN", conflicts_with = "expires_at")]
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<String>,
    /// When it ends, such as 2026-12-01T00:00:00Z
    #[arg(long, value_name = "INSTANT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// From where it may be used, an address or a range; may be repeated
    #[arg(long = "allow-ip", value_name = "CIDR")]
    allowed_ips: Vec<String>,
    /// From which pages it may be used, such as https://*.example.com; may be repeated
    #[arg(long = "allow-referrer", value_name = "ORIGIN")]
    allowed_referrers: Vec<String>,
}

#[derive(Deserialize)]
struct Created {
    key: String,
    id: String,
    expires_at: Option<String>,
}

/// Creates a key.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let service = KeyService::new(&args.service)?;
    let answer = service.post("/v1/keys", &args.body)?;
    let created: Created = service.read(&answer)?;
    let shown = if args.json { &answer } else { &created.key };
    // Nobody has the key then, and nobody can have it again.
    output::write(shown).map_err(|error| {
        let id = &created.id;
        CliError::Usage(format!(
            "cannot write the key: {error}; revoke it: keygate keys revoke {id}"
        ))
    })?;
    let end = created.expires_at.map_or_else(
        || "it does not expire".to_owned(),
        |at| format!("it expires at {at}"),
    );
    eprintln!("keygate: created key {}; {end}", created.id);
    Ok(ExitCode::SUCCESS)
}

fn raw_json(text: &str) -> Result<Box<RawValue>, serde_json::Error> {
    serde_json::from_str(text)
}
