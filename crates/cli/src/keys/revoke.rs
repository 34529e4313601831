//! `keygate keys revoke`: the end of a key, for good.

use std::process::ExitCode;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use keygate_core::Millis;
use keygate_service::key::Reason;
use serde::Serialize;

use super::path;
use crate::client::{KeyService, ServiceArgs};
use crate::edges::wait;
use crate::error::CliError;
use crate::output::{self, Object};

const EXAMPLES: &str = "\
Examples:
  keygate keys revoke 4fT0aXq29Z --reason key_compromise --note \"found in a public repository\"
  keygate keys revoke 4fT0aXq29Z --wait

Every edge that reaches the key service rejects the key within 2 s. With --wait the command
returns when all have confirmed that; if some have not in time, it names them and ends with
code 1. The key is revoked either way. The keys that
it created, those that they created, and a key that it replaces are revoked with it.
Revoking a key again changes nothing and is not an error.";

/// Revoke a key permanently.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// Id of the key
    id: String,
    #[command(flatten)]
    why: Why,
    /// Do not revoke the keys that this key created
    #[arg(long)]
    keep_descendants: bool,
    /// Wait until every edge rejects the key, for at most this time (5s without a value)
    #[arg(
        long,
        value_name = "DURATION",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "5s",
        value_parser = parse_span
    )]
    wait: Option<Duration>,
}

fn parse_span(text: &str) -> Result<Duration, String> {
    let span = Millis::parse(text).map_err(|error| error.to_string())?;
    Ok(Duration::from_millis(span.0))
}

/// Why keys are revoked.
#[derive(clap::Args, Serialize)]
pub(super) struct Why {
    /// Reason for the revocation
    #[arg(long, value_name = "REASON", value_parser = PossibleValuesParser::new(Reason::WORDS))]
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Note about the revocation, free text
    #[arg(long, value_name = "TEXT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Serialize)]
struct Body {
    #[serde(flatten)]
    why: Why,
    // Left out where it says nothing: an earlier key service does not know it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    keep_descendants: bool,
}

/// Revokes a key.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let path = format!("{}/revoke", path(&args.id)?);
    let service = KeyService::new::<Args>(&args.service)?;
    let body = Body {
        why: args.why,
        keep_descendants: args.keep_descendants,
    };
    let answer = service.post(&path, &body)?;
    let key: Object = service.read(&answer)?;
    let descendants = match key.text("descendants_revoked").as_deref() {
        None | Some("0") => String::new(),
        Some("1") => ", and 1 descendant".to_owned(),
        Some(count) => format!(", and {count} descendants"),
    };
    let at = key.text("revoked_at").unwrap_or_default();
    output::line(&format!("revoked {} at {at}{descendants}", args.id))?;
    if let Some(span) = args.wait {
        wait(&service, &service.read(&answer)?, span)?;
    }
    Ok(ExitCode::SUCCESS)
}
