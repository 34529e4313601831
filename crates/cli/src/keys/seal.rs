//! `keygate keys seal` and `keygate keys unseal`: headers for the upstream that only a key opens.

use std::process::ExitCode;

use super::sealing::{self, HeaderFrom, SecretFrom};
use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate keys seal 4fT0aXq29Z --key-from API_KEY --header authorization=UPSTREAM_TOKEN
  keygate keys seal 4fT0aXq29Z --key-from - --header authorization=@token.txt < key.txt
  keygate keys unseal 4fT0aXq29Z

The headers are sealed here: the key service gets neither the key nor the headers. They replace
all that was sealed with the key. A rule of the policy must list them under \"sealed\".";

/// Seal headers for the upstream with a key, so that only the key opens them.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// Id of the key
    id: String,
    /// Where the key is: the name of an environment variable, @FILE, or - for standard input
    #[arg(long, value_name = "SOURCE")]
    key_from: SecretFrom,
    /// Header, and where its value is: NAME=VARIABLE, NAME=@FILE or NAME=-; repeatable
    #[arg(long = "header", value_name = "NAME=SOURCE", required = true)]
    headers: Vec<HeaderFrom>,
}

/// Remove what is sealed with a key.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct UnsealArgs {
    #[command(flatten)]
    service: ServiceArgs,
    /// Id of the key
    id: String,
}

/// Seals headers.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let id = &args.id;
    sealing::path_of_sealed(id)?;
    let headers = sealing::headers(&args.headers, Some(&args.key_from))?;
    let key = sealing::key(&args.key_from, id)?;
    let service = KeyService::new::<Args>(&args.service)?;
    sealing::seal(&service, &headers, id, &key)?;
    let names: Vec<&str> = headers.iter().map(|(name, _)| name).collect();
    output::line(&format!(
        "{id} has sealed headers now: {}",
        names.join(", ")
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Removes what is sealed.
pub fn unseal(args: UnsealArgs) -> Result<ExitCode, CliError> {
    let path = sealing::path_of_sealed(&args.id)?;
    let service = KeyService::new::<UnsealArgs>(&args.service)?;
    service.delete(&path)?;
    output::line(&format!("{} has no sealed headers now", args.id))?;
    Ok(ExitCode::SUCCESS)
}
