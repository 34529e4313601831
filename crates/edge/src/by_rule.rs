//! Decisions by rule, for a policy with `metrics_by_rule`.
//!
//! The name of such a counter depends on the policy. A host looks it up once for each rule and
//! decision, and keeps its id under [`RuleMetric::place`].

use keygate_core::{Outcome, Policy, Verdict};

/// A final decision, as the names of counters say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The request passes.
    Allow,
    /// It is rejected.
    Deny,
    /// It passes, and would be rejected in mode `block`.
    WouldDeny,
    /// It is answered, and that is no rejection.
    Reply,
}

/// A counter to which one is to be added: the decision of one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleMetric {
    /// What was decided.
    pub decision: Decision,
    /// The place of the rule in the policy, from 0; `None` if no rule decided.
    pub rule: Option<usize>,
}

impl Decision {
    /// Every decision, in the order of [`RuleMetric::place`].
    const ALL: [Self; 4] = [Self::Allow, Self::Deny, Self::WouldDeny, Self::Reply];

    /// Returns the decision of a verdict; `None` for a question.
    pub fn of(verdict: &Verdict) -> Option<Self> {
        Some(match verdict {
            Verdict::Ask(_) | Verdict::Redeem(_) => return None,
            Verdict::Deny(_) => Self::Deny,
            Verdict::Reply(_) => Self::Reply,
            Verdict::Allow(grant) => match grant.outcome {
                Outcome::WouldDeny(_) => Self::WouldDeny,
                Outcome::Verified | Outcome::Anonymous | Outcome::Cleared | Outcome::Unchecked => {
                    Self::Allow
                }
            },
        })
    }

    /// Returns its word in names of counters, also in those of [`Metric`](crate::Metric).
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::WouldDeny => "would_deny",
            Self::Reply => "reply",
        }
    }
}

impl RuleMetric {
    /// Returns the counter of a final decision; `None` for a question.
    pub fn of(verdict: &Verdict) -> Option<Self> {
        Some(Self {
            decision: Decision::of(verdict)?,
            rule: verdict.rule(),
        })
    }

    /// Returns the number of counters of a policy.
    pub fn places(policy: &Policy) -> usize {
        let rules = policy.rules.all().len().saturating_add(1);
        rules.saturating_mul(Decision::ALL.len())
    }

    /// Returns its place among the counters of its policy, from 0.
    pub fn place(self) -> usize {
        let rule = self.rule.map_or(0, |rule| rule.saturating_add(1));
        let first = rule.saturating_mul(Decision::ALL.len());
        first.saturating_add(self.decision as usize)
    }

    /// Returns its name: `keygate_rule_decision.<decision>.<rule>`.
    pub fn name(self, policy: &Policy) -> String {
        let rule = self.rule.and_then(|rule| policy.rules.all().get(rule));
        self.named(rule.map_or("(none)", |rule| &rule.name))
    }

    /// Returns the name of the counter that replaces it in a host with too many. No rule has this
    /// name, since names of rules contain no parentheses.
    pub fn name_of_others(self) -> String {
        self.named("(other)")
    }

    fn named(self, rule: &str) -> String {
        ["keygate_rule_decision.", self.decision.word(), ".", rule].concat()
    }
}
