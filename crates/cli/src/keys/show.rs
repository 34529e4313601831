//! `keygate keys show`: all that is known of one key.

use std::process::ExitCode;

use super::{KeyObject, path};
use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate keys show 4fT0aXq29Z
  keygate keys show 4fT0aXq29Z --json | jq .status

The id is the 10 characters after the prefix and the two characters of the secret's id.";

/// Show one key.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// The id of the key
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Shows one key.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let path = path(&args.id)?;
    let service = KeyService::new(&args.service)?;
    let answer = service.get(&path, &[])?;
    if args.json {
        output::line(&answer)?;
    } else {
        output::line(&describe(service.read(&answer)?))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn describe(key: KeyObject) -> String {
    let rows = [
        ("id", Some(key.id)),
        ("account", Some(key.account)),
        ("name", key.name),
        ("status", Some(key.status)),
        ("scopes", Some(key.scopes.join(" "))),
        ("allowed ips", Some(key.allowed_ips.join(" "))),
        ("allowed referrers", Some(key.allowed_referrers.join(" "))),
        ("metadata", Some(key.metadata.get().to_owned())),
        ("created", Some(key.created_at)),
        ("expires", key.expires_at),
        ("revoked", key.revoked_at),
        ("reason", key.revoked_reason),
    ];
    let said = rows.into_iter().filter_map(|(name, value)| {
        let value = value.filter(|text| !text.is_empty())?;
        Some(vec![name.to_owned(), value])
    });
    output::table(&said.collect::<Vec<_>>())
}
