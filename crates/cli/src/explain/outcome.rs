//! The verdict: what the client receives, or the upstream.

use std::process::ExitCode;

use keygate_core::{Edit, Outcome, Verdict};

use super::page::Page;

/// Prints the verdict, and gives the exit code for it.
pub fn print(page: &mut Page, verdict: &Verdict) -> ExitCode {
    match verdict {
        Verdict::Allow(grant) => {
            let why = match grant.outcome {
                Outcome::Verified => "allow: verified".to_owned(),
                Outcome::Cleared => "allow: cleared by a challenge".to_owned(),
                Outcome::Unchecked => {
                    "allow: the key is genuine; it is unknown whether it was revoked".to_owned()
                }
                Outcome::Anonymous => "allow: no credential is required".to_owned(),
                Outcome::WouldDeny(reason) => format!(
                    "allow: only simulated; it would be rejected for {}",
                    reason.code()
                ),
            };
            page.line("verdict", 0, &why);
            if grant.edits.is_empty() {
                page.line("upstream", 0, "receives the request as it is");
            }
            for edit in &grant.edits {
                page.line("upstream", 0, &told(edit));
            }
            ExitCode::SUCCESS
        }
        Verdict::Ask(_) => {
            page.line(
                "verdict",
                0,
                "undecided: the filter would ask the key service",
            );
            ExitCode::from(3)
        }
        Verdict::Redeem(_) => {
            let told = "undecided: the link works once; the filter would ask the key service \
                        whether it was used";
            page.line("verdict", 0, told);
            ExitCode::from(3)
        }
        Verdict::Reply(reply) => {
            let told = format!("answered: {} {}", reply.status, reply.code);
            page.line("verdict", 0, &told);
            ExitCode::from(1)
        }
        Verdict::Deny(denial) => {
            let told = format!(
                "deny: {} {}; the client reads \"{}\"",
                denial.status,
                denial.reason.code(),
                denial.reason.public().code()
            );
            page.line("verdict", 0, &told);
            page.line("details", 0, &denial.details);
            ExitCode::from(1)
        }
    }
}

fn told(edit: &Edit) -> String {
    match edit {
        Edit::Remove(name) => format!("without {name}"),
        Edit::Set(name, target) if name == ":path" => {
            format!(
                "{name}: {}",
                without_values(&String::from_utf8_lossy(target))
            )
        }
        Edit::SetSecret(name, _) => format!("{name}: (sealed with the key)"),
        // Other cookies are credentials too, and so is a token in three parts (RFC 7519).
        Edit::Set(name, _) if name == "cookie" => "cookie: without the credential".to_owned(),
        Edit::Set(name, value) | Edit::Add(name, value) => {
            let value = String::from_utf8_lossy(value);
            let is_token = value.starts_with("eyJ") && value.matches('.').count() == 2;
            let value = if is_token { "(a signed token)" } else { &value };
            format!("{name}: {value}")
        }
    }
}

/// The names in a query without their values: each value may be a credential.
fn without_values(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else {
        return target.to_owned();
    };
    let named = |it: &str| match it.split_once('=') {
        Some((name, _)) => format!("{name}=…"),
        None => it.to_owned(),
    };
    let query: Vec<String> = query.split('&').map(named).collect();
    format!("{path}?{}", query.join("&"))
}
