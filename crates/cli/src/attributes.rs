//! What is said of a key or a token when it is created or changed: options, and the body of the
//! request. The service checks the values, so that there is one set of rules.

use keygate_core::http::{ReferrerError, ReferrerPattern};
use keygate_core::identity::{MalformedRateLimit, RateLimit};
use keygate_core::{Millis, TimeError, UnixMillis};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::document::unreadable;
use crate::values::parse_time;

/// The attributes of a key; one that no option sets is not sent.
#[derive(clap::Args, Serialize)]
pub struct Attributes {
    /// Name of the key for its owner
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Scope of the key; repeatable
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    /// Metadata for the upstream, a JSON object
    #[arg(long, value_name = "JSON", value_parser = raw_json)]
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Box<RawValue>>,
    /// Label of the key, for people and for filters; repeatable
    #[arg(long = "label", value_name = "NAME=VALUE")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<String>,
    /// Most requests at each worker of Envoy, such as 100/1m
    #[arg(long, value_name = "N/DURATION", value_parser = rate_limit)]
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<RateLimit>,
    #[command(flatten)]
    #[serde(flatten)]
    lifetime: Lifetime,
    /// IP address or range from which the key is accepted; repeatable
    #[arg(long = "allow-ip", value_name = "CIDR")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_ips: Vec<String>,
    /// Pages from which the key is accepted, such as https://*.example.com; repeatable
    #[arg(long = "allow-referrer", value_name = "ORIGIN", value_parser = referrer)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_referrers: Vec<String>,
}

/// When a key or a token ends.
#[derive(clap::Args, Serialize)]
pub struct Lifetime {
    /// Lifetime from now, such as 30d
    #[arg(
        long,
        value_name = "DURATION",
        conflicts_with = "expires_at",
        allow_hyphen_values = true,
        value_parser = duration
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<String>,
    /// Time of expiry (RFC 3339 or Unix seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc_3339")]
    expires_at: Option<UnixMillis>,
}

fn rfc_3339<S: Serializer>(at: &Option<UnixMillis>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(|at| at.to_string()).serialize(serializer)
}

fn raw_json(text: &str) -> Result<Box<RawValue>, String> {
    serde_json::from_str(text).map_err(|error| unreadable(&error))
}

/// Hints at the option that is repeatable. All else is the service's to check.
fn scope(text: &str) -> Result<String, &'static str> {
    match text.contains(char::is_whitespace) {
        true => Err("a scope contains no spaces: for several scopes, repeat --scope"),
        false => Ok(text.to_owned()),
    }
}

/// The service parses it again, by the same rules.
fn referrer(text: &str) -> Result<String, ReferrerError> {
    ReferrerPattern::parse(text).map(|_| text.to_owned())
}

fn rate_limit(text: &str) -> Result<RateLimit, MalformedRateLimit> {
    RateLimit::parse(text)
}

/// The service parses it again, by the same rules.
fn duration(text: &str) -> Result<String, TimeError> {
    Millis::parse(text).map(|_| text.to_owned())
}
