//! What the filter does with the request of a link: the whole policy decides, as in Envoy, not
//! the provider alone.

use keygate_core::decision::Mode;
use keygate_core::http::path::readable;
use keygate_core::{Facts, Header, Outcome, Policy, Reason, Request, Verdict};

/// The filter's answer to a request.
pub struct Decided {
    /// Why the filter rejects the request, if it does.
    pub rejected: Option<Reason>,
    /// Whether the filter accepts `%2F` in the path, which Envoy may reject before the filter.
    pub takes_encoded_slash: bool,
    /// What the filter does, and by which rule, in one line.
    pub told: String,
}

/// Decides a request.
pub fn decide(policy: &Policy, headers: &[Header], facts: &Facts<'_>) -> Decided {
    let mut kept = String::new();
    let request = policy.read(headers, &mut kept).ok();
    let rule = request.as_ref().map(|it| place(policy, it));
    let rule = rule.unwrap_or_else(|| "the request is rejected before any rule".to_owned());
    let verdict = policy.decide(headers, facts);
    let rejected = rejected(&verdict);
    Decided {
        rejected,
        takes_encoded_slash: request.is_some_and(|it| takes_encoded_slash(&it, rejected)),
        told: format!("{rule}: {}", done(&verdict)),
    }
}

/// Why a verdict rejects the request, if it does.
pub fn rejected(verdict: &Verdict) -> Option<Reason> {
    match verdict {
        Verdict::Deny(denial) => Some(denial.reason),
        Verdict::Allow(_) | Verdict::Ask(_) | Verdict::Redeem(_) | Verdict::Reply(_) => None,
    }
}

/// Whether the path contains `%2F` and is not rejected for it.
pub fn takes_encoded_slash(request: &Request<'_>, rejected: Option<Reason>) -> bool {
    request.target.has_encoded_slash && rejected != Some(Reason::EncodedSlash)
}

/// The rule that the request meets.
fn place(policy: &Policy, request: &Request<'_>) -> String {
    let path = readable(request.target.path);
    let (method, host) = (request.method, &request.authority);
    match policy.rule_for(request) {
        Err(Reason::AmbiguousPath) => {
            format!("{path} has readings that match different rules (see keygate explain)")
        }
        Ok(Some(rule)) => {
            let mode = match rule.mode {
                Mode::Block => "",
                Mode::Challenge(_) => " (mode challenge)",
                Mode::Simulate => " (mode simulate)",
                Mode::Off => " (mode off)",
            };
            format!("rule \"{}\"{mode}", rule.name)
        }
        Ok(None) | Err(_) => format!("no rule matches {method} {path} of {host}"),
    }
}

fn done(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Allow(grant) => match grant.outcome {
            Outcome::Verified => "the request passes".to_owned(),
            Outcome::Cleared => "the request passes, by a solved challenge".to_owned(),
            Outcome::Anonymous => "the request passes, and no credential is checked".to_owned(),
            Outcome::Unchecked => {
                "the request passes unchecked during an outage of the key service".to_owned()
            }
            Outcome::WouldDeny(reason) => {
                let reason = reason.code();
                format!("the request passes: the rule does not enforce {reason}")
            }
        },
        Verdict::Ask(_) => "the filter would ask the key service about the API key".to_owned(),
        Verdict::Redeem(_) => {
            "the link works once; the filter would ask the key service whether it was used"
                .to_owned()
        }
        Verdict::Reply(reply) => format!("answered with {} {}", reply.status, reply.code),
        Verdict::Deny(denial) => {
            format!("rejected with {} {}", denial.status, denial.reason.code())
        }
    }
}
