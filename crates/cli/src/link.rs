//! What `sign`, `verify` and `explain` have in common: URLs, times, and a request.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use keygate_core::http::path::as_envoy_sends;
use keygate_core::keys::NothingKnown;
use keygate_core::signed_url::{Checks, Covers, Format, LinkFacts};
use keygate_core::{Client, Facts, Header, NoClaims, Reason, Request, UnixMillis};

use crate::edge::{self, Decided};
use crate::error::CliError;
use crate::provider::Links;

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
        .ok_or_else(|| CliError::Usage("the clock of this machine is before 1970".to_owned()))
}

/// An address of a client.
pub fn parse_address(text: &str) -> Result<IpAddr, String> {
    let address = text.parse();
    address.map_err(|_| "must be an IP address, such as 192.0.2.7 or 2001:db8::7".to_owned())
}

/// Unix seconds, or RFC 3339.
pub fn parse_time(text: &str) -> Result<UnixMillis, String> {
    match text.parse() {
        Ok(seconds) => Ok(UnixMillis::from_secs(seconds)),
        Err(_) => UnixMillis::parse(text).map_err(|error| format!("{error}, or unix seconds")),
    }
}

/// The pseudo-headers of a request as the filter sees them: Envoy has normalised the path.
/// The scheme is HTTPS unless the URL says otherwise.
pub fn headers(method: &str, url: &str, host: &str) -> Result<Vec<Header>, CliError> {
    let (origin, target) = split_url(url)?;
    let (scheme, host) = origin.split_once("://").unwrap_or(("https", host));
    let pseudo = [
        (":method", method),
        (":scheme", scheme),
        (":authority", host),
        (":path", &as_envoy_sends(target)),
    ];
    Ok(pseudo
        .map(|(name, value)| (name.into(), value.into()))
        .into())
}

/// What is known of a link that was checked.
pub struct Checked {
    /// What it says, or why it is refused, by its provider alone.
    pub told: Result<Holds, Reason>,
    /// What the filter does with the request, where the provider is of a policy.
    pub decided: Option<Decided>,
    /// The steps of its format.
    pub steps: Vec<String>,
}

/// A link that holds.
pub struct Holds {
    /// The first instant at which it holds no more.
    pub until: Option<UnixMillis>,
    /// The prefix that it opens.
    pub prefix: Option<String>,
    /// Whose it is.
    pub account: Option<String>,
}

/// Checks a request as the filter would.
pub fn check(
    links: &Links,
    headers: &[Header],
    client: Option<IpAddr>,
    now: UnixMillis,
) -> Result<Checked, CliError> {
    let format = links.format()?;
    let facts = Facts {
        checks: Checks::default(),
        client: Client::Known(client),
        keys: &NothingKnown,
        claims: &NoClaims,
        now,
    };
    let whole = links.whole.as_ref().and_then(|it| it.as_ref().ok());
    let policy = whole.map_or(&links.policy, |it| &it.policy);
    let decided = whole.map(|it| edge::decide(&it.policy, headers, &facts));
    let mut kept = String::new();
    let (told, steps) = match policy.read(headers, &mut kept) {
        Err(reason) => (Err(reason), Vec::new()),
        Ok(request) => (
            holds(format, &request, &facts.of_link()),
            format.explain(&request, &facts.of_link()),
        ),
    };
    Ok(Checked {
        told,
        decided,
        steps,
    })
}

fn holds(
    format: &dyn Format,
    request: &Request<'_>,
    facts: &LinkFacts<'_>,
) -> Result<Holds, Reason> {
    let link = format.verify(request, facts)?;
    Ok(Holds {
        until: link.expires,
        prefix: match link.covers {
            Covers::Prefix(prefix) => Some(prefix.to_owned()),
            Covers::Path => None,
        },
        account: link.identity.map(|it| it.account),
    })
}
