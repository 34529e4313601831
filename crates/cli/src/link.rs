//! A request with a link, checked as the filter would check it.

use std::net::IpAddr;

use keygate_core::keys::NothingKnown;
use keygate_core::signed_url::{Checks, Covers, Format, LinkFacts};
use keygate_core::{Client, Facts, Header, NoClaims, Reason, Request, UnixMillis};

use crate::edge::{self, Decided};
use crate::error::CliError;
use crate::policy_file::PolicyFile;
use crate::provider::encoding::steps;
use crate::provider::{Links, mentions};

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
