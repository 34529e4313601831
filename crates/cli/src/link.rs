//! What `sign` and `verify` have in common: how the links of one provider are made.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use keygate_core::app_key::mac;
use keygate_core::secret::{Encoding, KeyRing, RingEntry, Secret};
use keygate_core::signed_url::cloudflare::{Alphabet, Cloudflare, LinkCarrier, Stamp};
use keygate_core::time::{Millis, UnixMillis};

use crate::environment::required;
use crate::error::CliError;

/// The options that describe a provider; the same words as in its configuration.
#[derive(clap::Args)]
pub struct Provider {
    /// The variable that holds the secret
    #[arg(long, value_name = "VARIABLE", default_value = "KEYGATE_MEDIA")]
    secret_env: String,
    /// How the variable holds it
    #[arg(long, value_enum, default_value_t = SecretEncoding::Utf8)]
    encoding: SecretEncoding,
    /// The format of the link
    #[arg(long, value_enum, default_value_t = Format::Cloudflare)]
    format: Format,
    /// The query parameter of the token
    #[arg(long, default_value = "verify")]
    pub parameter: String,
    /// How the MAC is written
    #[arg(long, value_enum, default_value_t = Base64::Standard)]
    base64: Base64,
}

#[derive(Clone, Copy, ValueEnum)]
enum SecretEncoding {
    Utf8,
    Hex,
    Base64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Cloudflare,
}

#[derive(Clone, Copy, ValueEnum)]
enum Base64 {
    /// With padding, percent-encoded
    Standard,
    /// URL-safe, without padding (Cloudflare's flag "s")
    Url,
}

impl Provider {
    /// The provider that these options describe.
    pub fn cloudflare(&self, stamp: Stamp, skew: Millis) -> Result<Cloudflare, CliError> {
        let Format::Cloudflare = self.format;
        let encoding = match self.encoding {
            SecretEncoding::Utf8 => Encoding::Utf8,
            SecretEncoding::Hex => Encoding::Hex,
            SecretEncoding::Base64 => Encoding::Base64,
        };
        let text = required(&self.secret_env)?.into_encoded_bytes();
        let secret = Secret::decode(&text, encoding).map_err(|error| {
            CliError::Usage(format!("the value of {} {error}", self.secret_env))
        })?;
        let entry = RingEntry {
            id: "given".to_owned(),
            key: mac(secret.expose()),
            not_before: None,
            not_after: None,
        };
        Ok(Cloudflare {
            ring: KeyRing(vec![entry]),
            carriers: vec![LinkCarrier::Parameter(self.parameter.clone())],
            alphabet: match self.base64 {
                Base64::Standard => Alphabet::Standard,
                Base64::Url => Alphabet::UrlSafe,
            },
            stamp,
            skew,
            directory: None,
        })
    }
}

/// A URL in two: what comes before the path, and the target, which is what is signed.
pub fn split_url(url: &str) -> Result<(&str, &str), CliError> {
    let at = match url.split_once("://") {
        Some((scheme, rest)) if !url.starts_with('/') => {
            let host = rest.find('/').ok_or_else(|| {
                CliError::Usage("the URL has no path: add at least a \"/\"".to_owned())
            })?;
            scheme.len() + 3 + host
        }
        _ => 0,
    };
    let (origin, target) = url.split_at(at);
    if target.starts_with('/') {
        Ok((origin, target))
    } else {
        Err(CliError::Usage(
            "must be a URL, or a path that starts with \"/\"".to_owned(),
        ))
    }
}

/// The time that was given, or now.
pub fn time_or_now(given: Option<UnixMillis>) -> Result<UnixMillis, CliError> {
    let now = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok().map(UnixMillis)
    };
    given
        .or_else(now)
        .ok_or_else(|| CliError::Usage("the clock of this machine is wrong".to_owned()))
}

/// Unix seconds, or RFC 3339.
pub fn parse_time(text: &str) -> Result<UnixMillis, String> {
    match text.parse() {
        Ok(seconds) => Ok(UnixMillis::from_secs(seconds)),
        Err(_) => UnixMillis::parse(text).map_err(|error| format!("{error}, or unix seconds")),
    }
}
