//! One rule: whom it is for, what it requires, and what happens without.

use std::rc::Rc;

use crate::answer::{Challenge, Refusal, Scheme, Template, Voice};
use crate::glob::{HostPattern, PathGlob};
use crate::grant::{Grant, Outcome, Strip};
use crate::identity::{Identity, IdentityHeaders};
use crate::policy::{Facts, Verdict};
use crate::provider::{Evidence, Finding, Provider};
use crate::reason::Reason;
use crate::referrer::{self, ReferrerPattern};
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
    /// From which pages a request may come; empty means from any, and from none.
    pub allowed_referrers: Vec<ReferrerPattern>,
    /// What a request must bring.
    pub require: Requirement,
    /// How strictly.
    pub mode: Mode,
    /// Whether a CORS preflight passes without a credential: a browser sends none with it.
    pub allow_preflight: bool,
    /// The body of a refusal; without it the client's preference decides.
    pub deny: Option<Rc<Template>>,
    /// What a 401 asks for.
    pub challenge: Challenge,
    /// Parameters of the query that hold its credentials: no answer repeats them.
    pub secret_parameters: Vec<String>,
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
    /// Whether the rule is for this request, whose path in canonical form is `path`. A
    /// preflight that it allows is for the method that is asked for.
    pub fn matches(&self, request: &Request<'_>, path: &str) -> bool {
        let method = self.preflight(request).unwrap_or(request.method);
        self.path.matches(path)
            && (self.methods.is_empty() || self.methods.iter().any(|it| it == method))
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
        if self.preflight(request).is_some() && self.can_read(request) {
            let strips = self.secret_parameters.iter().cloned().map(Strip::Parameter);
            return allow(Outcome::Anonymous, &strips.collect::<Vec<_>>(), None);
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
                Verdict::Deny(refusal.answer(request.headers, &self.voice()))
            }
        }
    }

    /// The method that an allowed preflight asks for.
    fn preflight<'a>(&self, request: &Request<'a>) -> Option<&'a str> {
        self.allow_preflight.then(|| request.preflight())?
    }

    fn can_read(&self, request: &Request<'_>) -> bool {
        self.allow_encoded_slash || !request.target.has_encoded_slash
    }

    fn voice(&self) -> Voice<'_> {
        Voice {
            rule: &self.name,
            template: self.deny.as_deref(),
            challenge: Some(&self.challenge),
            secret_parameters: &self.secret_parameters,
        }
    }

    /// Whether the request brings what the rule requires.
    fn judge(&self, request: &Request<'_>, facts: &Facts<'_>) -> Finding {
        if !self.can_read(request) {
            return Finding::Refused(Refusal {
                reason: Reason::EncodedSlash,
                scheme: Scheme::None,
            });
        }
        if !self.allowed_referrers.is_empty()
            && let Err(reason) = referrer::check(&self.allowed_referrers, request)
        {
            return Finding::Refused(Refusal {
                reason,
                scheme: Scheme::None,
            });
        }
        self.require.check(request, facts)
    }
}

impl Requirement {
    /// Every provider that it names.
    pub fn providers(&self) -> Vec<&Provider> {
        match self {
            Self::Nothing => Vec::new(),
            Self::One(provider) => vec![provider],
            Self::Any(members) | Self::All(members) => {
                members.iter().flat_map(Self::providers).collect()
            }
        }
    }

    fn check(&self, request: &Request<'_>, facts: &Facts<'_>) -> Finding {
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
