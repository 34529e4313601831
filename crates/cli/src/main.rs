//! `keygate`: runs the key service, manages app keys, signs and checks, by hand or by script.
//!
//! One module a command, each with its arguments and a `run`. Secrets come from the
//! environment, a file or a prompt: an argument is there for every user of the machine
//! to read, so the one option that takes a secret warns.

mod assertion;
mod attributes;
mod audit;
mod check;
mod client;
mod completions;
mod doctor;
mod document;
mod edge;
mod edges;
mod environment;
mod envoy;
mod error;
mod explain;
mod file;
mod keys;
mod link;
mod man;
mod output;
mod place;
mod policy_file;
mod policy_text;
mod provider;
mod ready;
mod render;
mod schema;
mod secret;
mod serve;
mod sign;
mod similar;
mod store;
mod tokens;
mod url;
mod values;
mod verify;
mod why;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::CliError;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  negative result: no such key, a rejected link or policy, a policy that a platform cannot
     have, a broken audit log, keys left out, edges not confirmed, findings of doctor
  2  wrong usage, configuration or token, a request that the key service rejected, or
     output that cannot be written
  3  the key service cannot be reached, failed, or is not a Keygate key service;
     for explain: the result depends on the answer of the key service";

/// Run the Keygate key service, manage API keys, sign links, and test policies.
#[derive(Parser)]
#[command(name = "keygate", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Args),
    Store(store::Args),
    Keys(keys::Args),
    Edges(edges::Args),
    Ready(ready::Args),
    Tokens(tokens::Args),
    Audit(audit::Args),
    Sign(sign::Args),
    Verify(verify::Args),
    Check(check::Args),
    Explain(explain::Args),
    Render(render::Args),
    Doctor(doctor::Args),
    Why(why::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
}

fn main() -> ExitCode {
    run(Cli::parse().command).unwrap_or_else(|error| {
        eprintln!("keygate: {error}");
        error.exit_code()
    })
}

fn run(command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Serve(args) => serve::run(args),
        Command::Store(args) => store::run(args),
        Command::Keys(args) => keys::run(args),
        Command::Edges(args) => edges::run(args),
        Command::Ready(args) => ready::run(&args),
        Command::Tokens(args) => tokens::run(args),
        Command::Audit(args) => audit::run(args),
        Command::Sign(args) => sign::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Render(args) => render::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Why(args) => why::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}
