//! The policy and its one verb: decide.

use std::net::IpAddr;
use std::rc::Rc;

use crate::answer::{Denial, Refusal, Scheme, Template};
use crate::app_key::KeyHash;
use crate::glob::{HostPattern, PathGlob};
use crate::grant::{Grant, Outcome};
use crate::path::canonical;
use crate::provider::{Evidence, Finding, Provider};
use crate::reason::Reason;
use crate::record::KeyLookup;
use crate::request::{Header, Request};
use crate::secret::Secret;
use crate::time::{Millis, UnixMillis};

/// A whole configuration, checked.
#[derive(Debug)]
pub struct Policy {
    /// The first that matches decides.
    pub rules: Vec<Rule>,
    /// What holds when none matches.
    pub unmatched: Unmatched,
    /// Whom to ask about keys; present when a provider needs it.
    pub key_service: Option<KeyService>,
}

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

/// What holds when no rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// The request is refused.
    Deny,
    /// The request passes.
    Allow,
}

/// How to reach the key service.
#[derive(Clone, Debug)]
pub struct KeyService {
    /// Name of an Envoy cluster.
    pub cluster: String,
    /// `:authority` of the calls.
    pub authority: String,
    /// The edge token.
    pub token: Secret,
    /// How long a call may take.
    pub timeout: Millis,
    /// How often the change feed is read.
    pub poll: Millis,
    /// How long cached keys count without news from the feed.
    pub lease: Millis,
}

/// What is to be done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes, after edits.
    Allow(Grant),
    /// The key service must be asked about this key first.
    Ask(KeyHash),
    /// It is refused.
    Deny(Denial),
}

impl Policy {
    /// Decides one request. Pure: the same arguments give the same verdict.
    ///
    /// `headers` are all of the request, pseudo-headers among them; `client` is the
    /// address that the proxy trusts to be the client's.
    pub fn decide(
        &self,
        headers: &[Header],
        client: Option<IpAddr>,
        keys: &impl KeyLookup,
        now: UnixMillis,
    ) -> Verdict {
        let refuse = |reason| Refusal {
            reason,
            scheme: Scheme::None,
        };
        let request = match Request::read(headers, client) {
            Ok(request) => request,
            Err(reason) => return Verdict::Deny(refuse(reason).answer(headers, None, "-")),
        };
        let path = canonical(request.target.path);
        let rule = self.rules.iter().find(|rule| rule.matches(&request, &path));
        match (rule, self.unmatched) {
            (Some(rule), _) => rule.decide(&request, keys, now),
            (None, Unmatched::Allow) => pass(&request),
            (None, Unmatched::Deny) => {
                Verdict::Deny(refuse(Reason::NoRule).answer(headers, None, "-"))
            }
        }
    }
}

impl Rule {
    /// Whether the rule is for this request, whose path in canonical form is `path`.
    fn matches(&self, request: &Request<'_>, path: &str) -> bool {
        self.path.matches(path)
            && (self.methods.is_empty() || self.methods.iter().any(|it| it == request.method))
            && (self.hosts.is_empty() || self.hosts.iter().any(|it| it.matches(request.authority)))
    }

    fn decide(&self, request: &Request<'_>, keys: &impl KeyLookup, now: UnixMillis) -> Verdict {
        if self.mode == Mode::Off {
            return pass(request);
        }
        let finding = if request.target.has_encoded_slash && !self.allow_encoded_slash {
            Finding::Refused(Refusal {
                reason: Reason::EncodedSlash,
                scheme: Scheme::None,
            })
        } else {
            self.require.check(request, keys, now)
        };
        match finding {
            Finding::Met(Evidence { strips, identity }) => {
                let outcome = match self.require {
                    Requirement::Nothing => Outcome::Anonymous,
                    Requirement::One(_) | Requirement::Any(_) | Requirement::All(_) => {
                        Outcome::Verified
                    }
                };
                Verdict::Allow(Grant::new(request, outcome, &strips, identity.as_ref()))
            }
            Finding::Ask(hash) => Verdict::Ask(hash),
            Finding::Refused(refusal) if self.mode == Mode::Simulate => {
                let outcome = Outcome::WouldDeny(refusal.reason);
                Verdict::Allow(Grant::new(request, outcome, &[], None))
            }
            Finding::Refused(refusal) => {
                let template = self.deny.as_deref();
                Verdict::Deny(refusal.answer(request.headers, template, &self.name))
            }
        }
    }
}

fn pass(request: &Request<'_>) -> Verdict {
    Verdict::Allow(Grant::new(request, Outcome::Anonymous, &[], None))
}

impl Requirement {
    fn check(&self, request: &Request<'_>, keys: &impl KeyLookup, now: UnixMillis) -> Finding {
        match self {
            Self::Nothing => Finding::Met(Evidence::default()),
            Self::One(provider) => provider.check(request, keys, now),
            Self::Any(some) => any(some.iter().map(|it| it.check(request, keys, now))),
            Self::All(every) => all(every.iter().map(|it| it.check(request, keys, now))),
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
