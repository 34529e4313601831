//! `keygate keys list`: all keys, page by page to the end.

use std::collections::HashSet;
use std::process::ExitCode;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::KeyObject;
use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate keys list --account alice --status active
  keygate keys list --json | jq -r '.keys[].id'

The newest key comes first. No list contains a key or its hash.";

/// List keys.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// List only keys of this account
    #[arg(long)]
    account: Option<String>,
    /// List only keys with this status
    #[arg(long)]
    status: Option<Status>,
    /// Print JSON: {"keys": [...]}
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Status {
    Active,
    Disabled,
    Revoked,
    Expired,
}

#[derive(Deserialize)]
struct Page {
    keys: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    keys: Vec<Box<RawValue>>,
}

/// Lists keys.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let service = KeyService::new::<Args>(&args.service)?;
    let keys = all(&service, &args)?;
    let text = if args.json {
        serde_json::to_string(&Listed { keys })
            .map_err(|error| CliError::Usage(format!("cannot write the output: {error}")))?
    } else {
        let read = keys.iter().map(|key| service.read::<KeyObject>(key.get()));
        let keys: Vec<KeyObject> = read.collect::<Result<_, _>>()?;
        table(&keys)
    };
    output::line(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn all(service: &KeyService, args: &Args) -> Result<Vec<Box<RawValue>>, CliError> {
    let mut keys = Vec::new();
    let mut seen = HashSet::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = vec![("limit", "100")];
        query.extend(args.account.as_deref().map(|account| ("account", account)));
        query.extend(args.status.map(|status| ("status", status.word())));
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page: Page = service.read(&service.get("/v1/keys", &query)?)?;
        keys.extend(page.keys);
        match page.next_cursor {
            None => return Ok(keys),
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

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// The columns of the table, each with the member that it shows. `--json` has every member.
const COLUMNS: [(&str, &str); 7] = [
    ("ID", "id"),
    ("ACCOUNT", "account"),
    ("STATUS", "status"),
    ("CREATED", "created_at"),
    ("EXPIRES", "expires_at"),
    ("NAME", "name"),
    ("SCOPES", "scopes"),
];

fn table(keys: &[KeyObject]) -> String {
    let cell = |key: &KeyObject, member| key.text(member).unwrap_or_else(|| "-".to_owned());
    let row = |key| COLUMNS.map(|(_, member)| cell(key, member)).to_vec();
    let mut rows = vec![COLUMNS.map(|(head, _)| head.to_owned()).to_vec()];
    rows.extend(keys.iter().map(row));
    output::table(&rows)
}
