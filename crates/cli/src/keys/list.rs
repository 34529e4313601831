//! `keygate keys list`: all keys, page by page to the end.

use std::collections::HashSet;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use keygate_core::UnixMillis;
use keygate_service::key::Standing;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::output::{self, Object};
use crate::values::parse_time;

const EXAMPLES: &str = "\
Examples:
  keygate keys list --account alice --status active
  keygate keys list --secret-id 01 --status active
  keygate keys list --unused-since 2026-08-01T00:00:00Z
  keygate keys list --json | jq -r '.keys[].id'

The newest key comes first. No list contains a key or its hash.";

/// List keys.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    selection: Selection,
    /// Print JSON: {"keys": [...]}
    #[arg(long)]
    json: bool,
}

/// Which keys.
#[derive(clap::Args)]
pub(super) struct Selection {
    /// Only keys of this account
    #[arg(long)]
    account: Option<String>,
    /// Only keys of this space
    #[arg(long)]
    space: Option<String>,
    /// Only keys with this status
    #[arg(long, value_parser = PossibleValuesParser::new(Standing::WORDS))]
    status: Option<String>,
    /// Only keys that the key with this id created
    #[arg(long, value_name = "ID")]
    created_by: Option<String>,
    /// Only keys whose name starts with this text
    #[arg(long, value_name = "TEXT")]
    name_prefix: Option<String>,
    /// Only keys with this label
    #[arg(long, value_name = "NAME=VALUE")]
    label: Option<String>,
    /// Only keys that expire before this time (RFC 3339 or Unix seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    expires_before: Option<UnixMillis>,
    /// Only keys that were neither created nor used since this time (RFC 3339 or Unix seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    unused_since: Option<UnixMillis>,
    /// Only keys that depend on the master secret with this id; "unknown" for keys that were imported
    /// before the key service noted it
    #[arg(long, value_name = "ID")]
    secret_id: Option<String>,
}

impl Selection {
    /// As the parameters of a query.
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let before = self.expires_before.map(|at| at.to_string());
        let parameters = [
            ("account", self.account.clone()),
            ("space", self.space.clone()),
            ("status", self.status.clone()),
            ("created_by", self.created_by.clone()),
            ("name_prefix", self.name_prefix.clone()),
            ("label", self.label.clone()),
            ("expires_before", before),
            ("unused_since", self.unused_since.map(|at| at.to_string())),
            ("secret_id", self.secret_id.clone()),
        ];
        let given = parameters.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
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
    let mut keys = Vec::new();
    pages(&service, &args.selection, |page| {
        keys.extend(page);
        Ok(())
    })?;
    let text = if args.json {
        serde_json::to_string(&Listed { keys })
            .map_err(|error| CliError::Usage(format!("cannot write the output: {error}")))?
    } else {
        let read = keys.iter().map(|key| service.read::<Object>(key.get()));
        let keys: Vec<Object> = read.collect::<Result<_, _>>()?;
        output::objects(&COLUMNS, &keys)
    };
    output::line(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Calls `take` with the keys of each page.
pub(super) fn pages(
    service: &KeyService,
    selection: &Selection,
    mut take: impl FnMut(Vec<Box<RawValue>>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut seen = HashSet::new();
    let mut cursor: Option<String> = None;
    let parameters = selection.parameters();
    loop {
        let mut query = vec![("limit", "100")];
        query.extend(
            parameters
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page: Page = service.read(&service.get("/v1/keys", &query)?)?;
        take(page.keys)?;
        match page.next_cursor {
            None => return Ok(()),
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

/// The columns of the table. `--json` has every member.
const COLUMNS: [(&str, &str); 9] = [
    ("ID", "id"),
    ("ACCOUNT", "account"),
    ("STATUS", "status"),
    ("CREATED", "created_at"),
    ("LAST USED", "last_used_at"),
    ("EXPIRES", "expires_at"),
    ("SPACE", "space"),
    ("NAME", "name"),
    ("SCOPES", "scopes"),
];
