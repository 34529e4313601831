//! `keygate keys export`: every key as a line of JSON.

use std::process::ExitCode;

use super::list::{Selection, pages};
use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate keys export > keys.jsonl
  keygate keys export --account alice | jq -r .id

Each line is the output of `keygate keys show --json` for one key, the newest key first. No
line contains a key or its hash, so an export is no backup: see docs/operations.md.";

/// Print all keys as JSON lines.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    selection: Selection,
}

/// Prints all keys, page by page.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let service = KeyService::new::<Args>(&args.service)?;
    pages(&service, &args.selection, |keys| {
        let lines: Vec<&str> = keys.iter().map(|key| key.get()).collect();
        match lines.is_empty() {
            true => Ok(()),
            false => output::line(&lines.join("\n")),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}
