//! What `sign`, `verify` and `explain` have in common: URLs, times, and a request.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use keygate_core::http::path::as_envoy_sends;
use keygate_core::keys::NothingKnown;
use keygate_core::signed_url::{Checks, Covers, Format, LinkFacts};
use keygate_core::{Client, Facts, Header, NoClaims, Reason, Request, UnixMillis};

use crate::edge::{self, Decided};
use crate::error::CliError;
use crate::policy_file::PolicyFile;
use crate::provider::encoding::steps;
use crate::provider::{Links, mentions};

/// A URL in two: what comes before the path, and the target, which is what is signed.
pub fn split_url(url: &str) -> Result<(&str, &str), CliError> {
    if url.contains(|it: char| it.is_ascii_whitespace() || it.is_ascii_control()) {
        return Err(CliError::Usage(
            "the URL contains a space or a control character: percent-encode it, a space as %20"
                .to_owned(),
        ));
    }
    let at = match url.split_once("://") {
        Some((scheme, rest)) if !url.starts_with('/') => {
            if !["http", "https"]
                .iter()
                .any(|it| scheme.eq_ignore_ascii_case(it))
            {
                return Err(CliError::Usage(
                    "the URL must start with http:// or https://".to_owned(),
                ));
            }
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
            "the URL must start with http:// or https://, or be a path that starts with /"
                .to_owned(),
        ))
    }
}

/// What a URL contains that a client would have percent-encoded. The path may hold a credential,
/// so it is not repeated.
pub fn unencoded(url: &str) -> Option<&'static str> {
    let (_, target) = split_url(url).ok()?;
    (!target.is_ascii()).then_some(
        "the path contains characters that must be percent-encoded: percent-encode each segment, \
         such as \u{e4} as %C3%A4",
    )
}

/// Rejects what no client sends as the host of a URL. It may hold a password, so only a port is
/// repeated.
pub fn check_origin(origin: &str) -> Result<(), CliError> {
    let wrong = |message: String| Err(CliError::Usage(message));
    let Some((_, authority)) = origin.split_once("://") else {
        return Ok(());
    };
    if authority.contains('@') {
        return wrong("the URL contains a user name or a password: remove user:password@".into());
    }
    // Colons inside the brackets are those of IPv6.
    let after = authority.rsplit(']').next().unwrap_or_default();
    match after.split_once(':') {
        Some((_, port)) if port.parse::<u16>().is_err() => {
            wrong(format!("the port {port} is not valid"))
        }
        _ => Ok(()),
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

/// Parses the value of every option that is a time: RFC 3339 or Unix seconds.
pub fn parse_time(text: &str) -> Result<UnixMillis, String> {
    let Ok(seconds) = text.parse() else {
        return UnixMillis::parse(text).map_err(|error| format!("{error}, or Unix seconds"));
    };
    let at = UnixMillis::from_secs(seconds);
    // RFC 3339 has no later year, and would print this as another time.
    match at <= UnixMillis::LAST {
        true => Ok(at),
        false => Err("must be before the year 10000".to_owned()),
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

/// What is known of a request that was checked.
pub struct Checked {
    /// What each provider says of its link. If the filter lets the request pass and one of them
    /// accepts it, that one alone.
    pub links: Vec<CheckedLink>,
    /// What the filter does with the request, where the providers are of a policy.
    pub decided: Option<Decided>,
}

impl Checked {
    /// Why no provider accepts the link, if none does.
    pub fn invalid(&self) -> Option<Reason> {
        let mut reasons = self.links.iter().map(|it| it.told.as_ref().err().copied());
        let first = reasons.next().flatten()?;
        reasons.all(|it| it.is_some()).then_some(first)
    }
}

/// What one provider says.
pub struct CheckedLink {
    /// The name of the provider, where the policy has several of signed URLs.
    pub provider: Option<String>,
    /// What the link says, or why it is rejected, by this provider alone.
    pub told: Result<Holds, Reason>,
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
    let facts = Facts {
        checks: Checks::default(),
        client: Client::Known(client),
        keys: &NothingKnown,
        claims: &NoClaims,
        now,
    };
    let whole = links.whole.as_ref().and_then(|it| it.as_ref().ok());
    let decided = whole.map(|it| edge::decide(&it.policy, headers, &facts));
    let mut kept = String::new();
    let mut checked = Vec::new();
    for provider in &links.providers {
        let policy = whole.map_or(&provider.policy, |it| &it.policy);
        let format = provider.signed_url()?.format.as_ref();
        let (told, steps) = match policy.read(headers, &mut kept) {
            Err(reason) => (Err(reason), Vec::new()),
            Ok(request) => (
                holds(format, &request, &facts.of_link()),
                steps(format, &provider.others, &request, &facts.of_link()),
            ),
        };
        checked.push(CheckedLink {
            provider: provider.name.clone(),
            told,
            steps,
        });
    }
    if let (Some(file), true) = (whole, checked.len() > 1) {
        keep_of_rule(&mut checked, file, headers);
        let passes = decided.as_ref().is_some_and(|it| it.rejected.is_none());
        keep_telling(&mut checked, passes);
    }
    Ok(Checked {
        links: checked,
        decided,
    })
}

/// Keeps what the rule of the request names, if it names a provider of signed URLs.
fn keep_of_rule(links: &mut Vec<CheckedLink>, file: &PolicyFile, headers: &[Header]) {
    let mut kept = String::new();
    let request = file.policy.read(headers, &mut kept).ok();
    let Some(rule) = request.and_then(|it| file.policy.rule_for(&it).ok().flatten()) else {
        return;
    };
    let written = file.written["rules"].as_array().into_iter().flatten();
    let required: Vec<_> = written
        .filter(|it| it["name"] == rule.name.as_str())
        .map(|it| &it["require"])
        .collect();
    let is_named = |it: &CheckedLink| {
        let name = it.provider.as_deref().unwrap_or_default();
        required.iter().any(|require| mentions(require, name))
    };
    if links.iter().any(is_named) {
        links.retain(is_named);
    }
}

/// Keeps the link that let the request pass, or what may explain why none did.
fn keep_telling(links: &mut Vec<CheckedLink>, passes: bool) {
    let is_absent = |it: &CheckedLink| matches!(it.told, Err(Reason::MissingCredential));
    if passes && let Some(at) = links.iter().position(|it| it.told.is_ok()) {
        links.swap(0, at);
        links.truncate(1);
    } else if links.iter().all(is_absent) {
        links.truncate(1);
    } else {
        links.retain(|it| !is_absent(it));
    }
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
