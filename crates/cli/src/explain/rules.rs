//! Why a rule is not for a request.

use keygate_core::request::Request;
use keygate_core::rule::Rule;
use serde_json::Value;

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
        why.push("another condition of its match does not hold".to_owned());
    }
    why.join(", ")
}
