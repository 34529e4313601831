//! `keygate ready`: whether the key service works, for health checks of containers.

use std::process::ExitCode;

use crate::client::{AddressArgs, KeyService};
use crate::error::CliError;

const EXAMPLES: &str = "\
Examples:
  keygate ready && echo \"the key service works\"

Prints nothing if the key service can read and write its database. Otherwise exit code 3, with
the reason on standard error. Needs no token.";

/// Check that the key service works
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: AddressArgs,
}

/// Asks the key service.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    KeyService::ready(&args.service)?;
    Ok(ExitCode::SUCCESS)
}
