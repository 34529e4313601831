//! The policy and its one verb: decide.

#[cfg(feature = "tools")]
use std::borrow::Cow;
use std::rc::Rc;

use crate::answer::{Page, Rejection, Scheme, Voice};
use crate::decision::carriers::Carriers;
use crate::decision::facts::{Exceeded, Facts};
use crate::decision::grant::{Grant, Outcome};
use crate::decision::index::Rules;
use crate::decision::problem::Problem;
use crate::decision::rule::Rule;
use crate::decision::verdict::Redemption;
use crate::decision::verdict::Verdict;
use crate::http::edit::Edit;
use crate::http::header_name::reads_as;
use crate::http::path::{Target, readable, readings};
use crate::http::path_token::PathToken;
use crate::http::request::{Header, Request};
use crate::identity::assertion::Issuer;
use crate::identity::{Field, IdentityHeaders, RateLimit};
use crate::keys::failure_limit::FailureLimit;
use crate::keys::service::KeyService;
use crate::reason::Reason;
use crate::time::UnixMillis;

/// A whole configuration, checked.
#[derive(Debug)]
pub struct Policy {
    /// The first that matches decides.
    pub rules: Rules,
    /// What holds when none matches.
    pub unmatched: Unmatched,
    /// Whom to ask about keys; present when a provider needs it.
    pub key_service: Option<KeyService>,
    /// Whether `%2F` may be in the path of a request that no rule matches.
    pub allow_encoded_slash: bool,
    /// Whether parameters behind `;` may be in the path of a request that no rule matches.
    pub allow_path_parameters: bool,
    /// How the upstream learns who calls.
    pub identity: IdentityHeaders,
    /// Names of path segments, and with `;` in front of their parameters, that carry
    /// tokens: see [`PathToken`](crate::http::PathToken).
    pub path_tokens: Rc<[String]>,
    /// The carriers of credentials: none passes on, whichever rule a request matched.
    pub carriers: Carriers,
    /// The sealed headers that a rule adds.
    pub sealed_headers: Vec<String>,
    /// The standard page of a rejection.
    pub page: Rc<Page>,
    /// Who vouches for it, towards an upstream that must not trust headers.
    pub assertion: Option<Issuer>,
    /// Whether decisions are counted for each rule, too.
    pub metrics_by_rule: bool,
    /// How many requests an account may send, whichever credentials it uses.
    pub account_rate_limit: Option<RateLimit>,
    /// What the configuration says and hardly means, to be logged once. No message holds a
    /// secret.
    pub warnings: Vec<Problem>,
    /// What the formats of links remark on their configuration: the path of the field, and what.
    #[cfg(feature = "tools")]
    pub link_remarks: Vec<(String, Cow<'static, str>)>,
    /// How many public-key signatures may turn out wrong at a worker.
    pub signature_limit: FailureLimit,
}

/// What holds when no rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// The request is rejected.
    Deny,
    /// The request passes.
    Allow,
}

impl Policy {
    /// Decides one request. Pure: the same arguments give the same verdict.
    ///
    /// `headers` are all of the request, pseudo-headers among them.
    pub fn decide(&self, headers: &[Header], facts: &Facts<'_>) -> Verdict {
        self.decide_within(headers, facts, None)
    }

    /// Decides a request whose caller has exceeded a limit: a credential that holds is rejected.
    pub fn decide_beyond(&self, headers: &[Header], facts: &Facts<'_>, by: Exceeded) -> Verdict {
        self.decide_within(headers, facts, Some(by))
    }

    fn decide_within(
        &self,
        headers: &[Header],
        facts: &Facts<'_>,
        exceeded: Option<Exceeded>,
    ) -> Verdict {
        let reject = |reason| {
            let scheme = Scheme::None;
            let voice = Voice {
                page: Some(&self.page),
                path_tokens: &self.path_tokens,
                secret_parameters: &self.carriers.parameters,
                ..Voice::default()
            };
            Verdict::Deny(Rejection { reason, scheme }.answer(headers, &voice))
        };
        let mut kept = String::new();
        let request = match self.read(headers, &mut kept) {
            Ok(request) => request,
            Err(reason) => return reject(reason),
        };
        let rule = match self.rule_for(&request) {
            Ok(rule) => rule,
            Err(reason) => return reject(reason),
        };
        match (rule, self.unmatched) {
            (Some(rule), _) => {
                let mut verdict =
                    rule.decide(&request, &self.identity, &self.carriers, facts, exceeded);
                if let Some(issuer) = &self.assertion {
                    verdict = self.vouch(issuer, verdict, &request, rule, facts.now);
                }
                verdict.set_rule(rule.place);
                verdict
            }
            (None, Unmatched::Allow) => {
                let outcome = Outcome::Anonymous;
                let mut strips = Vec::new();
                self.carriers.strip(&[], &request, facts, &mut strips);
                Verdict::Allow(Grant::new(&request, &self.identity, outcome, &strips, None))
            }
            (None, Unmatched::Deny) => reject(Reason::NoRule),
        }
    }

    /// The first rule for a request, if there is one.
    ///
    /// # Errors
    /// [`Reason::AmbiguousPath`] where two readings of the path meet different rules: the server
    /// behind may choose the other. Without a rule also [`Reason::EncodedSlash`] and
    /// [`Reason::PathParameter`].
    #[inline]
    pub fn rule_for(&self, request: &Request<'_>) -> Result<Option<&Rule>, Reason> {
        let rule = self.rules.find(request, &readable(request.target.path));
        let target = &request.target;
        match target.has_encoded_slash || target.has_parameters {
            true => self.agreed(request, rule),
            false => Ok(rule),
        }
    }

    /// The rule that all readings of a path meet. Where `%2F` is rejected anyway, nothing is
    /// compared: a client could ask for a lot of work.
    fn agreed<'r>(
        &self,
        request: &Request<'_>,
        rule: Option<&'r Rule>,
    ) -> Result<Option<&'r Rule>, Reason> {
        let target = &request.target;
        match (rule, self.unmatched) {
            (Some(rule), _) if target.has_encoded_slash && !rule.allow_encoded_slash => {
                return Ok(Some(rule));
            }
            (None, Unmatched::Allow) if target.has_encoded_slash && !self.allow_encoded_slash => {
                return Err(Reason::EncodedSlash);
            }
            (_, _) => {}
        }
        let first = rule.map(std::ptr::from_ref);
        for reading in readings(target.path).iter().skip(1) {
            if self.rules.find(request, reading).map(std::ptr::from_ref) != first {
                return Err(Reason::AmbiguousPath);
            }
        }
        let rejects = target.has_parameters && !self.allow_path_parameters;
        match (rule, self.unmatched) {
            (None, Unmatched::Allow) if rejects => Err(Reason::PathParameter),
            (_, _) => Ok(rule),
        }
    }

    /// Whether a trailer of a request does not reach the upstream: it claims an identity, may hold
    /// a credential, or has the name of a header that a rule unseals.
    pub fn removes_trailer(&self, name: &[u8]) -> bool {
        let mut sealed = self.sealed_headers.iter();
        self.identity.is_claimed_by(name)
            || self.carriers.may_be_in_trailer(name)
            || sealed.any(|ours| reads_as(name, ours))
    }

    /// Reads a request as the rules see it: a token in a path segment is taken out, into
    /// `kept` goes what stays of the target.
    ///
    /// # Errors
    /// As [`Request::read`], and [`PathToken::find`] for the segment.
    pub fn read<'a>(
        &self,
        headers: &'a [Header],
        kept: &'a mut String,
    ) -> Result<Request<'a>, Reason> {
        let request = Request::read_beside(headers, &self.path_tokens)?;
        let Some(token) = PathToken::find(&request.target, &self.path_tokens)? else {
            return Ok(request);
        };
        *kept = token.without(&request.target);
        let target = Target::parse(kept.as_bytes()).map_err(|_| Reason::AmbiguousPath)?;
        let path_token = Some(token);
        Ok(Request {
            target,
            path_token,
            ..request
        })
    }

    /// Adds the assertion to a grant with an identity. Where one is configured, none
    /// passes without.
    fn vouch(
        &self,
        issuer: &Issuer,
        verdict: Verdict,
        request: &Request<'_>,
        rule: &Rule,
        now: UnixMillis,
    ) -> Verdict {
        let mut grant = match verdict {
            Verdict::Allow(grant) => grant,
            Verdict::Redeem(redemption) => {
                let Redemption { grant, .. } = *redemption;
                return match self.vouch(issuer, Verdict::Allow(grant), request, rule, now) {
                    Verdict::Allow(grant) => Verdict::Redeem(Box::new(Redemption {
                        grant,
                        ..*redemption
                    })),
                    verdict => verdict,
                };
            }
            Verdict::Ask(_) | Verdict::Deny(_) | Verdict::Reply(_) => return verdict,
        };
        let Some(identity) = grant
            .identity
            .as_ref()
            .filter(|_| issuer.is_for(&rule.name))
        else {
            return Verdict::Allow(grant);
        };
        let Some(token) = issuer.sign(identity, request, now) else {
            let (reason, scheme) = (Reason::NoSigningKey, Scheme::None);
            let rejection = Rejection { reason, scheme };
            let voice = rule.voice(request.method);
            return Verdict::Deny(rejection.answer(request.headers, &voice));
        };
        let name = self.identity.name(Field::Assertion).clone();
        grant.edits.push(Edit::set(name, token));
        Verdict::Allow(grant)
    }
}
