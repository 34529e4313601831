//! `keygate keys create`: prints the key and nothing else, so that a script can capture it.

use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use crate::attributes::Attributes;
use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate keys create --account alice --scope files:read --expires-in 30d
  KEY=$(keygate keys create --account ci --name nightly --allow-ip 10.0.0.0/8)
  keygate keys create --account alice --metadata '{\"tier\":\"gold\"}' --json

Only the key goes to standard output, and it cannot be shown again. A note with its id goes
to standard error.";

/// Create a key and print it.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// Print the answer of the key service as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    body: Body,
}

#[derive(clap::Args, Serialize)]
struct Body {
    /// Account that owns the key
    #[arg(long)]
    account: String,
    #[command(flatten)]
    #[serde(flatten)]
    attributes: Attributes,
}

#[derive(Deserialize)]
struct Created {
    key: String,
    id: String,
    expires_at: Option<String>,
}

/// Creates a key.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let service = KeyService::new::<Args>(&args.service)?;
    let answer = service.post("/v1/keys", &args.body)?;
    let end = print(&service, &answer, args.json)?;
    eprintln!("keygate: created key {end}");
    Ok(ExitCode::SUCCESS)
}

/// Prints the key of an answer, or all of it, and returns what a note says: its id and its end.
pub(super) fn print(service: &KeyService, answer: &str, json: bool) -> Result<String, CliError> {
    let created: Created = service.read(answer)?;
    let shown = if json { answer } else { &created.key };
    // The key is lost then, and cannot be printed again.
    output::write(shown).map_err(|error| {
        let id = &created.id;
        CliError::Usage(format!(
            "cannot write the key: {error}. Revoke it: keygate keys revoke {id}"
        ))
    })?;
    let end = created.expires_at.map_or_else(
        || "it does not expire".to_owned(),
        |at| format!("it expires at {at}"),
    );
    Ok(format!("{}; {end}", created.id))
}
