//! `keygate verify`: whether a link is valid and passes the filter, and why not.

use std::net::IpAddr;
use std::process::ExitCode;

use keygate_core::{Reason, UnixMillis};

use crate::envoy::{self, Envoy};
use crate::error::CliError;
use crate::explain::request::add;
use crate::link::{Checked, check, headers, parse_address, parse_time, time_or_now};
use crate::output;
use crate::provider::{self, Links};

const EXAMPLES: &str = "\
Examples:
  keygate verify 'https://media.example.com/cat.mp4?kg=kg1.…' --key-id 2026-11
  keygate verify '/cat.mp4?verify=1700000000-…' --format cloudflare --ttl 10m \\
    --now 2026-11-22T12:00:00Z
  keygate verify 'https://media.example.com/cat.mp4?kg=kg1.…' --policy policy.json --explain

With --policy, the whole policy decides the request, as the filter does: give the URL
with its host, and with --method, --header, --cookie and --client what the rules ask for.
Exit code 0 when the link is valid and the policy does not refuse the request, otherwise
1; the reason is printed, and what the format knows about it. No secret is printed, and
no MAC that would be right.";

/// Check a signed URL or path.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The signed URL or path
    #[arg(value_name = "URL")]
    url: String,
    /// The method of the request
    #[arg(long, default_value = "GET")]
    method: String,
    /// The host of the request, if the URL has none
    #[arg(long, value_name = "HOST", default_value = "localhost")]
    host: String,
    /// A header of the request, or "@" and a file of headers; may be repeated
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// A cookie of the request; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_cookie)]
    cookie: Vec<String>,
    /// The address of the client
    #[arg(long, value_name = "IP", value_parser = parse_address)]
    client: Option<IpAddr>,
    /// Check as if it were this time (RFC 3339, or unix seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    now: Option<UnixMillis>,
    /// Print what the format knows about the link, also if the link is valid
    #[arg(long)]
    explain: bool,
    /// The same as --set stamp=…: what the time in the link means, issued or expires
    #[arg(long, value_name = "MEANING", help_heading = "Provider")]
    stamp: Option<String>,
    /// The same as --set ttl=…: how long a link lives. Of cloudflare, default: 3h
    #[arg(long, value_name = "DURATION", help_heading = "Provider")]
    ttl: Option<String>,
    /// The same as --set max_lifetime=…: how far ahead a link may end
    #[arg(long, value_name = "DURATION", help_heading = "Provider")]
    max_lifetime: Option<String>,
    /// The same as --set skew=…: how far the signer's clock may be ahead
    #[arg(long, value_name = "DURATION", help_heading = "Provider")]
    skew: Option<String>,
    #[command(flatten)]
    envoy: envoy::Args,
    #[command(flatten)]
    provider: provider::Args,
}

/// Prints whether the link is valid, and with a policy what the filter does.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let now = time_or_now(args.now)?;
    let envoy = args.envoy.read()?;
    let links = args.provider.links(&[
        ("stamp", args.stamp.clone()),
        ("ttl", args.ttl.clone()),
        ("max_lifetime", args.max_lifetime.clone()),
        ("skew", args.skew.clone()),
    ])?;
    let mut request = headers(&args.method, &args.url, &args.host)?;
    add(&mut request, &args.url, &args.header)?;
    if !args.cookie.is_empty() {
        request.push(("cookie".into(), args.cookie.join("; ").into()));
    }
    if let Some(Err(error)) = links.whole {
        return Err(error);
    }
    let checked = check(&links, &request, args.client, now)?;
    print(args, &links, &checked, &envoy)
}

/// The text may hold a credential, so no message repeats it.
fn parse_cookie(text: &str) -> Result<String, String> {
    let name = text.split_once('=').map(|(name, _)| name);
    match name.is_some_and(|name| !name.is_empty()) {
        true => Ok(text.to_owned()),
        false => Err("must be a name, a \"=\" and a value".to_owned()),
    }
}

/// Prints the answer of the filter first, then what else is known of the link.
fn print(
    args: &Args,
    links: &Links,
    checked: &Checked,
    envoy: &Envoy,
) -> Result<ExitCode, CliError> {
    let decided = checked.decided.as_ref();
    let by_filter = decided.and_then(|it| it.refused);
    let by_link = checked.told.as_ref().err().copied();
    if let Some(reason) = by_filter.or(by_link) {
        output::line(&format!(
            "refused: {}: {}",
            reason.code(),
            reason.explanation()
        ))?;
    }
    match &checked.told {
        Ok(link) => {
            let end = link.until.map(|it| format!(", until {it}"));
            let (before, after) = match by_filter {
                Some(_) => (
                    "  the link alone is valid",
                    ", but the policy refuses the request",
                ),
                None => ("valid", ""),
            };
            output::line(&format!("{before}{}{after}", end.unwrap_or_default()))?;
            if let Some(prefix) = &link.prefix {
                output::line(&format!("  opens all below {prefix}"))?;
            }
            if let Some(account) = &link.account {
                output::line(&format!("  account \"{account}\""))?;
            }
        }
        Err(reason) if by_filter.is_some_and(|it| it != *reason) => {
            output::line(&format!(
                "  the link: {}: {}",
                reason.code(),
                reason.explanation()
            ))?;
        }
        Err(_) => {}
    }
    if by_filter.or(by_link) == Some(Reason::AmbiguousPath)
        && let Some(note) = envoy::resolved(&args.url)
    {
        output::line(&format!("  {note}"))?;
    }
    if let Some(decided) = decided {
        output::line(&format!("  {}", decided.told))?;
        if decided.takes_encoded_slash {
            for note in envoy.remarks() {
                output::line(&format!("  {note}"))?;
            }
        }
    }
    if args.explain || checked.told.is_err() {
        for step in &checked.steps {
            output::line(&format!("  {step}"))?;
        }
    }
    let is_refused = by_filter.or(by_link).is_some();
    // Without a secret of another provider the policy may refuse what the edge lets pass.
    if let (true, Ok(_), Some(Ok(file))) = (is_refused, &checked.told, &links.whole) {
        file.note_missing();
    }
    Ok(ExitCode::from(u8::from(is_refused)))
}
