//! Secrets that are not set in this shell: what depends on one is not decided.

use keygate_core::decision::{Conclusion, Finding, Requirement};
use keygate_core::{Facts, Outcome, PublicReason, Reason, Request, Verdict};
use serde_json::Value;

use crate::provider::mentions;

/// The variables of a policy that are not set, of which each has a stand-in.
#[derive(Clone, Copy)]
pub struct Unset<'a> {
    /// The policy as JSON.
    pub policy: &'a Value,
    /// The names of the variables.
    pub variables: &'a [String],
}

impl<'a> Unset<'a> {
    /// The variables on which the finding of a provider depends: those of its rings, if its
    /// credential is rejected because no secret made it.
    pub fn of_provider(&self, name: &str, finding: &Finding<'_>) -> Vec<&'a str> {
        let Conclusion::Rejected(rejection) = &finding.conclusion else {
            return Vec::new();
        };
        match matches!(rejection.reason, Reason::WrongSignature | Reason::ForgedKey) {
            true => self.of_rings(&self.policy["providers"][name]),
            false => Vec::new(),
        }
    }

    /// The variables in the rings that a part of the policy names.
    pub fn of_rings(&self, part: &Value) -> Vec<&'a str> {
        let rings = self.policy["secrets"].as_object().into_iter().flatten();
        let named = rings.filter(|(name, _)| mentions(part, name));
        let secrets = named.filter_map(|(_, ring)| ring.as_array()).flatten();
        let variables = secrets.filter_map(|secret| secret["env"].as_str());
        let mut unset: Vec<_> = variables
            .filter(|name| self.variables.iter().any(|it| it == name))
            .collect();
        unset.sort_unstable();
        unset.dedup();
        unset
    }

    /// The variables on which the finding of a requirement depends. `written` is the requirement
    /// in the text of the policy.
    pub fn of_requirement(
        &self,
        requirement: &Requirement,
        written: &Value,
        request: &Request<'_>,
        facts: &Facts<'_>,
    ) -> Vec<&'a str> {
        let (word, members) = match requirement {
            Requirement::Nothing => return Vec::new(),
            Requirement::One(provider) => {
                let name = written.as_str().unwrap_or_default();
                return self.of_provider(name, &provider.check(request, facts));
            }
            Requirement::Any(members) => ("any", members),
            Requirement::All(members) => ("all", members),
        };
        let mut unset = Vec::new();
        for (index, member) in members.iter().enumerate() {
            let open = self.of_requirement(member, &written[word][index], request, facts);
            let conclusion = member.check(request, facts).conclusion;
            let settles = match requirement {
                Requirement::All(_) => matches!(conclusion, Conclusion::Rejected(_)),
                _ => matches!(conclusion, Conclusion::Met(_)),
            };
            // No other member changes what this one settles.
            if open.is_empty() && settles {
                return Vec::new();
            }
            unset.extend(open);
        }
        unset.sort_unstable();
        unset.dedup();
        unset
    }
}

/// Whether another secret could change a verdict that rests on an open requirement.
pub fn is_open(verdict: &Verdict) -> bool {
    let rests_on_it = |reason: Reason| {
        reason.public() != PublicReason::AmbiguousRequest && reason != Reason::ReferrerNotAllowed
    };
    match verdict {
        Verdict::Allow(grant) => match grant.outcome {
            Outcome::WouldDeny(reason) => rests_on_it(reason),
            Outcome::Verified | Outcome::Cleared | Outcome::Unchecked | Outcome::Anonymous => false,
        },
        Verdict::Deny(denial) => rests_on_it(denial.reason),
        Verdict::Ask(_) | Verdict::Redeem(_) | Verdict::Reply(_) => true,
    }
}
