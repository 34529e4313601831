//! `keygate keys edit`, `disable` and `enable`: what is said of a key, and whether it may be used.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use keygate_core::UnixMillis;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::create::{duration, raw_json, referrer, rfc_3339, scope};
use super::show::describe;
use super::{KeyObject, path};
use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::link::parse_time;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate keys edit 4fT0aXq29Z --name nightly --scope files:read --scope files:list
  keygate keys edit 4fT0aXq29Z --expires-in 30d --clear name
  keygate keys edit 4fT0aXq29Z --scope files:read --if-match '\"3\"'

What no option names stays as it is. An option that is repeatable replaces the whole
list. With --if-match, the key is changed only if it still has that etag. Every edge that
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
    /// Set a field to nothing; repeatable
    #[arg(long, value_name = "FIELD", value_parser = PossibleValuesParser::new(CLEARABLE.map(|it| it.0)))]
    clear: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    body: Body,
}

/// What can be cleared: its name, and the field of the API.
const CLEARABLE: [(&str, &str); 6] = [
    ("name", "name"),
    ("scopes", "scopes"),
    ("metadata", "metadata"),
    ("expires-at", "expires_at"),
    ("allowed-ips", "allowed_ips"),
    ("allowed-referrers", "allowed_referrers"),
];

/// What a field of the API is if there is nothing in it.
fn nothing(field: &str) -> Value {
    match field {
        "scopes" | "allowed_ips" | "allowed_referrers" => Value::Array(Vec::new()),
        _ => Value::Null,
    }
}

/// What is sent. The service checks the values, so that there is one set of rules.
#[derive(clap::Args, Serialize)]
pub(super) struct Body {
    /// Name of the key for its owner
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Scope of the key; repeatable
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    /// Metadata for the upstream, a JSON object
    #[arg(long, value_name = "JSON", value_parser = raw_json)]
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Box<RawValue>>,
    /// Lifetime of the key from now, such as 30d
    #[arg(
        long,
        value_name = "DURATION",
        conflicts_with = "expires_at",
        allow_hyphen_values = true,
        value_parser = duration
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<String>,
    /// Time at which the key expires (RFC 3339 or Unix seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc_3339")]
    expires_at: Option<UnixMillis>,
    /// IP address or range from which the key is accepted; repeatable
    #[arg(long = "allow-ip", value_name = "CIDR")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_ips: Vec<String>,
    /// Pages from which the key is accepted, such as https://*.example.com; repeatable
    #[arg(long = "allow-referrer", value_name = "ORIGIN", value_parser = referrer)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_referrers: Vec<String>,
}

#[derive(Serialize)]
struct Sent<'a> {
    #[serde(flatten)]
    given: &'a Body,
    #[serde(flatten)]
    cleared: BTreeMap<&'a str, Value>,
}

/// Changes a key, and shows it.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let path = path(&args.id)?;
    let unwritable = |error| CliError::Usage(format!("cannot write the request: {error}"));
    let given: BTreeMap<String, IgnoredAny> = serde_json::to_string(&args.body)
        .and_then(|text| serde_json::from_str(&text))
        .map_err(unwritable)?;
    let is_cleared = |name: &str| args.clear.iter().any(|it| it == name);
    let cleared = CLEARABLE.into_iter().filter(|it| is_cleared(it.0));
    let cleared: BTreeMap<&str, Value> =
        cleared.map(|(_, field)| (field, nothing(field))).collect();
    if let Some(field) = cleared.keys().find(|it| given.contains_key(**it)) {
        let message = format!("--clear contradicts the option that sets {field}");
        return Err(CliError::Usage(message));
    }
    if given.is_empty() && cleared.is_empty() {
        let message = "nothing to change: give an option, such as --name or --clear name";
        return Err(CliError::Usage(message.to_owned()));
    }
    let body = Sent {
        given: &args.body,
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
    let key: KeyObject = service.read(&answer)?;
    let status = key.text("status").unwrap_or_default();
    output::line(&format!("{id} is {status} now"))?;
    Ok(ExitCode::SUCCESS)
}
