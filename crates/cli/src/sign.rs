//! `keygate sign`: a link that works for a while.

use std::process::ExitCode;

use keygate_core::path::Target;
use keygate_core::signed_url::cloudflare::Stamp;
use keygate_core::signed_url::find_parameter;
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
    let stamp = args.expires_at.or(end).unwrap_or(now).as_secs();
    if !(1_000_000_000..=9_999_999_999).contains(&stamp) {
        return Err(usage(
            "the time does not fit into the ten digits of this format",
        ));
    }
    let any = Stamp::Issued { ttl: Millis(1) };
    let signer = args.provider.cloudflare(any, Millis(0))?;
    let signed = signer
        .sign(target, &args.provider.parameter, stamp, now)
        .ok_or_else(|| usage("there is no secret to sign with"))?;
    output::line(&format!("{origin}{signed}"))?;
    Ok(ExitCode::SUCCESS)
}
