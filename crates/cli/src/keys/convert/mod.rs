//! `keygate keys convert`: keys from the dump of another system, as lines for `keygate keys import`.
//!
//! Each system is a row of [`SYSTEMS`] and a pure function of its dump. A field that says something
//! of a key and has no place in Keygate is named, and so is a key that is left out.

mod apisix;
mod aws;
mod dump;
mod envoy;
mod higress;
mod kong;
mod tyk;
mod unkey;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use keygate_service::roles::{READ_KEYS, WRITE_KEYS};
use keygate_service::shown::escaped;
use serde::Serialize;
use serde_json::{Map, Value};

use self::dump::Object;
use crate::error::CliError;
use crate::file::read;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate keys convert --from kong kong.yaml | keygate keys import - --dry-run
  keygate keys convert --from aws api-keys.json > keys.jsonl

Supported dumps:
  apisix   GET /apisix/admin/consumers, and the credentials of each consumer
  aws      aws apigateway get-api-keys --include-values
  envoy    a file with Envoy's configuration, in which api_key_auth has credentials
  higress  the configuration of key-auth, or the WasmPlugin with it
  kong     deck gateway dump
  tyk      a JSON object with the session of each key, as Redis has them
  unkey    rows of the table keys, or apis.listKeys with decrypt

The lines go to standard output and contain the keys. Standard error names every field
that is not carried over, and every key that is left out. If a key is left out, the exit
code is 1.
Tyk's own keys look like digests: import them with --digests-are-keys.";

/// Convert the dump of another system for import.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The system that made the dump
    #[arg(long, value_name = "SYSTEM", value_parser = PossibleValuesParser::new(SYSTEMS.map(|it| it.0)))]
    from: String,
    /// The dump (JSON or YAML), or "-" for standard input
    file: PathBuf,
}

/// A dump, and what becomes of it. An error says what the dump lacks.
type Convert = fn(&Value, &mut Converted) -> Result<(), &'static str>;

const SYSTEMS: [(&str, Convert); 7] = [
    ("apisix", apisix::convert),
    ("aws", aws::convert),
    ("envoy", envoy::convert),
    ("higress", higress::convert),
    ("kong", kong::convert),
    ("tyk", tyk::convert),
    ("unkey", unkey::convert),
];

/// The fields that are named if they are not carried over. A dump may have keys as names.
const NAMED: &[&str] = &[
    "allowance",
    "allowed_clients",
    "apply_policies",
    "apply_policy_id",
    "basicauth_credentials",
    "credits",
    "desc",
    "description",
    "global_auth",
    "group_id",
    "groups",
    "hmac-auth",
    "hmacauth_credentials",
    "in_header",
    "in_query",
    "jwt-auth",
    "jwt_secrets",
    "keys",
    "labels",
    "limit-count",
    "limit-req",
    "monitor",
    "mtls_auth_credentials",
    "oauth2_credentials",
    "oauth_client_id",
    "per",
    "plugins",
    "quota_max",
    "quota_renewal_rate",
    "rate",
    "ratelimits",
    "realm",
    "remaining",
    "remaining_requests",
    "roles",
    "tags",
    "throttle_interval",
    "throttle_retry_limit",
];

/// Why a key is left out if its consumer cannot be an account.
const NO_ACCOUNT: &str = "its consumer has no name that can be an account";

/// Why a key is left out if its state is unclear.
const UNREADABLE: &str = "it is unclear whether it is valid, or until when";

/// What a dump says, as far as Keygate can say it.
#[derive(Default)]
struct Converted {
    lines: Vec<Line>,
    /// What is not carried over: how often, and where first.
    lost: BTreeMap<String, (usize, String)>,
    /// Why keys are left out: how many, and where the first is.
    left_out: BTreeMap<String, (usize, String)>,
}

/// A key as `keygate keys import` reads it.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    credential: Credential,
    account: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Credential {
    Key(String),
    Sha256(String),
}

impl Line {
    fn new(credential: Credential, account: String) -> Self {
        Self {
            credential,
            account,
            name: None,
            scopes: Vec::new(),
            metadata: None,
            expires_at: None,
        }
    }
}

impl Converted {
    /// Names the fields of an object that say something and are not among those that are `known`.
    fn lose_others(&mut self, object: &Object<'_>, known: &[&str]) {
        for field in object.others(known) {
            match NAMED.iter().find(|it| **it == field) {
                Some(field) => self.lose(object, format!("{field} is not carried over")),
                // Its name may be a key in a wrong place.
                None => self.lose(object, "an unknown field is not carried over".to_owned()),
            }
        }
    }

    /// Adds a key.
    fn push(&mut self, object: &Object<'_>, line: Line) {
        for scope in [READ_KEYS, WRITE_KEYS] {
            if line.scopes.iter().any(|it| it == scope) {
                self.lose(
                    object,
                    format!("with the scope {scope}, the key manages keys"),
                );
            }
        }
        self.lines.push(line);
    }

    /// Names something that is not carried over.
    fn lose(&mut self, object: &Object<'_>, what: String) {
        let (count, _) = self.lost.entry(what).or_insert((0, object.place()));
        *count += 1;
    }

    /// Leaves out a key, and says why.
    fn leave_out(&mut self, object: &Object<'_>, why: &str) {
        self.leave_out_at(object.place(), why);
    }

    fn leave_out_at(&mut self, place: String, why: &str) {
        let entry = self.left_out.entry(why.to_owned());
        let (count, _) = entry.or_insert((0, place));
        *count += 1;
    }
}

/// Converts a dump.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let (name, convert) = SYSTEMS
        .into_iter()
        .find(|it| it.0 == args.from)
        .ok_or_else(|| CliError::Usage(format!("unknown system {}", args.from)))?;
    let document = dump::parse(&read(&args.file)?).map_err(CliError::Usage)?;
    let mut converted = Converted::default();
    convert(&document, &mut converted)
        .map_err(|lacks| CliError::Usage(format!("this is not a dump of {name}: {lacks}")))?;
    for line in &converted.lines {
        let text = serde_json::to_string(line);
        let failed = |error| CliError::Usage(format!("cannot write the output: {error}"));
        output::line(&text.map_err(failed)?)?;
    }
    for (what, (count, first)) in &converted.lost {
        eprintln!("keygate: {}", escaped(&told(what, *count, first)));
    }
    for (why, (count, first)) in &converted.left_out {
        let told = told(&format!("left out: {why}"), *count, first);
        eprintln!("keygate: {}", escaped(&told));
    }
    match converted.left_out.values().map(|it| it.0).sum::<usize>() {
        0 if converted.lines.is_empty() => {
            Err(CliError::Usage("the dump contains no keys".to_owned()))
        }
        0 => Ok(ExitCode::SUCCESS),
        left_out => Err(CliError::No(format!(
            "{left_out} of {} keys are left out",
            converted.lines.len() + left_out
        ))),
    }
}

fn told(what: &str, count: usize, first: &str) -> String {
    match count {
        1 => format!("{first}: {what}"),
        _ => format!("{first} and {} more: {what}", count - 1),
    }
}
