//! `keygate verify`: whether a link is valid and passes the filter, and why not.

use std::net::IpAddr;
use std::process::ExitCode;

use keygate_core::{Reason, UnixMillis};

use crate::environment::unset_here;
use crate::envoy::{self, Envoy};
use crate::error::CliError;
use crate::explain::request::add;
use crate::explain::unset::Unset;
use crate::link::{Checked, CheckedLink, Holds, check};
use crate::output;
use crate::provider::{self, Links};
use crate::url::{headers, unencoded};
use crate::values::{parse_address, parse_time, time_or_now};

const EXAMPLES: &str = "\
Examples:
  keygate verify 'https://media.example.com/cat.mp4?kg=kg1.…' --key-id 2026-11
  keygate verify '/cat.mp4?verify=1700000000-…' --format cloudflare --ttl 10m \\
    --now 2026-11-22T12:00:00Z
  keygate verify 'https://media.example.com/cat.mp4?kg=kg1.…' --policy policy.json --explain

With --policy, the whole policy decides the request, as in the filter: give the URL with
its host, and use --method, --header, --cookie and --client for what the rules need.
Without it, the limits of a policy are not known: --max-lifetime sets the longest lifetime.
Exit code 0 if the link is valid and the policy does not reject the request, otherwise 1
with the reason and what differs; 2 if that depends on a variable that is not set here.
Neither secrets nor valid MACs are printed.";

/// Check a signed URL or path.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Signed URL or path
    #[arg(value_name = "URL")]
    url: String,
    /// Method of the request
    #[arg(long, default_value = "GET")]
    method: String,
    /// Host of the request, if the URL has none
    #[arg(long, value_name = "HOST", default_value = "localhost")]
    host: String,
    /// Header of the request, or "@" and a file of headers; repeatable
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Cookie of the request; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_cookie)]
    cookie: Vec<String>,
    /// IP address of the client
    #[arg(long, value_name = "IP", value_parser = parse_address)]
    client: Option<IpAddr>,
    /// Check as if it were this time (RFC 3339 or Unix seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    now: Option<UnixMillis>,
    /// Print details about the link even if it is valid
    #[arg(long)]
    explain: bool,
    /// Meaning of the time in the link, issued or expires; short for --set stamp=…
    #[arg(long, value_name = "MEANING", help_heading = "Provider")]
    stamp: Option<String>,
    /// Lifetime of links that contain the time at which they were made; short for --set ttl=….
    /// Default for cloudflare: 3h
    #[arg(
        long,
        value_name = "DURATION",
        help_heading = "Provider",
        allow_hyphen_values = true
    )]
    ttl: Option<String>,
    /// How far in the future a link may expire; short for --set max_lifetime=…. Default: the
    /// longest that the format allows
    #[arg(
        long,
        value_name = "DURATION",
        help_heading = "Provider",
        allow_hyphen_values = true
    )]
    max_lifetime: Option<String>,
    /// How far the signer's clock may be ahead; short for --set skew=…
    #[arg(
        long,
        value_name = "DURATION",
        help_heading = "Provider",
        allow_hyphen_values = true
    )]
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
    let links = args.provider.all_links(&[
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
    let unset = unset(&links, &checked);
    if !unset.is_empty() {
        return Err(CliError::Usage(unset_here(&unset)));
    }
    let done = print(args, &links, &checked, &envoy)?;
    if let (Some(message), Some(Reason::WrongSignature)) =
        (args.provider.lacks_key_id(), checked.invalid())
    {
        eprintln!("note: {message}");
    }
    Ok(done)
}

/// The variables without which it is not known whether the link of some provider is valid.
fn unset<'l>(links: &'l Links, checked: &Checked) -> Vec<&'l str> {
    let rejected = checked.decided.as_ref().and_then(|it| it.rejected);
    let (Some(Ok(file)), Some(Reason::WrongSignature)) = (&links.whole, rejected) else {
        return Vec::new();
    };
    let unset = Unset {
        policy: &file.written,
        variables: &file.missing,
    };
    let wrong = checked.links.iter();
    let wrong = wrong.filter(|it| it.told.as_ref().err() == Some(&Reason::WrongSignature));
    let names = wrong.filter_map(|it| it.provider.as_deref());
    let mut variables: Vec<_> = names
        .flat_map(|name| unset.of_rings(&file.written["providers"][name]))
        .collect();
    variables.sort_unstable();
    variables.dedup();
    variables
}

/// The text may contain a credential, so no message repeats it.
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
    let by_filter = decided.and_then(|it| it.rejected);
    let by_link = checked.invalid();
    output::line(&match (by_filter, by_link) {
        (Some(reason), _) => format!("rejected: {}", explained(reason)),
        (None, Some(reason)) if decided.is_none() => format!("rejected: {}", explained(reason)),
        (None, Some(reason)) => {
            let named = match checked.links.as_slice() {
                [link] => provider("for", link),
                _ => String::new(),
            };
            format!("the link is not valid{named}: {}", explained(reason))
        }
        (None, None) => {
            let link = checked.links.iter().find_map(|it| it.told.as_ref().ok());
            format!("valid{}", link.map(until).unwrap_or_default())
        }
    })?;
    for link in &checked.links {
        print_link(link, links, checked, by_filter)?;
    }
    if by_filter.or(by_link) == Some(Reason::AmbiguousPath) {
        let cause = unencoded(&args.url).or_else(|| envoy::resolved(&args.url));
        if let Some(note) = cause {
            output::line(&format!("  {note}"))?;
        }
    }
    if let Some(decided) = decided {
        output::line(&format!("  {}", decided.told))?;
        if decided.takes_encoded_slash {
            for (level, told) in envoy.remarks() {
                output::line(&format!("  {level}: {told}"))?;
            }
        }
    }
    for link in &checked.links {
        if args.explain || link.told.is_err() {
            if let ([_, _, ..], Some(name)) = (checked.links.as_slice(), &link.provider) {
                output::line(&format!("  provider \"{name}\":"))?;
            }
            for step in &link.steps {
                output::line(&format!("  {step}"))?;
            }
        }
    }
    let is_rejected = by_filter.or(by_link).is_some();
    // Without a secret of another provider the policy may reject what the edge lets pass.
    let is_of_policy = checked.links.iter().any(|it| it.told.is_ok()) || links.providers.len() > 1;
    if let (true, true, Some(Ok(file))) = (is_rejected, is_of_policy, &links.whole) {
        file.note_missing();
    }
    Ok(ExitCode::from(u8::from(is_rejected)))
}

/// Prints what one provider says, as far as the first line does not.
fn print_link(
    link: &CheckedLink,
    links: &Links,
    checked: &Checked,
    by_filter: Option<Reason>,
) -> Result<(), CliError> {
    let named = provider("of", link);
    match &link.told {
        Ok(told) => {
            if by_filter.is_some() {
                output::line(&format!(
                    "  the link{named} alone is valid{}, but the policy rejects the request",
                    until(told)
                ))?;
            } else if let (Some(name), true) = (&link.provider, links.providers.len() > 1) {
                output::line(&format!("  provider \"{name}\""))?;
            }
            if let Some(prefix) = &told.prefix {
                output::line(&format!("  covers everything below {prefix}"))?;
            }
            if let Some(account) = &told.account {
                output::line(&format!("  account \"{account}\""))?;
            }
        }
        Err(reason) => {
            let is_said = by_filter.is_none_or(|it| it == *reason);
            if checked.links.len() > 1 || !is_said {
                output::line(&format!("  the link{named}: {}", explained(*reason)))?;
            }
        }
    }
    Ok(())
}

fn explained(reason: Reason) -> String {
    format!("{}: {}", reason.code(), reason.explanation())
}

fn until(link: &Holds) -> String {
    let end = link.until.map(|it| format!(", until {it}"));
    end.unwrap_or_default()
}

/// The provider of a link behind a preposition, where the policy has several.
fn provider(preposition: &str, link: &CheckedLink) -> String {
    let name = link.provider.as_ref();
    name.map(|it| format!(" {preposition} the provider \"{it}\""))
        .unwrap_or_default()
}
