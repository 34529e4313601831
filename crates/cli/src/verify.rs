//! `keygate verify`: whether a link holds, and why not.

use std::process::ExitCode;

use clap::ValueEnum;
use keygate_core::path::Target;
use keygate_core::policy::Facts;
use keygate_core::record::NothingKnown;
use keygate_core::request::{Header, Request};
use keygate_core::session::NoClaims;
use keygate_core::signed_url::cloudflare::Stamp;
use keygate_core::signed_url::{Format as _, find_parameter};
use keygate_core::time::{Millis, UnixMillis};

use crate::error::CliError;
use crate::link::{Provider, parse_time, split_url, time_or_now};
use crate::output;
use crate::reasons::explain;

const EXAMPLES: &str = "\
Examples:
  keygate verify 'https://media.example.com/cat.mp4?verify=1700000000-…'
  keygate verify '/cat.mp4?verify=1700000000-…' --ttl 10m --now 2026-11-22T12:00:00Z

Exit code 0 when the link holds, 1 when it does not; the reason is printed.";

/// Check a signed URL or path.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The signed URL or path
    #[arg(value_name = "URL")]
    url: String,
    #[command(flatten)]
    provider: Provider,
    /// What the time in the link means
    #[arg(long, value_enum, default_value_t = Meaning::Issued)]
    stamp: Meaning,
    /// How long a link lives (with --stamp issued)
    #[arg(long, value_name = "DURATION", default_value = "3h", value_parser = Millis::parse)]
    ttl: Millis,
    /// How far ahead a link may end (with --stamp expires)
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = Millis::parse)]
    max_lifetime: Millis,
    /// How far the signer's clock may be ahead
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = Millis::parse)]
    skew: Millis,
    /// Check as if it were this time (RFC 3339, or unix seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    now: Option<UnixMillis>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Meaning {
    /// When the link was made
    Issued,
    /// When the link ends
    Expires,
}

/// Prints whether the link holds.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let (_, target) = split_url(&args.url)?;
    let now = time_or_now(args.now)?;
    let stamp = match args.stamp {
        Meaning::Issued => Stamp::Issued { ttl: args.ttl },
        Meaning::Expires => Stamp::Expires {
            max_lifetime: args.max_lifetime,
        },
    };
    let links = args.provider.cloudflare(stamp, args.skew)?;
    let headers: [Header; 3] = [
        (b":method".to_vec(), b"GET".to_vec()),
        (b":authority".to_vec(), b"localhost".to_vec()),
        (b":path".to_vec(), target.as_bytes().to_vec()),
    ];
    let facts = Facts {
        client: None,
        keys: &NothingKnown,
        claims: &NoClaims,
        now,
    };
    let verified = Request::read(&headers).and_then(|it| links.verify(&it, &facts).map(|_| ()));
    match verified {
        Ok(()) => {
            let end = stamp_of(target, &args.provider.parameter).map(|at| match stamp {
                Stamp::Issued { ttl } => at.plus(ttl),
                Stamp::Expires { .. } => at,
            });
            let end = end.map_or_else(String::new, |end| format!(", until {end}"));
            output::line(&format!("valid{end}"))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(reason) => {
            output::line(&format!("refused: {}: {}", reason.code(), explain(reason)))?;
            Ok(ExitCode::from(1))
        }
    }
}

/// The time in a link that was verified.
fn stamp_of(target: &str, parameter: &str) -> Option<UnixMillis> {
    let target = Target::parse(target.as_bytes()).ok()?;
    let found = find_parameter(&target, parameter).ok()??;
    let (digits, _) = found.value.split_once('-')?;
    digits.parse().ok().map(UnixMillis::from_secs)
}
