//! `keygate man`: the manual pages, for those who package the command.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::Cli;
use crate::error::CliError;

const EXAMPLES: &str = "\
Examples:
  keygate man man1 && man man1/keygate-serve.1

The release archives and the Debian package already contain them.";

/// Write a manual page for each command
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Directory for the pages, such as keygate-serve.1; created if it does not exist
    directory: PathBuf,
}

/// Writes them.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let directory = &args.directory;
    // Without `help`, which would get a page for each command a second time.
    let command = Cli::command().disable_help_subcommand(true);
    fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(command, directory))
        .map_err(|error| {
            CliError::Usage(format!("cannot write to {}: {error}", directory.display()))
        })?;
    Ok(ExitCode::SUCCESS)
}
