//! `keygate completions`: what a shell must know to complete commands and options.

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::Cli;
use crate::error::CliError;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate completions bash > ~/.local/share/bash-completion/completions/keygate
  keygate completions zsh > \"${fpath[1]}/_keygate\"
  keygate completions fish > ~/.config/fish/completions/keygate.fish

The Debian package already contains them.";

/// Print the completions for a shell
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Shell that reads them
    shell: Shell,
}

/// Prints them.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "keygate", &mut script);
    let script = String::from_utf8_lossy(&script);
    output::line(script.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
