//! One rule: whom it is for, what it requires, and what happens without.

use std::rc::Rc;

use crate::answer::{Authenticate, Page, Rejection, Scheme, Template, Voice};
use crate::decision::carriers::Carriers;
use crate::decision::challenge::{Challenge, Step};
use crate::decision::facts::{Exceeded, Facts};
use crate::decision::grant::{Grant, Outcome};
use crate::decision::provider::{Conclusion, Finding, Holder, Provider};
use crate::decision::requirement::Requirement;
use crate::decision::unseal::{self, Missing, Unseal};
use crate::decision::verdict::Redemption;
use crate::decision::verdict::Verdict;
use crate::http::credential::Carrier;
use crate::http::edit::Strip;
use crate::http::glob::{HostPattern, PathGlob, SplitPath};
use crate::http::path::Target;
use crate::http::referrer::{self, ReferrerPattern};
use crate::http::request::Request;
use crate::identity::scopes::Scopes;
use crate::identity::{Identity, IdentityHeaders};
use crate::reason::Reason;
use crate::signed_url::once_link::OnceLink;

/// What a request needs, and what happens without.
#[derive(Debug)]
pub struct Rule {
    /// Its name in logs, metrics and templates.
    pub name: String,
    /// Its place among the rules, from 0.
    pub place: usize,
    /// Hosts that it is for; empty means all.
    pub hosts: Vec<HostPattern>,
    /// Paths that it is for.
    pub path: PathGlob,
    /// Methods that it is for; empty means all.
    pub methods: Vec<String>,
    /// Headers that a request must have; empty means none.
    pub headers: Vec<HeaderMatch>,
    /// Whether `%2F` may be in the path.
    pub allow_encoded_slash: bool,
    /// Whether parameters behind `;` may be in the path.
    pub allow_path_parameters: bool,
    /// From which pages a request may come; empty means from any, and from none.
    pub allowed_referrers: Vec<ReferrerPattern>,
    /// What a request must bring.
    pub require: Requirement,
    /// What its scopes must be; the first for the method decides, and without one the
    /// method is rejected. Empty means that any will do.
    pub scopes: Vec<NeededScopes>,
    /// How strictly.
    pub mode: Mode,
    /// Whether a CORS preflight passes without a credential: a browser sends none with it.
    pub allow_preflight: bool,
    /// The body of a rejection; without it the client's preference decides.
    pub deny: Option<Rc<Template>>,
    /// The standard page of a rejection.
    pub page: Rc<Page>,
    /// What a 401 asks for.
    pub authenticate: Authenticate,
    /// The carriers of the links and sessions that it names: what is there does not pass on.
    pub carriers: Vec<Carrier>,
    /// Parameters that hold credentials of any rule: no answer repeats them.
    pub secret_parameters: Rc<[String]>,
    /// Names of the path segments that hold credentials of any rule: the same.
    pub path_tokens: Rc<[String]>,
    /// What it adds of the data that is sealed with a key.
    pub unseal: Option<Unseal>,
}

/// A header that a request must have.
#[derive(Debug)]
pub struct HeaderMatch {
    /// Its name in lower case.
    pub name: String,
    /// The value of one of its occurrences; without it any value will do.
    pub value: Option<String>,
}

/// What scopes a method needs.
#[derive(Debug)]
pub struct NeededScopes {
    /// The methods; empty means all.
    pub methods: Vec<String>,
    /// The scopes.
    pub need: Scopes,
}

/// How strictly a rule is kept.
#[derive(Debug)]
pub enum Mode {
    /// Who does not meet it is rejected.
    Block,
    /// Who does not meet it may pass a challenge instead.
    Challenge(Challenge),
    /// Every request passes. The upstream learns what would have happened.
    Simulate,
    /// Every request passes.
    Off,
}

impl Rule {
    /// Whether the rule is for this request, whose path in readable form is `path`. A
    /// preflight that it allows is for the method that is asked for, and has none of the
    /// headers.
    #[inline]
    pub fn matches(&self, request: &Request<'_>, path: &str) -> bool {
        self.matches_split(request, &SplitPath::new(path))
    }

    /// This check for a path that is also compared with other rules.
    #[inline]
    pub fn matches_split(&self, request: &Request<'_>, path: &SplitPath<'_>) -> bool {
        let method = self.preflight(request).unwrap_or(request.method);
        self.path.matches_split(path)
            && (self.methods.is_empty() || self.methods.iter().any(|it| it == method))
            && (self.hosts.is_empty() || self.hosts.iter().any(|it| it.matches(request.authority)))
            && (self.preflight(request).is_some()
                || self.headers.iter().all(|it| it.matches(request)))
    }

    /// The name of the cookie of its challenge.
    pub fn clearance_cookie(&self) -> Option<&str> {
        match &self.mode {
            Mode::Challenge(challenge) => challenge.cookie(),
            Mode::Block | Mode::Simulate | Mode::Off => None,
        }
    }

    /// The hosts under which an index files the rule; `""` represents all others.
    pub fn filed_hosts(&self) -> Vec<String> {
        let exact: Option<Vec<String>> = self.hosts.iter().map(HostPattern::exact).collect();
        exact
            .filter(|it| !it.is_empty())
            .unwrap_or_else(|| vec![String::new()])
    }

    /// Whether the rule lets one method do what it rejects another.
    pub fn reads_method(&self) -> bool {
        let by_scope = self.scopes.iter().any(|needed| !needed.methods.is_empty());
        let providers = self.require.providers();
        let by_provider = providers.iter().any(|provider| provider.reads_method());
        !self.methods.is_empty() || self.allow_preflight || by_scope || by_provider
    }

    /// Decides a request that the rule is for.
    pub fn decide<'a>(
        &'a self,
        request: &Request<'a>,
        headers: &IdentityHeaders,
        carriers: &'a Carriers,
        facts: &Facts<'_>,
        exceeded: Option<Exceeded>,
    ) -> Verdict {
        let deny = |rejection: Rejection| {
            let voice = Voice {
                retry_after: exceeded.map(|it| it.retry_after),
                ..self.voice(request.method)
            };
            Verdict::Deny(rejection.answer(request.headers, &voice))
        };
        if let Some(reason) = self.rejects_spelling(&request.target) {
            let scheme = Scheme::None;
            return deny(Rejection { reason, scheme });
        }
        // Left over in `simulate` and `off`, where it passes.
        let has_parameters = request.target.has_parameters && !self.allow_path_parameters;
        let grant = |outcome, mut strips: Vec<Strip<'a>>, identity: Option<Rc<Identity>>| {
            carriers.strip(&self.carriers, request, facts, &mut strips);
            let (outcome, identity) = match has_parameters {
                true => (Outcome::WouldDeny(Reason::PathParameter), None),
                false => (outcome, identity),
            };
            let grant = Grant::new(request, headers, outcome, &strips, identity);
            match &self.unseal {
                None => grant,
                Some(_) if matches!(self.mode, Mode::Off) => grant,
                Some(unseal) => unseal.take_out(request, grant),
            }
        };
        let allow = |outcome, strips: Vec<Strip<'a>>| Verdict::Allow(grant(outcome, strips, None));
        if matches!(self.mode, Mode::Off) {
            return allow(Outcome::Anonymous, Vec::new());
        }
        if self.preflight(request).is_some() {
            // No browser sends a credential with it; what is genuine stays here all the same.
            let mut strips = self.require.check(request, facts).strips;
            let providers = self.require.providers().into_iter();
            strips.extend(
                providers
                    .flat_map(Provider::parameters)
                    .map(Strip::Parameter),
            );
            return allow(Outcome::Anonymous, strips);
        }
        let Finding {
            conclusion,
            strips,
            once,
            response_edits,
        } = self.judge(request, facts, exceeded);
        match conclusion {
            Conclusion::Met(_) | Conclusion::Unchecked => {
                let (outcome, holder) = match (&self.require, conclusion) {
                    (Requirement::Nothing, _) => (Outcome::Anonymous, Holder::default()),
                    (_, Conclusion::Met(holder)) => (Outcome::Verified, holder),
                    (_, _) => (Outcome::Unchecked, Holder::default()),
                };
                let mut grant = grant(outcome, strips, holder.identity);
                if let Some(sealed) = holder.sealed {
                    unseal::add(*sealed, &mut grant);
                }
                // First, so that stricter cache headers are kept.
                if !response_edits.is_empty() {
                    grant.response_edits.splice(..0, response_edits);
                }
                match once {
                    Some(link) => self.redeem(link, grant, request),
                    None => Verdict::Allow(grant),
                }
            }
            Conclusion::Ask(lookup) => Verdict::Ask(lookup),
            // No challenge gives a scope; the answer says which are needed. Nor does one give room.
            Conclusion::Rejected(rejection)
                if (rejection.reason == Reason::InsufficientScope
                    || rejection.reason.is_of_rate())
                    && !matches!(self.mode, Mode::Simulate) =>
            {
                deny(rejection)
            }
            Conclusion::Rejected(rejection) => match &self.mode {
                Mode::Simulate => allow(Outcome::WouldDeny(rejection.reason), strips),
                Mode::Challenge(challenge) => match self.meet(challenge, rejection, request, facts)
                {
                    // Who is cleared has no scopes: a key that lacks one is not to be left out.
                    Step::Clear if !self.scopes.is_empty() => deny(Rejection {
                        reason: Reason::InsufficientScope,
                        scheme: Scheme::AppKey,
                    }),
                    // Nor has it sealed data.
                    Step::Clear if self.needs_sealed() => deny(Rejection {
                        reason: Reason::NothingSealed,
                        scheme: Scheme::AppKey,
                    }),
                    Step::Clear => allow(Outcome::Cleared, strips),
                    Step::Reply(reply) => Verdict::Reply(reply),
                    Step::Deny(denial) => Verdict::Deny(denial),
                },
                Mode::Block | Mode::Off => deny(rejection),
            },
        }
    }

    /// What the challenge makes of a rejected request.
    fn meet(
        &self,
        challenge: &Challenge,
        rejection: Rejection,
        request: &Request<'_>,
        facts: &Facts<'_>,
    ) -> Step {
        let voice = self.voice(request.method);
        challenge.meet(rejection, request, &voice, facts.client, facts.now)
    }

    /// A grant that holds if its link was not used before. In `simulate` no link is used up.
    fn redeem(&self, link: OnceLink, grant: Grant, request: &Request<'_>) -> Verdict {
        if matches!(self.mode, Mode::Simulate) {
            return Verdict::Allow(grant);
        }
        let deny = |reason| {
            let scheme = Scheme::SignedUrl;
            Rejection { reason, scheme }.answer(request.headers, &self.voice(request.method))
        };
        if request.is_prefetch() {
            return Verdict::Deny(deny(Reason::Prefetch));
        }
        Verdict::Redeem(Box::new(Redemption {
            uses: request.method != "HEAD" || link.is_for_head,
            link,
            grant,
            used: deny(Reason::LinkUsed),
            unavailable: deny(Reason::KeyServiceUnavailable),
        }))
    }

    /// Why the rule rejects the spelling of a path, independent of the rest of the request.
    ///
    /// `%2F` is rejected in every mode. A parameter passes in `simulate` and `off`, and is
    /// counted.
    pub fn rejects_spelling(&self, target: &Target<'_>) -> Option<Reason> {
        let is_enforced = !matches!(self.mode, Mode::Simulate | Mode::Off);
        if target.has_encoded_slash && !self.allow_encoded_slash {
            return Some(Reason::EncodedSlash);
        }
        let rejects = target.has_parameters && !self.allow_path_parameters && is_enforced;
        rejects.then_some(Reason::PathParameter)
    }

    /// The method that an allowed preflight asks for.
    #[inline]
    fn preflight<'a>(&self, request: &Request<'a>) -> Option<&'a str> {
        self.allow_preflight.then(|| request.preflight())?
    }

    /// How a rejection for this method is to be put.
    pub fn voice(&self, method: &str) -> Voice<'_> {
        Voice {
            rule: &self.name,
            template: self.deny.as_deref(),
            page: Some(&self.page),
            authenticate: Some(&self.authenticate),
            needed_scopes: self.needed_scopes(method),
            secret_parameters: &self.secret_parameters,
            path_tokens: &self.path_tokens,
            retry_after: None,
        }
    }

    /// Whether the request brings what the rule requires.
    fn judge<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &Facts<'_>,
        exceeded: Option<Exceeded>,
    ) -> Finding<'a> {
        let mut finding = self.require.check(request, facts);
        let rejected = |reason, scheme| Conclusion::Rejected(Rejection { reason, scheme });
        if !self.allowed_referrers.is_empty()
            && let Err(reason) = referrer::check(&self.allowed_referrers, request)
        {
            finding.conclusion = rejected(reason, Scheme::None);
        } else if matches!(finding.conclusion, Conclusion::Unchecked) && !self.scopes.is_empty() {
            // Its scopes are as unknown as its account.
            finding.conclusion = rejected(Reason::KeyServiceUnavailable, Scheme::AppKey);
        } else if let Conclusion::Met(holder) = &finding.conclusion
            && self.lacks_scopes(request.method, holder.identity.as_deref())
        {
            finding.conclusion = rejected(Reason::InsufficientScope, Scheme::AppKey);
        } else if let (Conclusion::Met(holder), Some(by)) = (&finding.conclusion, exceeded)
            && holder.identity.is_some()
        {
            finding.conclusion = rejected(by.reason, Scheme::AppKey);
        }
        if let Some(unseal) = &self.unseal {
            unseal.open(&mut finding.conclusion);
        }
        finding
    }

    fn needs_sealed(&self) -> bool {
        let unseal = self.unseal.as_ref();
        unseal.is_some_and(|it| it.missing == Missing::Reject)
    }

    #[inline]
    fn lacks_scopes(&self, method: &str, identity: Option<&Identity>) -> bool {
        if self.scopes.is_empty() {
            return false;
        }
        let granted = identity.map_or("", |it| &it.scopes);
        let needed = self.needed_scopes(method);
        !needed.is_some_and(|needed| needed.is_met_by(granted))
    }

    #[inline]
    fn needed_scopes(&self, method: &str) -> Option<&Scopes> {
        let is_for =
            |it: &&NeededScopes| it.methods.is_empty() || it.methods.iter().any(|it| it == method);
        self.scopes.iter().find(is_for).map(|it| &it.need)
    }
}

impl HeaderMatch {
    /// Whether a request has it.
    #[inline]
    pub fn matches(&self, request: &Request<'_>) -> bool {
        let mut values = request.values(&self.name);
        match &self.value {
            None => values.next().is_some(),
            Some(expected) => values.any(|value| value == expected.as_bytes()),
        }
    }
}
