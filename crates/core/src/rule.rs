//! One rule: whom it is for, what it requires, and what happens without.

use std::rc::Rc;

use crate::answer::{Refusal, Scheme, Template};
use crate::glob::{HostPattern, PathGlob};
use crate::grant::{Grant, Outcome, Strip};
use crate::identity::{Identity, IdentityHeaders};
use crate::policy::{Facts, Verdict};
use crate::provider::{Evidence, Finding, Provider};
use crate::reason::Reason;
use crate::request::Request;

/// What a request needs, and what happens without.
#[derive(Debug)]
pub struct Rule {
    /// Its name in logs, metrics and templates.
    pub name: String,
    /// Hosts that it is for; empty means all.
    pub hosts: Vec<HostPattern>,
    /// Paths that it is for.
    pub path: PathGlob,
    /// Methods that it is for; empty means all.
    pub methods: Vec<String>,
    /// Whether `%2F` may stand in the path.
    pub allow_encoded_slash: bool,
    /// What a request must bring.
    pub require: Requirement,
    /// How strictly.
    pub mode: Mode,
    /// The body of a refusal; without it the client's preference decides.
    pub deny: Option<Rc<Template>>,
}

/// What a request must bring.
#[derive(Debug)]
pub enum Requirement {
    /// Nothing at all.
    Nothing,
    /// A credential of this provider.
    One(Rc<Provider>),
    /// One of these.
    Any(Vec<Requirement>),
    /// Each of these.
    All(Vec<Requirement>),
}

/// How strictly a rule is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Who does not meet it is refused.
    Block,
    /// Everybody passes; the upstream learns what would have happened.
    Simulate,
    /// Everybody passes.
    Off,
}

impl Rule {
    /// Whether the rule is for this request, whose path in canonical form is `path`.
    pub fn matches(&self, request: &Request<'_>, path: &str) -> bool {
        self.path.matches(path)
            && (self.methods.is_empty() || self.methods.iter().any(|it| it == request.method))
            && (self.hosts.is_empty() || self.hosts.iter().any(|it| it.matches(request.authority)))
    }

    /// Decides a request that the rule is for.
    pub fn decide(
        &self,
        request: &Request<'_>,
        headers: &IdentityHeaders,
        facts: &Facts<'_>,
    ) -> Verdict {
        let allow = |outcome, strips: &[Strip], identity: Option<&Identity>| {
            Verdict::Allow(Grant::new(request, headers, outcome, strips, identity))
        };
        if self.mode == Mode::Off {
            return allow(Outcome::Anonymous, &[], None);
        }
        match self.judge(request, facts) {
            Finding::Met(Evidence { strips, identity }) => {
                let outcome = match self.require {
                    Requirement::Nothing => Outcome::Anonymous,
                    Requirement::One(_) | Requirement::Any(_) | Requirement::All(_) => {
                        Outcome::Verified
                    }
                };
                allow(outcome, &strips, identity.as_ref())
            }
            Finding::Ask(hash) => Verdict::Ask(hash),
            Finding::Refused(refusal) if self.mode == Mode::Simulate => {
                allow(Outcome::WouldDeny(refusal.reason), &[], None)
            }
            Finding::Refused(refusal) => {
                let template = self.deny.as_deref();
                Verdict::Deny(refusal.answer(request.headers, template, &self.name))
            }
        }
    }

    /// Whether the request brings what the rule requires.
    fn judge(&self, request: &Request<'_>, facts: &Facts<'_>) -> Finding {
        if request.target.has_encoded_slash && !self.allow_encoded_slash {
            return Finding::Refused(Refusal {
                reason: Reason::EncodedSlash,
                scheme: Scheme::None,
            });
        }
        self.require.check(request, facts)
    }
}

impl Requirement {
    /// Whether the request brings what is required.
    pub fn check(&self, request: &Request<'_>, facts: &Facts<'_>) -> Finding {
        match self {
            Self::Nothing => Finding::Met(Evidence::default()),
            Self::One(provider) => provider.check(request, facts),
            Self::Any(some) => any(some.iter().map(|it| it.check(request, facts))),
            Self::All(every) => all(every.iter().map(|it| it.check(request, facts))),
        }
    }
}

/// One that is met is enough. Ambiguity is final; a question comes before a refusal;
/// of refusals, the first that saw a credential tells most.
fn any(findings: impl Iterator<Item = Finding>) -> Finding {
    let mut ask = None;
    let mut refused: Option<Refusal> = None;
    for finding in findings {
        match finding {
            Finding::Met(evidence) => return Finding::Met(evidence),
            Finding::Ask(hash) => ask = ask.or(Some(hash)),
            Finding::Refused(refusal) if refusal.reason == Reason::DuplicateCredential => {
                return Finding::Refused(refusal);
            }
            Finding::Refused(refusal) => {
                let says_more = refusal.reason != Reason::MissingCredential;
                let said_little = refused.is_none_or(|it| it.reason == Reason::MissingCredential);
                if refused.is_none() || (says_more && said_little) {
                    refused = Some(refusal);
                }
            }
        }
    }
    match (ask, refused) {
        (Some(hash), _) => Finding::Ask(hash),
        (None, Some(refusal)) => Finding::Refused(refusal),
        // An empty list is refused by the configuration; here it lets nothing pass.
        (None, None) => Finding::Refused(Refusal {
            reason: Reason::NoRule,
            scheme: Scheme::None,
        }),
    }
}

/// A refusal comes before a question: there is no use in asking.
fn all(findings: impl Iterator<Item = Finding>) -> Finding {
    let mut ask = None;
    let mut evidence = Evidence::default();
    for finding in findings {
        match finding {
            Finding::Met(more) => {
                evidence.strips.extend(more.strips);
                evidence.identity = evidence.identity.or(more.identity);
            }
            Finding::Ask(hash) => ask = ask.or(Some(hash)),
            Finding::Refused(refusal) => return Finding::Refused(refusal),
        }
    }
    ask.map_or(Finding::Met(evidence), Finding::Ask)
}
