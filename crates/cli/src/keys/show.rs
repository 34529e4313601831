//! `keygate keys show`: all that is known of one key.

use std::process::ExitCode;

use keygate_service::Attributes;

use super::path;
use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::output::{self, Object};

const EXAMPLES: &str = "\
Examples:
  keygate keys show 4fT0aXq29Z
  keygate keys show 4fT0aXq29Z --json | jq .status

The id is part of the key: in kg_01AbCdEfGhIj_…, it is AbCdEfGhIj.";

/// Show one key.
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

/// Shows one key.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let path = path(&args.id)?;
    let service = KeyService::new::<Args>(&args.service)?;
    let answer = service.get(&path, &[])?;
    if args.json {
        output::line(&answer)?;
    } else {
        output::line(&describe(&service.read(&answer)?))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Members that come first, in this order, and what they are called. All other attributes follow.
const FIRST: [(&str, &str); 24] = [
    ("id", "id"),
    ("account", "account"),
    ("space", "space"),
    ("name", "name"),
    ("labels", "labels"),
    ("status", "status"),
    ("scopes", "scopes"),
    ("allowed_ips", "allowed ips"),
    ("allowed_referrers", "allowed referrers"),
    ("rate_limit", "rate limit"),
    ("metadata", "metadata"),
    ("created_at", "created"),
    ("created_by", "created by"),
    ("last_used_at", "last used"),
    ("expires_at", "expires"),
    ("updated_at", "changed"),
    ("disabled_by", "disabled by"),
    ("sealed", "sealed"),
    ("secret_id", "secret id"),
    ("replaces", "replaces"),
    ("replaced_by", "replaced by"),
    ("revoked_at", "revoked"),
    ("revoked_reason", "reason"),
    ("revoked_note", "note"),
];

pub(super) fn describe(key: &Object) -> String {
    let is_other = |name: &&&str| !FIRST.iter().any(|(first, _)| first == *name);
    let others = Attributes::NAMES.iter().filter(is_other);
    let rows = FIRST.into_iter().chain(others.map(|name| (*name, *name)));
    let said = rows.filter_map(|(name, label)| {
        let value = key.text(name).filter(|text| !text.is_empty())?;
        let value = match (name, value.as_str()) {
            ("sealed", "true") => "yes".to_owned(),
            ("sealed", _) => "no".to_owned(),
            _ => value,
        };
        Some(vec![label.to_owned(), value])
    });
    output::table(&said.collect::<Vec<_>>())
}
