//! `keygate tokens`: the tokens of operators and edges, by way of the key service.

use std::process::ExitCode;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use keygate_service::roles::Role;
use serde::{Deserialize, Serialize};

use crate::attributes::Lifetime;
use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::keys::{KeyObject, path_of};
use crate::output;

/// Create, list and revoke the tokens of operators and edges.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Create(CreateArgs),
    List(ListArgs),
    Revoke(RevokeArgs),
}

/// Runs one of them.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    match args.command {
        Command::Create(args) => create(args),
        Command::List(args) => list(args),
        Command::Revoke(args) => revoke(args),
    }
}

const CREATE_EXAMPLES: &str = "\
Examples:
  keygate tokens create --name deploy --role creator --expires-in 90d
  export KEYGATE_EDGE_TOKEN=$(keygate tokens create --name envoy-1 --role edge)

Roles:
  owner     everything that is done with keys and tokens
  operator  everything that is done with keys
  creator   create and read keys
  auditor   read keys and tokens
  edge      what Envoy calls

Only the token goes to standard output, and it cannot be shown again. The tokens in the
environment of `keygate serve` stay valid as owner and edge.";

/// Create a token and print it.
#[derive(clap::Args)]
#[command(after_help = CREATE_EXAMPLES)]
struct CreateArgs {
    #[command(flatten)]
    service: ServiceArgs,
    /// Print the answer of the key service as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    body: Body,
}

#[derive(clap::Args, Serialize)]
struct Body {
    /// Who or what uses the token
    #[arg(long)]
    name: String,
    /// What the token permits
    #[arg(long, value_parser = PossibleValuesParser::new(Role::WORDS))]
    role: String,
    #[command(flatten)]
    #[serde(flatten)]
    lifetime: Lifetime,
}

#[derive(Deserialize)]
struct Created {
    token: String,
    id: String,
}

fn create(args: CreateArgs) -> Result<ExitCode, CliError> {
    let service = KeyService::new::<CreateArgs>(&args.service)?;
    let answer = service.post("/v1/tokens", &args.body)?;
    let Created { token, id } = service.read(&answer)?;
    // The token is lost then, and cannot be printed again.
    output::write(if args.json { &answer } else { &token }).map_err(|error| {
        CliError::Usage(format!(
            "cannot write the token: {error}. Revoke it: keygate tokens revoke {id}"
        ))
    })?;
    eprintln!("keygate: created token {id}");
    Ok(ExitCode::SUCCESS)
}

/// List tokens.
#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    service: ServiceArgs,
    /// Print JSON: {"tokens": [...]}
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Listed {
    tokens: Vec<KeyObject>,
}

/// The columns of the table, each with the member that it shows.
const COLUMNS: [(&str, &str); 6] = [
    ("ID", "id"),
    ("ROLE", "role"),
    ("STATUS", "status"),
    ("CREATED", "created_at"),
    ("EXPIRES", "expires_at"),
    ("NAME", "name"),
];

fn list(args: ListArgs) -> Result<ExitCode, CliError> {
    let service = KeyService::new::<ListArgs>(&args.service)?;
    let answer = service.get("/v1/tokens", &[])?;
    if args.json {
        output::line(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let listed: Listed = service.read(&answer)?;
    let mut rows = vec![COLUMNS.map(|(head, _)| head.to_owned()).to_vec()];
    let row = |token: &KeyObject| {
        let cell = |member| token.text(member).unwrap_or_else(|| "-".to_owned());
        COLUMNS.map(|(_, member)| cell(member)).to_vec()
    };
    rows.extend(listed.tokens.iter().map(row));
    output::line(&output::table(&rows))?;
    Ok(ExitCode::SUCCESS)
}

/// Revoke a token permanently.
#[derive(clap::Args)]
struct RevokeArgs {
    #[command(flatten)]
    service: ServiceArgs,
    /// Id of the token
    id: String,
}

fn revoke(args: RevokeArgs) -> Result<ExitCode, CliError> {
    let path = format!("{}/revoke", path_of("tokens", &args.id)?);
    let service = KeyService::new::<RevokeArgs>(&args.service)?;
    service.post(&path, &serde_json::Map::new())?;
    output::line(&format!("revoked token {}", args.id))?;
    Ok(ExitCode::SUCCESS)
}
