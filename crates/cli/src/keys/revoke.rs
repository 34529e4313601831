//! `keygate keys revoke`: the end of a key, for good.

use std::process::ExitCode;

use serde::Serialize;

use super::{KeyObject, path};
use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate keys revoke 4fT0aXq29Z --reason \"found in a public repository\"

Every edge that reaches the key service rejects the key within 2 s. Revoking a
key again changes nothing and is not an error.";

/// Revoke a key permanently.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// Id of the key
    id: String,
    /// Reason for the revocation
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Revokes a key.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let path = format!("{}/revoke", path(&args.id)?);
    let service = KeyService::new::<Args>(&args.service)?;
    let reason = args.reason;
    let key: KeyObject = service.read(&service.post(&path, &Body { reason })?)?;
    output::line(&format!(
        "revoked {} at {}",
        args.id,
        key.text("revoked_at").unwrap_or_default()
    ))?;
    Ok(ExitCode::SUCCESS)
}
