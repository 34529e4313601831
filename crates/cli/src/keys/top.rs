//! `keygate keys top`: the keys and accounts that are used most.

use std::process::ExitCode;

use serde::Deserialize;

use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::output::{self, Object};

const EXAMPLES: &str = "\
Examples:
  keygate keys top
  keygate keys top --days 7 --limit 20
  keygate keys top --json | jq -r '.accounts[0].account'

Most requests first, allowed and rejected ones together. Days are in UTC. Edges report uses each
30 s, so the newest are missing for up to two minutes.";

/// Show the keys and accounts with the most requests.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// Days to add up, today included: 1 to 90
    #[arg(long, default_value_t = 1)]
    days: u32,
    /// Most keys, and most accounts: 1 to 100
    #[arg(long, default_value_t = 10)]
    limit: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct MostUsed {
    keys: Vec<Object>,
    accounts: Vec<Object>,
}

/// Shows the keys and accounts that are used most.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let service = KeyService::new::<Args>(&args.service)?;
    let (days, limit) = (args.days.to_string(), args.limit.to_string());
    let answer = service.get("/v1/usage", &[("days", &days), ("limit", &limit)])?;
    if args.json {
        output::line(&answer)?;
    } else {
        let used: MostUsed = service.read(&answer)?;
        output::line(&output::objects(&KEYS, &used.keys))?;
        output::line("")?;
        output::line(&output::objects(&ACCOUNTS, &used.accounts))?;
    }
    Ok(ExitCode::SUCCESS)
}

const KEYS: [(&str, &str); 4] = [
    ("KEY", "id"),
    ("ACCOUNT", "account"),
    ("ALLOWED", "allowed"),
    ("REJECTED", "rejected"),
];

const ACCOUNTS: [(&str, &str); 3] = [
    ("ACCOUNT", "account"),
    ("ALLOWED", "allowed"),
    ("REJECTED", "rejected"),
];
