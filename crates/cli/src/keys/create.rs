//! `keygate keys create`: prints the key and nothing else, so that a script can capture it.

use std::process::ExitCode;

use keygate_core::http::{ReferrerError, ReferrerPattern};
use keygate_core::{Millis, TimeError, UnixMillis};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::client::{KeyService, ServiceArgs};
use crate::document::unreadable;
use crate::error::CliError;
use crate::link::parse_time;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate keys create --account alice --scope files:read --expires-in 30d
  KEY=$(keygate keys create --account ci --name nightly --allow-ip 10.0.0.0/8)
  keygate keys create --account alice --metadata '{\"tier\":\"gold\"}' --json

Only the key goes to standard output, and it cannot be shown again. A note with its id goes
to standard error.";

/// Create a key and print it.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// Print the answer of the key service as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    body: Body,
}

/// What is sent. The service checks the values, so that there is one set of rules.
#[derive(clap::Args, Serialize)]
struct Body {
    /// Account that owns the key
    #[arg(long)]
    account: String,
    /// Name of the key for its owner
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Scope of the key; repeatable
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    scopes: Vec<String>,
    /// Metadata for the upstream, a JSON object
    #[arg(long, value_name = "JSON", value_parser = raw_json)]
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Box<RawValue>>,
    /// Lifetime of the key, such as 30d
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
    allowed_ips: Vec<String>,
    /// Pages from which the key is accepted, such as https://*.example.com; repeatable
    #[arg(long = "allow-referrer", value_name = "ORIGIN", value_parser = referrer)]
    allowed_referrers: Vec<String>,
}

#[derive(Deserialize)]
struct Created {
    key: String,
    id: String,
    expires_at: Option<String>,
}

/// Creates a key.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let service = KeyService::new::<Args>(&args.service)?;
    let answer = service.post("/v1/keys", &args.body)?;
    let end = print(&service, &answer, args.json)?;
    eprintln!("keygate: created key {end}");
    Ok(ExitCode::SUCCESS)
}

/// Prints the key of an answer, or all of it, and returns what a note says: its id and its end.
pub(super) fn print(service: &KeyService, answer: &str, json: bool) -> Result<String, CliError> {
    let created: Created = service.read(answer)?;
    let shown = if json { answer } else { &created.key };
    // The key is lost then, and cannot be printed again.
    output::write(shown).map_err(|error| {
        let id = &created.id;
        CliError::Usage(format!(
            "cannot write the key: {error}. Revoke it: keygate keys revoke {id}"
        ))
    })?;
    let end = created.expires_at.map_or_else(
        || "it does not expire".to_owned(),
        |at| format!("it expires at {at}"),
    );
    Ok(format!("{}; {end}", created.id))
}

pub fn rfc_3339<S: Serializer>(at: &Option<UnixMillis>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(|at| at.to_string()).serialize(serializer)
}

pub(super) fn raw_json(text: &str) -> Result<Box<RawValue>, String> {
    serde_json::from_str(text).map_err(|error| unreadable(&error))
}

/// Hints at the option that is repeatable. All else is the service's to check.
pub(super) fn scope(text: &str) -> Result<String, &'static str> {
    match text.contains(char::is_whitespace) {
        true => Err("a scope contains no spaces: for several scopes, repeat --scope"),
        false => Ok(text.to_owned()),
    }
}

/// The service parses it again, by the same rules.
pub(super) fn referrer(text: &str) -> Result<String, ReferrerError> {
    ReferrerPattern::parse(text).map(|_| text.to_owned())
}

/// The service parses it again, by the same rules.
pub fn duration(text: &str) -> Result<String, TimeError> {
    Millis::parse(text).map(|_| text.to_owned())
}
