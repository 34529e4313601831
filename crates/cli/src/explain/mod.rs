//! `keygate explain`: what a policy says of a request, and why.
//!
//! The verdict is that of `Policy::decide`, as in the filter. The steps before it ask
//! the same pieces again, one by one; nothing is decided here.

mod answer;
mod key;
mod lookup;
mod outcome;
mod page;
pub mod request;
mod rules;
mod session;
mod steps;
pub mod unset;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use keygate_core::identity::Claims;
use keygate_core::signed_url::Checks;
use keygate_core::{Client, Facts, NoClaims, UnixMillis};

use crate::envoy;
use crate::error::CliError;
use crate::output;
use crate::policy_file::PolicyFile;
use crate::values::{parse_address, parse_time, time_or_now};
use session::Session;
use unset::Unset;

const EXAMPLES: &str = "\
Examples:
  keygate explain --policy policy.json --request 'GET /media/x?verify=1700000000-…'
  keygate explain --policy policy.json --request 'PUT https://api.example.com/files/a' \\
    --header @headers.txt --client 192.0.2.7 --now 2026-11-22T12:00:00Z
  keygate explain --policy policy.json --request 'GET /api' --header @headers.txt --unknown-key
  keygate explain --policy policy.json --request 'GET /me' --session 'sub=alice,scope=read write'

A file after \"@\" contains one header per line; \"@-\" is standard input. Use a file for
credentials: every user of the machine can see arguments. The secrets of the policy come
from the environment. Neither secrets nor valid MACs are printed.
Exit code 0 if the request passes, 1 if it is rejected, 2 if that depends on a variable that
is not set here, 3 if the filter would first have to ask the key service.";

/// Explain what a policy does with a request: the rule, each step, and the verdict.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Policy file, as for check
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Request: a method and a path or URL
    #[arg(long, value_name = "METHOD URL")]
    request: String,
    /// Header of the request, or "@" and a file of headers; repeatable
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Host of the request, if the URL has none
    #[arg(long, value_name = "HOST", default_value = "localhost")]
    host: String,
    /// IP address of the client
    #[arg(long, value_name = "IP", value_parser = parse_address)]
    client: Option<IpAddr>,
    /// Decide as if it were this time (RFC 3339 or Unix seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    now: Option<UnixMillis>,
    /// Answer of the key service for the app key: the record of a lookup, as JSON. Without
    /// "hash", it applies to any key in the request
    #[arg(long, value_name = "FILE", conflicts_with = "unknown_key")]
    key_record: Option<PathBuf>,
    /// Assume that the key service does not know the app key
    #[arg(long)]
    unknown_key: bool,
    /// Claims of the session that Envoy's jwt_authn has verified: NAME=VALUE pairs with commas
    /// between them, such as sub=alice,scope=read, or a JSON object. No token is checked
    #[arg(long, value_name = "CLAIMS", value_parser = Session::parse)]
    session: Option<Session>,
    #[command(flatten)]
    envoy: envoy::Args,
}

/// Prints the steps and the verdict.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let file = PolicyFile::read(&args.policy)?;
    let (headers, url) = request::headers(&args.request, &args.host, &args.header)?;
    let keys = lookup::Given::new(args.key_record.as_deref(), args.unknown_key)?;
    let envoy = args.envoy.read()?;
    let facts = Facts {
        checks: Checks::default(),
        client: Client::Known(args.client),
        keys: &keys,
        claims: match &args.session {
            Some(session) => session as &dyn Claims,
            None => &NoClaims,
        },
        now: time_or_now(args.now)?,
    };
    let unset = Unset {
        policy: &file.written,
        variables: &file.missing,
    };
    let told = (url, &envoy);
    let explained = answer::explain(&file.policy, unset, &headers, &facts, told);
    output::line(&explained.text)?;
    Ok(explained.exit_code)
}
