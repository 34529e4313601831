//! The whole explanation, from the request to what the upstream receives.

use std::process::ExitCode;

use keygate_core::decision::{Mode, Unmatched};
use keygate_core::http::path::readable;
use keygate_core::{Facts, Header, Policy, Reason, Request};
use serde_json::Value;

use super::{outcome, rules, steps};
use crate::edge::{refused, takes_encoded_slash};
use crate::envoy::{Envoy, resolved};

/// What is printed, and how the command ends.
pub struct Explained {
    pub text: String,
    pub exit_code: ExitCode,
}

/// Lines under headings.
#[derive(Default)]
pub struct Page(String);

impl Page {
    /// A line under this heading; an empty heading continues the last.
    pub fn line(&mut self, heading: &str, depth: usize, text: &str) {
        let indent = "  ".repeat(depth);
        self.0.push_str(&format!("{heading:9} {indent}{text}\n"));
    }
}

/// Explains what the policy does with a request.
pub fn explain(
    policy: &Policy,
    written: &Value,
    headers: &[Header],
    facts: &Facts<'_>,
    (url, envoy): (&str, &Envoy),
) -> Explained {
    let verdict = policy.decide(headers, facts);
    let mut page = Page::default();
    let mut kept = String::new();
    match policy.read(headers, &mut kept) {
        Ok(request) => {
            body(&mut page, policy, written, &request, facts);
            if takes_encoded_slash(&request, refused(&verdict)) {
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
            let resolved = resolved(url).filter(|_| reason == Reason::AmbiguousPath);
            if let Some(note) = resolved {
                page.line("envoy", 0, note);
            }
        }
    }
    let exit_code = outcome::print(&mut page, &verdict);
    Explained {
        text: page.0.trim_end().to_owned(),
        exit_code,
    }
}

fn body(
    page: &mut Page,
    policy: &Policy,
    written: &Value,
    request: &Request<'_>,
    facts: &Facts<'_>,
) {
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
        return;
    };
    let whole = written;
    let written = &written["rules"][index];
    let mode = written["mode"].as_str().unwrap_or("block");
    page.line(
        "rule",
        0,
        &format!("{index} \"{}\" matches; mode {mode}", rule.name),
    );
    if let Some(reason) = rule.refuses_spelling(&request.target).or(spelled.err()) {
        rules::spelling(page, policy, request, reason);
    }
    if matches!(rule.mode, Mode::Off) {
        page.line("require", 0, "nothing is checked in this mode");
        return;
    }
    let required = (whole, &written["require"]);
    steps::requirement(page, &rule.require, required, request, facts, 0);
}
