//! `keygate keys edit`, `disable` and `enable`: what is said of a key, and whether it may be used.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::show::describe;
use super::{changeable, path};
use crate::attributes::Attributes;
use crate::client::{KeyService, Options, ServiceArgs};
use crate::error::CliError;
use crate::output::{self, Object};

const EXAMPLES: &str = "\
Examples:
  keygate keys edit 4fT0aXq29Z --name nightly --scope files:read --scope files:list
  keygate keys edit 4fT0aXq29Z --expires-in 30d --clear name
  keygate keys edit 4fT0aXq29Z --scope files:read --if-match '\"3\"'

Fields without an option stay unchanged. A repeatable option replaces the whole list.
With --if-match, the key is changed only if it still has that etag. Every edge that
reaches the key service applies the change within 2 s.";

/// Change a key.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// Id of the key
    id: String,
    /// Change the key only if it has this etag
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
    /// Clear a field; repeatable
    #[arg(long, value_name = "FIELD", value_parser = clearable())]
    clear: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    attributes: Attributes,
}

/// Each field that can change, as options are spelled.
fn clearable() -> PossibleValuesParser {
    PossibleValuesParser::new(changeable().map(|field| field.replace('_', "-")))
}

/// What a field of the API is if there is nothing in it.
fn nothing(field: &str) -> Value {
    match Options::of::<Attributes>().is_list(field) {
        true => Value::Array(Vec::new()),
        false => Value::Null,
    }
}

#[derive(Serialize)]
struct Sent<'a> {
    #[serde(flatten)]
    given: &'a Attributes,
    #[serde(flatten)]
    cleared: BTreeMap<&'a str, Value>,
}

/// Changes a key, and shows it.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let path = path(&args.id)?;
    let unwritable = |error| CliError::Usage(format!("cannot write the request: {error}"));
    let given: BTreeMap<String, IgnoredAny> = serde_json::to_string(&args.attributes)
        .and_then(|text| serde_json::from_str(&text))
        .map_err(unwritable)?;
    let is_cleared = |field: &&str| args.clear.iter().any(|it| it.replace('-', "_") == **field);
    let cleared = changeable().filter(is_cleared);
    let cleared: BTreeMap<&str, Value> = cleared.map(|field| (field, nothing(field))).collect();
    if let Some(field) = cleared.keys().find(|it| given.contains_key(**it)) {
        let field = field.replace('_', "-");
        let message = format!("--clear {field} cannot be combined with the option that sets it");
        return Err(CliError::Usage(message));
    }
    if given.is_empty() && cleared.is_empty() {
        let message = "nothing to change: give an option, such as --name or --clear name";
        return Err(CliError::Usage(message.to_owned()));
    }
    let body = Sent {
        given: &args.attributes,
        cleared,
    };
    let service = KeyService::new::<Args>(&args.service)?;
    let answer = service.patch(&path, args.if_match.as_deref(), &body)?;
    match args.json {
        true => output::line(&answer)?,
        false => output::line(&describe(&service.read(&answer)?))?,
    }
    Ok(ExitCode::SUCCESS)
}

const DISABLE_EXAMPLES: &str = "\
Examples:
  keygate keys disable 4fT0aXq29Z

Every edge that reaches the key service rejects the key within 2 s, until it is enabled
again. To end a key for good, revoke it. The account of a key cannot enable it if an
admin disabled it.";

/// Disable a key until it is enabled again.
#[derive(clap::Args)]
#[command(after_help = DISABLE_EXAMPLES)]
pub struct DisableArgs {
    #[command(flatten)]
    service: ServiceArgs,
    /// Id of the key
    id: String,
}

const ENABLE_EXAMPLES: &str = "\
Examples:
  keygate keys enable 4fT0aXq29Z

A key that was revoked or has expired cannot be enabled.";

/// Enable a key that was disabled.
#[derive(clap::Args)]
#[command(after_help = ENABLE_EXAMPLES)]
pub struct EnableArgs {
    #[command(flatten)]
    service: ServiceArgs,
    /// Id of the key
    id: String,
}

/// Disables a key.
pub fn disable(args: DisableArgs) -> Result<ExitCode, CliError> {
    let service = KeyService::new::<DisableArgs>(&args.service)?;
    switch(&service, &args.id, true)
}

/// Enables a key.
pub fn enable(args: EnableArgs) -> Result<ExitCode, CliError> {
    let service = KeyService::new::<EnableArgs>(&args.service)?;
    switch(&service, &args.id, false)
}

#[derive(Serialize)]
struct Switch {
    disabled: bool,
}

fn switch(service: &KeyService, id: &str, disabled: bool) -> Result<ExitCode, CliError> {
    let answer = service.patch(&path(id)?, None, &Switch { disabled })?;
    let key: Object = service.read(&answer)?;
    let status = key.text("status").unwrap_or_default();
    output::line(&format!("{id} is {status} now"))?;
    Ok(ExitCode::SUCCESS)
}
