//! Requests that slip past the edge of a rule: to a path below it, with another method, or in
//! another reading of the path.

use super::{Level, Remark, warning};
use crate::decision::policy::{Policy, Unmatched};
use crate::decision::requirement::Requirement;
use crate::decision::rule::{Mode, Rule};
use crate::http::glob::PathGlob;

pub(super) fn remarks(policy: &Policy, remarks: &mut Vec<Remark>) {
    let rules = policy.rules.all();
    for (index, rule) in rules.iter().enumerate() {
        let path = format!("rules[{index}]");
        if !rule.path.is_open() && rule.allow_encoded_slash {
            let message = "a server that decodes %2F sees one more segment, which this path does \
                           not match, so most such requests are rejected: end it with /**";
            remarks.push(warning(&format!("{path}.match.path"), message));
        }
        if is_unchecked(rule) {
            continue;
        }
        if !rule.path.is_open()
            && let Some(open) = meets(policy, &rule.path.below(), &[])
        {
            let open = match open {
                Open::Rule(rule) => rule,
                Open::Unmatched => "\"unmatched\": \"allow\"".to_owned(),
            };
            let message = format!(
                "protects only this path: requests with a trailing slash, or below this path, \
                 match {open}, which checks nothing. End it with /** to protect them too"
            );
            remarks.push(warning(&format!("{path}.match.path"), &message));
        }
        // That `unmatched` allows other methods is covered by the remark on `unmatched`.
        if !rule.methods.is_empty()
            && let Some(Open::Rule(open)) = meets(policy, &rule.path, &rule.methods)
        {
            let message = format!(
                "requests with other methods match {open}, which checks nothing: add a rule for \
                 them"
            );
            remarks.push(warning(&format!("{path}.match.methods"), &message));
        }
    }
    remarks.extend(rules.iter().enumerate().find_map(method_in_form));
}

/// What checks nothing of the requests for these paths with methods other than these; `None`
/// when a rule checks them, or rejects them.
fn meets(policy: &Policy, path: &PathGlob, methods: &[String]) -> Option<Open> {
    // A rule that is for some hosts or headers only leaves the others to the next.
    let is_for_all =
        |rule: &&Rule| rule.path.covers(path) && rule.hosts.is_empty() && rule.headers.is_empty();
    let mut left: Vec<&str> = OTHERS.to_vec();
    left.retain(|it| !methods.iter().any(|method| method == it));
    for (index, rule) in policy.rules.all().iter().enumerate() {
        if !is_for_all(&rule) {
            continue;
        }
        let is_for =
            |it: &&str| rule.methods.is_empty() || rule.methods.iter().any(|own| own == it);
        if is_unchecked(rule) && left.iter().any(is_for) {
            return Some(Open::Rule(format!("rules[{index}] (\"{}\")", rule.name)));
        }
        left.retain(|it| !is_for(it));
    }
    let is_open = !left.is_empty() && policy.unmatched == Unmatched::Allow;
    is_open.then_some(Open::Unmatched)
}

/// What lets a request pass unchecked.
enum Open {
    /// A rule, by its place and name.
    Rule(String),
    /// The absence of one.
    Unmatched,
}

/// Methods that change something, and those that a browser sends.
const OTHERS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

fn is_unchecked(rule: &Rule) -> bool {
    matches!(rule.require, Requirement::Nothing) || matches!(rule.mode, Mode::Off)
}

/// Frameworks act on `_method` of a POST alone.
fn method_in_form((index, rule): (usize, &Rule)) -> Option<Remark> {
    let names = |methods: &[String], wanted: &str| methods.iter().any(|it| it == wanted);
    let divides = |methods: &[String]| {
        names(methods, "POST")
            && !["PUT", "PATCH", "DELETE"]
                .iter()
                .all(|it| names(methods, it))
    };
    let field = match () {
        () if divides(&rule.methods) => "match.methods",
        () if rule.scopes.iter().any(|it| divides(&it.methods)) => "scopes",
        () => return None,
    };
    Some(Remark {
        path: format!("rules[{index}].{field}"),
        message: "matches POST but not PUT, PATCH or DELETE: an application that reads _method \
                  from a form or a query treats a POST as one of them, which Keygate cannot see. \
                  Turn this off in the application"
            .to_owned(),
        level: Level::Note,
    })
}
