//! The whole explanation, from the request to what the upstream receives.

use std::process::ExitCode;

use keygate_core::decision::{Mode, Unmatched};
use keygate_core::http::path::readable;
use keygate_core::{Facts, Header, Policy, Reason, Request};

use super::page::Page;
use super::unset::{Unset, is_open};
use super::{outcome, rules, steps};
use crate::edge::{rejected, takes_encoded_slash};
use crate::environment::unset_here;
use crate::envoy::{Envoy, resolved};
use crate::url::unencoded;

/// What is printed, and how the command ends.
pub struct Explained {
    pub text: String,
    pub exit_code: ExitCode,
}

/// Explains what the policy does with a request. `unset` has the text of the policy.
pub fn explain(
    policy: &Policy,
    unset: Unset<'_>,
    headers: &[Header],
    facts: &Facts<'_>,
    (url, envoy): (&str, &Envoy),
) -> Explained {
    let verdict = policy.decide(headers, facts);
    let mut page = Page::default();
    let mut kept = String::new();
    let mut open = Vec::new();
    match policy.read(headers, &mut kept) {
        Ok(request) => {
            open = body(&mut page, policy, unset, &request, facts);
            if takes_encoded_slash(&request, rejected(&verdict)) {
                for (level, told) in envoy.remarks() {
                    page.line("envoy", 0, &format!("{level}: {told}"));
                }
            }
        }
        Err(reason) => {
            let why = reason.explanation();
            page.line(
                "request",
                0,
                &format!("cannot be read: {}: {why}", reason.code()),
            );
            if reason == Reason::AmbiguousPath {
                let unencoded = unencoded(url).map(|note| ("path", note));
                let cause = unencoded.or_else(|| Some(("envoy", resolved(url)?)));
                if let Some((heading, note)) = cause {
                    page.line(heading, 0, note);
                }
            }
        }
    }
    let exit_code = match !open.is_empty() && is_open(&verdict) {
        true => {
            let told = format!("undecided: {}", unset_here(&open));
            page.line("verdict", 0, &told);
            ExitCode::from(2)
        }
        false => outcome::print(&mut page, &verdict),
    };
    Explained {
        text: page.text(),
        exit_code,
    }
}

/// Prints the rules and the steps. Returns the variables on which the requirement depends.
fn body<'u>(
    page: &mut Page,
    policy: &Policy,
    unset: Unset<'u>,
    request: &Request<'_>,
    facts: &Facts<'_>,
) -> Vec<&'u str> {
    let written = unset.policy;
    let path = readable(request.target.path);
    // Never the query: the value may be a credential.
    let told = format!(
        "{} {path} of {}, at {}",
        request.method, request.authority, facts.now
    );
    page.line("request", 0, &told);
    let spelled = policy.rule_for(request);
    let rules = policy.rules.all();
    let found = rules.iter().position(|rule| rule.matches(request, &path));
    let before = rules.iter().take(found.unwrap_or(rules.len()));
    for (index, rule) in before.enumerate() {
        let why = rules::why_not(rule, &written["rules"][index]["match"], request, &path);
        page.line(
            "rule",
            0,
            &format!("{index} \"{}\" does not match: {why}", rule.name),
        );
    }
    let Some((index, rule)) = found.and_then(|index| Some((index, rules.get(index)?))) else {
        let unmatched = match policy.unmatched {
            Unmatched::Allow => "allow",
            Unmatched::Deny => "deny",
        };
        page.line(
            "rule",
            0,
            &format!("none matches, and unmatched is \"{unmatched}\""),
        );
        if let Err(reason) = spelled {
            rules::spelling(page, policy, request, reason);
        }
        return Vec::new();
    };
    let written = &written["rules"][index];
    let mode = written["mode"].as_str().unwrap_or("block");
    page.line(
        "rule",
        0,
        &format!("{index} \"{}\" matches; mode {mode}", rule.name),
    );
    if let Some(reason) = rule.rejects_spelling(&request.target).or(spelled.err()) {
        rules::spelling(page, policy, request, reason);
    }
    if matches!(rule.mode, Mode::Off) {
        page.line("require", 0, "nothing is checked in this mode");
        return Vec::new();
    }
    let required = &written["require"];
    steps::requirement(page, &rule.require, (unset, required), request, facts, 0);
    for name in unset.of_rings(&written["challenge"]) {
        let told = format!("{name} is not set in this shell, so no solution is valid");
        page.line("challenge", 0, &told);
    }
    unset.of_requirement(&rule.require, required, request, facts)
}
