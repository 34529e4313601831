//! Why a rule is not for a request, and which rules the readings of its path
//! meet.

use keygate_core::decision::Rule;
use keygate_core::http::path::readings;
use keygate_core::{Policy, Reason, Request};
use serde_json::Value;

use super::page::Page;

/// Says why the spelling of the path is rejected; where readings meet different rules, which.
pub fn spelling(page: &mut Page, policy: &Policy, request: &Request<'_>, reason: Reason) {
    page.line("path", 0, reason.explanation());
    if reason != Reason::AmbiguousPath {
        return;
    }
    for reading in readings(request.target.path) {
        let rule = policy.rules.find(request, &reading);
        let rule = rule.map_or("no rule".to_owned(), |rule| {
            format!("rule \"{}\"", rule.name)
        });
        page.line(
            "",
            0,
            &format!("a server may read {reading}, which matches {rule}"),
        );
    }
}

/// The conditions that do not hold, as they are written.
pub fn why_not(rule: &Rule, written: &Value, request: &Request<'_>, path: &str) -> String {
    let mut why = Vec::new();
    if !rule.path.matches(path) {
        why.push(format!("path is {}", written["path"]));
    }
    if !rule.methods.is_empty() && !rule.methods.iter().any(|it| it == request.method) {
        why.push(format!("methods are {}", written["methods"]));
    }
    if !rule.hosts.is_empty() && !rule.hosts.iter().any(|it| it.matches(request.authority)) {
        why.push(format!("hosts are {}", written["hosts"]));
    }
    if !rule.headers.iter().all(|it| it.matches(request)) {
        why.push(format!("headers are {}", written["headers"]));
    }
    if why.is_empty() {
        why.push("another condition of its match is not met".to_owned());
    }
    why.join(", ")
}
