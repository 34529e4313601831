//! `keygate keys rotate`: a new key in place of one, which goes on for a while.

use std::process::ExitCode;

use serde::Serialize;

use super::create::{print, seal_and_print};
use super::path;
use super::sealing::{self, SecretFrom};
use crate::attributes::Lifetime;
use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;

const EXAMPLES: &str = "\
Examples:
  KEY=$(keygate keys rotate 4fT0aXq29Z)
  keygate keys rotate 4fT0aXq29Z --grace 0
  keygate keys rotate 4fT0aXq29Z --grace 7d --expires-in 90d
  keygate keys rotate 4fT0aXq29Z --key-from - < old-key.txt

The new key has another id and the same account, name, scopes, metadata and limits.
It gets the lifetime that the old key had when it was created, unless --expires-in or
--expires-at says otherwise. The old key is accepted until the grace period ends or it
expires, whichever is first. With --grace 0 it is revoked at once. Only the new key goes
to standard output, and it cannot be shown again.";

/// Replace a key and print the new one.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// Id of the key to replace
    id: String,
    /// Print the answer of the key service as JSON
    #[arg(long)]
    json: bool,
    /// Where the old key is, if it has sealed headers: the name of an environment variable, @FILE, or
    /// - for standard input. They are opened with it here, and sealed with the new key
    #[arg(long, value_name = "SOURCE", conflicts_with = "drop_sealed")]
    key_from: Option<SecretFrom>,
    #[command(flatten)]
    body: Body,
}

#[derive(clap::Args, Serialize)]
struct Body {
    /// How long the old key is still accepted; 0 revokes it at once
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "24h",
        allow_hyphen_values = true
    )]
    grace: String,
    /// Let the new key have no sealed headers, though the old one has
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    drop_sealed: bool,
    #[command(flatten)]
    #[serde(flatten)]
    lifetime: Lifetime,
}

/// Replaces a key.
pub fn run(mut args: Args) -> Result<ExitCode, CliError> {
    let path = format!("{}/rotate", path(&args.id)?);
    let key = args.key_from.as_ref();
    let key = key.map(|from| sealing::key(from, &args.id)).transpose()?;
    let service = KeyService::new::<Args>(&args.service)?;
    let sealed = key.map(|key| sealing::open(&service, &args.id, &key));
    let sealed = sealed.transpose()?;
    args.body.drop_sealed |= sealed.is_some();
    let answer = service.post(&path, &args.body)?;
    let end = match sealed {
        Some(headers) => seal_and_print(&service, &headers, answer, args.json)?,
        None => print(&service, &answer, args.json)?,
    };
    let (old, grace) = (&args.id, &args.body.grace);
    let ends = match grace.as_str() {
        "0" | "0s" => "is revoked".to_owned(),
        grace => format!("is accepted for another {grace}, or until it expires"),
    };
    eprintln!("keygate: created key {end}. The old key {old} {ends}");
    Ok(ExitCode::SUCCESS)
}
