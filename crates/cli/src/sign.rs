//! `keygate sign`: a link that works for a while.

use std::net::IpAddr;
use std::process::ExitCode;

use ipnet::IpNet;
use keygate_core::http::address::range;
use keygate_core::http::find_parameter;
use keygate_core::signed_url::{Order, Scope, Signed};
use keygate_core::text::hex;
use keygate_core::{Header, Millis, PublicReason, Reason, Target, UnixMillis};

use crate::error::CliError;
use crate::link::check;
use crate::output;
use crate::provider::{self, Links};
use crate::url::{check_origin, headers, split_url, unencoded};
use crate::values::{parse_time, time_or_now};

const EXAMPLES: &str = "\
Examples:
  export KEYGATE_MEDIA=$(openssl rand -hex 32)
  keygate sign https://media.example.com/video/cat.mp4 --key-id 2026-11 --expires-in 3h
  keygate sign /video/cat.mp4 --key-id 2026-11 --expires-in 3h --option host='*'
                                         a path yields a signed path, valid for every host
  keygate sign https://media.example.com/video/1/index.m3u8 --policy policy.json \\
    --provider media --prefix /video/1/ --expires-in 3h
  keygate sign '/video/cat.mp4?quality=hd' --format cloudflare --base64 url
  keygate sign https://store.example.com/cat.jpg --format s3 --set region=eu-west-1 \\
    --key-id AKIAIOSFODNN7EXAMPLE --secret-file secret.txt --expires-in 1h

With --policy, the link has the format of the provider in the policy, and the secrets come
from the environment. Otherwise, the options describe the provider. The default format is
keygate: its links contain the id of the secret and an expiry, and are valid for the host
of the URL.

A link of the format cloudflare without --expires-in and --expires-at contains the time at
which it was made. The ttl of the provider limits its lifetime.";

/// Sign a URL or a path.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// URL or path to sign
    #[arg(value_name = "URL")]
    url: String,
    /// Lifetime of the link, such as 3h
    #[arg(
        long,
        value_name = "DURATION",
        conflicts_with = "expires_at",
        allow_hyphen_values = true,
        value_parser = Millis::parse
    )]
    expires_in: Option<Millis>,
    /// Time at which the link expires (RFC 3339 or Unix seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    expires_at: Option<UnixMillis>,
    /// Time before which the link is not valid yet (RFC 3339 or Unix seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    not_before: Option<UnixMillis>,
    /// Method of the requests for which the link is valid
    #[arg(long, default_value = "GET")]
    method: String,
    /// Make the link valid for every path below this prefix, such as /video/
    #[arg(long, value_name = "PATH", conflicts_with = "glob")]
    prefix: Option<String>,
    /// Make the link valid for every path that matches this glob; repeatable
    #[arg(long, value_name = "GLOB")]
    glob: Vec<String>,
    /// Make the link valid only for clients in this IP range; repeatable
    #[arg(long, value_name = "CIDR", value_parser = parse_network)]
    address: Vec<IpNet>,
    /// Make the link valid only for requests with this header; repeatable
    #[arg(long, value_name = "NAME: VALUE", value_parser = parse_header)]
    header: Vec<(String, String)>,
    /// Make the link valid only for requests with this cookie; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    cookie: Vec<(String, String)>,
    /// Account of the link, which the upstream receives
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    account: Option<String>,
    /// Make the link valid for one request; without an id, a random one is generated
    #[arg(long, value_name = "ID", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    once: Option<String>,
    /// Option that only this format has, as its page in docs/formats says; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    option: Vec<(String, String)>,
    /// If the format needs headers or cookies with the link, print them after it as "name: value"
    /// lines. Without this option, they go to standard error
    #[arg(long)]
    headers: bool,
    /// Sign as if it were this time (RFC 3339 or Unix seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    now: Option<UnixMillis>,
    #[command(flatten)]
    provider: provider::Args,
}

/// Prints the signed URL.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let (origin, target) = split_url(&args.url)?;
    check_origin(origin)?;
    let usage = |message: &str| CliError::Usage(message.to_owned());
    if let Some(told) = unencoded(&args.url) {
        return Err(usage(told));
    }
    let parsed = Target::parse(target.as_bytes()).map_err(|_| {
        usage(
            "the path can be read in more than one way, so the filter would reject the link: \
             remove \"//\", \"..\" and \"#\", and percent-encode everything but plain ASCII",
        )
    })?;
    let now = time_or_now(args.now)?;
    let end = args.expires_in.map(|span| now.plus(span));
    let expires = args.expires_at.or(end);
    let ends = expires.is_some() && args.provider.format() == Some("cloudflare");
    let stamp = ends.then(|| "expires".to_owned());
    if let Some(message) = args.provider.lacks_key_id() {
        return Err(CliError::Usage(message));
    }
    let links = args.provider.links(&[("stamp", stamp)])?;
    reject_token(&links, &parsed)?;
    let globs: Vec<&str> = args.glob.iter().map(String::as_str).collect();
    let once = args.once.clone().map(once).transpose()?;
    let order = Order {
        origin,
        target: parsed,
        method: &args.method,
        now,
        not_before: args.not_before,
        expires,
        scope: match &args.prefix {
            Some(prefix) => Scope::Prefix(prefix),
            None if !globs.is_empty() => Scope::Globs(&globs),
            None => Scope::Path,
        },
        addresses: &args.address,
        headers: &borrowed(&args.header),
        cookies: &borrowed(&args.cookie),
        account: args.account.as_deref(),
        once: once.as_deref(),
        private_key: links.private_key.as_ref(),
        options: &borrowed(&args.option),
    };
    let signed = links.signed_url()?.sign(&order);
    let signed = signed.map_err(|error| CliError::Usage(error.to_string()))?;
    output::line(&signed.url)?;
    for (name, value) in beside(&signed) {
        if args.headers {
            output::line(&format!("{name}: {value}"))?;
        } else {
            eprintln!("note: send this header with the link: {name}: {value}");
        }
    }
    if let Some(end) = expires.filter(|end| *end <= now) {
        eprintln!("note: the link has already expired, at {end}");
    } else {
        warn(&links, args, &signed, now)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A link with two tokens is rejected everywhere.
fn reject_token(links: &Links, target: &Target<'_>) -> Result<(), CliError> {
    let format = &links.signed_url()?.format;
    let parameters = format.parameters();
    let mut found = parameters.iter().map(|it| find_parameter(target, it));
    let segment = keygate_core::http::PathToken::find(
        target,
        &format
            .path_token()
            .map(str::to_owned)
            .into_iter()
            .collect::<Vec<_>>(),
    );
    if found.all(|it| it == Ok(None)) && segment == Ok(None) {
        Ok(())
    } else {
        Err(CliError::Usage("the URL already has a token".to_owned()))
    }
}

/// Headers, and the cookies as the one header that they are.
fn beside(signed: &Signed) -> Vec<(String, String)> {
    let cookies = signed
        .cookies
        .iter()
        .map(|(name, it)| format!("{name}={it}"));
    let cookies: Vec<_> = cookies.collect();
    let cookies = (!cookies.is_empty()).then(|| ("cookie".to_owned(), cookies.join("; ")));
    signed.headers.iter().cloned().chain(cookies).collect()
}

/// Says when the provider would reject what it has just signed.
fn warn(links: &Links, args: &Args, signed: &Signed, now: UnixMillis) -> Result<(), CliError> {
    let mut request = headers(&args.method, &signed.url, "localhost")?;
    let mut given = args.header.clone();
    let cookies = args.cookie.iter().map(|(name, it)| format!("{name}={it}"));
    given.extend(cookies.map(|it| ("cookie".to_owned(), it)));
    let sent = beside(signed);
    given.retain(|(name, _)| !sent.iter().any(|(it, _)| it == name && it != "cookie"));
    for (name, value) in sent.into_iter().chain(given) {
        let header: Header = (name.to_ascii_lowercase().into(), value.into());
        if !request.contains(&header) {
            request.push(header);
        }
    }
    let client = args.address.first().map(IpNet::addr);
    let client = client.or(Some(IpAddr::from([127, 0, 0, 1])));
    let at = args.not_before.map_or(now, |it| it.max(now));
    let checked = check(links, &request, client, at)?;
    if let Some(reason) = checked.invalid() {
        let told = reason.explanation();
        eprintln!(
            "warning: this provider would reject the link: {}: {told}",
            reason.code()
        );
        return Ok(());
    }
    if let Some(Err(error)) = &links.whole {
        eprintln!("warning: {error}");
    }
    // Whatever else a client brings, the policy rejects the path; of a path alone the host is
    // not known, and so not the rule.
    let is_known = signed.url.contains("://") && !signed.url.starts_with('/');
    let decided = checked.decided.filter(|_| is_known);
    let rejected = decided.and_then(|it| Some((it.rejected?, it.told)));
    let is_of_path = |it: Reason| it.public() == PublicReason::AmbiguousRequest;
    if let Some((reason, told)) =
        rejected.filter(|(it, _)| is_of_path(*it) || *it == Reason::NoRule)
    {
        let why = reason.explanation();
        eprintln!("warning: the policy would reject the link: {told}: {why}");
    }
    Ok(())
}

/// The id that was given, or 128 random bits.
fn once(given: String) -> Result<String, CliError> {
    if !given.is_empty() {
        return Ok(given);
    }
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| CliError::Usage(format!("no random numbers: {error}")))?;
    Ok(hex::encode(&bytes))
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    let all = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    all.collect()
}

/// A network, or an address alone.
fn parse_network(text: &str) -> Result<IpNet, String> {
    range(text).ok_or_else(|| "must be an address or a range such as 192.0.2.0/24".to_owned())
}

/// The text may contain a credential, so no message repeats it.
fn parse_header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.is_empty() => {
            Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
        }
        _ => Err("must be a name, a colon and a value".to_owned()),
    }
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "must be a name, a \"=\" and a value".to_owned())
}
