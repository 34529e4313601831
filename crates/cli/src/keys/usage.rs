//! `keygate keys usage`: how often one key was used on each day.

use std::process::ExitCode;

use serde::Deserialize;

use super::path;
use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::output::{self, Object};

const EXAMPLES: &str = "\
Examples:
  keygate keys usage 4fT0aXq29Z
  keygate keys usage 4fT0aXq29Z --json | jq '[.days[].allowed] | add'

Days are in UTC, the newest first, for 90 days. A day without uses is left out.
Edges report uses each 30 s, so the newest are missing for up to two minutes.";

/// Show how often one key was used.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// Id of the key
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Usage {
    days: Vec<Object>,
}

/// Shows how often one key was used.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let path = format!("{}/usage", path(&args.id)?);
    let service = KeyService::new::<Args>(&args.service)?;
    let answer = service.get(&path, &[])?;
    if args.json {
        output::line(&answer)?;
    } else {
        let usage: Usage = service.read(&answer)?;
        output::line(&output::objects(&COLUMNS, &usage.days))?;
    }
    Ok(ExitCode::SUCCESS)
}

const COLUMNS: [(&str, &str); 3] = [
    ("DAY", "day"),
    ("ALLOWED", "allowed"),
    ("REJECTED", "rejected"),
];
