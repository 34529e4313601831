//! `keygate sign`: a link that works for a while.

use std::process::ExitCode;

use keygate_core::path::Target;
use keygate_core::signed_url::cloudflare::Stamp;
use keygate_core::signed_url::sign::{Order, Scope};
use keygate_core::signed_url::{Format as _, find_parameter};
use keygate_core::time::{Millis, UnixMillis};

use crate::error::CliError;
use crate::link::{Provider, parse_time, split_url, time_or_now};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  export KEYGATE_MEDIA=$(openssl rand -hex 32)
  keygate sign https://media.example.com/video/cat.mp4
  keygate sign /video/cat.mp4                        a path in, a path out
  keygate sign '/video/cat.mp4?quality=hd' --base64 url
  keygate sign /video/cat.mp4 --expires-in 10m       for a provider with \"stamp\": \"expires\"

Without --expires-in or --expires-at the link says when it was made, and the ttl of
the provider says how long it lives.";

/// Sign a URL or a path.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The URL or path to sign
    #[arg(value_name = "URL")]
    url: String,
    #[command(flatten)]
    provider: Provider,
    /// The link says when it ends: so long from now
    #[arg(long, value_name = "DURATION", conflicts_with = "expires_at", value_parser = Millis::parse)]
    expires_in: Option<Millis>,
    /// The link says when it ends: then (RFC 3339, or unix seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    expires_at: Option<UnixMillis>,
    /// Sign as if it were this time (RFC 3339, or unix seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    now: Option<UnixMillis>,
}

/// Prints the signed URL.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let (origin, target) = split_url(&args.url)?;
    let usage = |message: &str| CliError::Usage(message.to_owned());
    let parsed = Target::parse(target.as_bytes()).map_err(|_| {
        usage(
            "the path can be read in more than one way, so no filter would accept the link: \
             no \"//\", no \"..\", no \"#\", and percent-encode what is not plain ASCII",
        )
    })?;
    match find_parameter(&parsed, &args.provider.parameter) {
        Ok(None) => {}
        Ok(Some(_)) | Err(_) => return Err(usage("the URL has a token already")),
    }
    let now = time_or_now(args.now)?;
    let end = args.expires_in.map(|span| now.plus(span));
    let expires = args.expires_at.or(end);
    let meaning = match expires {
        None => Stamp::Issued { ttl: Millis(1) },
        Some(_) => Stamp::Expires {
            max_lifetime: Millis(1),
        },
    };
    let signer = args.provider.cloudflare(meaning, Millis(0))?;
    let order = Order {
        origin,
        target: parsed,
        method: "GET",
        now,
        not_before: None,
        expires,
        scope: Scope::Path,
        addresses: &[],
        headers: &[],
        cookies: &[],
        account: None,
        once: None,
        private_key: None,
        options: &[],
    };
    let signed = signer.sign(&order).map_err(|error| usage(&error.0))?;
    output::line(&signed.url)?;
    Ok(ExitCode::SUCCESS)
}
