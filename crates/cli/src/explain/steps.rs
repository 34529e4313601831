//! The steps of a requirement: each provider, what was found of it, and what came of that.

use keygate_core::decision::{Conclusion, Finding, Requirement};
use keygate_core::identity::Sessions;
use keygate_core::{Facts, Provider, Request};
use serde_json::Value;

use super::key;
use super::page::Page;
use super::unset::Unset;
use crate::environment::unset_here;
use crate::provider::encoding::{self, OtherEncoding};

/// Explains a requirement. `written` is the same requirement in the text of the policy, for
/// its names, and `policy` is that whole text, with the variables that are not set.
pub fn requirement(
    page: &mut Page,
    requirement: &Requirement,
    (policy, written): (Unset<'_>, &Value),
    request: &Request<'_>,
    facts: &Facts<'_>,
    depth: usize,
) {
    let (word, members) = match requirement {
        Requirement::Nothing => {
            page.line("require", depth, "nothing");
            return;
        }
        Requirement::One(one) => {
            let name = written.as_str().unwrap_or("?");
            provider(page, (policy, name), one, request, facts, depth);
            return;
        }
        Requirement::Any(some) => ("any", some),
        Requirement::All(every) => ("all", every),
    };
    page.line("require", depth, &format!("{word} of"));
    for (index, member) in members.iter().enumerate() {
        let part = (policy, &written[word][index]);
        self::requirement(page, member, part, request, facts, depth + 1);
    }
    let open = policy.of_requirement(requirement, written, request, facts);
    let told = match open.is_empty() {
        true => finding(&requirement.check(request, facts)),
        false => format!("depends on {}", open.join(" and ")),
    };
    page.line("", depth, &format!("{word}: {told}"));
}

fn provider(
    page: &mut Page,
    (unset, name): (Unset<'_>, &str),
    provider: &Provider,
    request: &Request<'_>,
    facts: &Facts<'_>,
    depth: usize,
) {
    page.line("require", depth, &format!("provider \"{name}\""));
    let found = provider.check(request, facts);
    let variables = unset.of_provider(name, &found);
    if !variables.is_empty() {
        let told = format!("not checked: {}", unset_here(&variables));
        page.line("", depth + 1, &told);
        return;
    }
    let policy = unset.policy;
    let steps = match provider {
        Provider::SignedUrl(links) => {
            let others = OtherEncoding::of_provider(policy, name);
            encoding::steps(links.format.as_ref(), &others, request, &facts.of_link())
        }
        Provider::AppKey(keys) => {
            let ring = policy["providers"][name]["secrets"].as_str();
            let secrets = &policy["secrets"][ring.unwrap_or_default()];
            key::steps(keys, secrets, request, facts)
        }
        Provider::Session(sessions) => session(sessions, facts),
    };
    for step in steps {
        page.line("", depth + 1, &step);
    }
    page.line("", depth + 1, &finding(&found));
}

/// Which claims are used, and which of them are there.
fn session(sessions: &Sessions, facts: &Facts<'_>) -> Vec<String> {
    let claim = |name: &String| {
        let path = [sessions.filter.as_str(), &sessions.metadata_key, name];
        let is_there = match facts.claims.text(&path) {
            Some(_) => "given",
            None => "not given (see --session)",
        };
        format!("claim \"{name}\": {is_there}")
    };
    let used = [
        Some(&sessions.account_claim),
        sessions.scopes_claim.as_ref(),
    ];
    used.into_iter().flatten().map(claim).collect()
}

fn finding(finding: &Finding<'_>) -> String {
    match &finding.conclusion {
        Conclusion::Met(holder) => match &holder.identity {
            Some(identity) => format!("met, by account \"{}\"", identity.account),
            None => "met".to_owned(),
        },
        Conclusion::Ask(_) => {
            "would ask the key service (see --key-record, --unknown-key)".to_owned()
        }
        Conclusion::Unchecked => {
            "passes unchecked: the key service is unavailable, and \"outage\" is \"allow\""
                .to_owned()
        }
        Conclusion::Rejected(rejection) => {
            let reason = rejection.reason;
            format!("rejected: {}: {}", reason.code(), reason.explanation())
        }
    }
}
