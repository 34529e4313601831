//! `keygate tokens`: the tokens of operators and edges, by way of the key service.

use std::collections::HashSet;
use std::process::ExitCode;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use keygate_service::roles::Role;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::attributes::Lifetime;
use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::keys::path_of;
use crate::output::{self, Object};

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
  keygate tokens create --name staging --role operator --space staging

Roles:
{roles}

Only the token goes to standard output, and it cannot be shown again. The tokens in the
environment of `keygate serve` stay valid as owner and edge.";

fn create_examples() -> String {
    let roles = Role::MEANINGS.iter();
    let roles: Vec<String> = roles
        .map(|(role, meaning)| format!("  {role:8}  {meaning}"))
        .collect();
    CREATE_EXAMPLES.replace("{roles}", &roles.join("\n"))
}

/// Create a token and print it.
#[derive(clap::Args)]
#[command(after_help = create_examples())]
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
    /// Space that the token is bound to: it sees no key of another
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    space: Option<String>,
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
struct Page {
    tokens: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    tokens: Vec<Box<RawValue>>,
}

/// The columns of the table.
const COLUMNS: [(&str, &str); 7] = [
    ("ID", "id"),
    ("ROLE", "role"),
    ("STATUS", "status"),
    ("CREATED", "created_at"),
    ("EXPIRES", "expires_at"),
    ("SPACE", "space"),
    ("NAME", "name"),
];

fn list(args: ListArgs) -> Result<ExitCode, CliError> {
    let service = KeyService::new::<ListArgs>(&args.service)?;
    let tokens = all(&service)?;
    if args.json {
        let text = serde_json::to_string(&Listed { tokens })
            .map_err(|error| CliError::Usage(format!("cannot write the output: {error}")))?;
        output::line(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let read = tokens.iter().map(|token| service.read(token.get()));
    let tokens: Vec<Object> = read.collect::<Result<_, _>>()?;
    output::line(&output::objects(&COLUMNS, &tokens))?;
    Ok(ExitCode::SUCCESS)
}

/// The tokens of every page.
fn all(service: &KeyService) -> Result<Vec<Box<RawValue>>, CliError> {
    let mut tokens = Vec::new();
    let mut seen = HashSet::new();
    let mut cursor: Option<String> = None;
    loop {
        let query: Vec<_> = cursor.iter().map(|it| ("cursor", it.as_str())).collect();
        let page: Page = service.read(&service.get("/v1/tokens", &query)?)?;
        tokens.extend(page.tokens);
        match page.next_cursor {
            None => return Ok(tokens),
            // A repeated cursor would be followed without an end.
            Some(next) if !seen.insert(next.clone()) => {
                return Err(CliError::Service(
                    "the list from the key service does not end".to_owned(),
                ));
            }
            next => cursor = next,
        }
    }
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
