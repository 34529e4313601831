//! What a request must bring: one credential, or several put together.

use std::rc::Rc;

use crate::answer::{Rejection, Scheme};
use crate::decision::facts::Facts;
use crate::decision::provider::{Conclusion, Finding, Holder, Provider};
use crate::http::request::Request;
use crate::reason::Reason;
use crate::signed_url::once_link::OnceLink;

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

impl Requirement {
    /// Whether what meets it can say who calls.
    pub fn can_have_identity(&self) -> bool {
        self.providers().iter().any(|it| it.has_identity())
    }

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

    /// Whether the request brings what is required.
    pub fn check<'a>(&'a self, request: &Request<'a>, facts: &Facts<'_>) -> Finding<'a> {
        match self {
            Self::Nothing => Finding {
                conclusion: Conclusion::Met(Holder::default()),
                strips: Vec::new(),
                once: None,
                response_edits: Vec::new(),
            },
            Self::One(provider) => provider.check(request, facts),
            Self::Any(members) | Self::All(members) => {
                let findings = members.iter().map(|it| it.check(request, facts));
                let findings = findings.collect();
                if matches!(self, Self::Any(_)) {
                    any(findings)
                } else {
                    all(findings)
                }
            }
        }
    }
}

/// One that is met is enough, unless another is ambiguous. The first that is met and says who
/// calls decides that, and so a question about an earlier one comes before the account of a
/// later one: what a cache holds must not change it. Where no other account is at stake, what
/// is met needs no question. Of rejections, the first that saw a credential tells
/// most, and one that has a challenge more than one that has none. All are looked at: each may
/// have seen a key. A link that works once is used only where nothing else is met, and a key
/// passes unchecked only where nothing is met at all.
fn any(findings: Vec<Finding<'_>>) -> Finding<'_> {
    let (mut strips, mut response_edits) = (Vec::new(), Vec::new());
    let (mut named, mut ask, mut nameless) = (None, None, None);
    let (mut for_once, mut unchecked, mut rejected) = (None, None, None);
    for finding in findings {
        strips.extend(finding.strips);
        response_edits.extend(finding.response_edits);
        match (finding.conclusion, finding.once) {
            (Conclusion::Rejected(rejection), _) => {
                let tells_more = |than: Rejection| weight(rejection) > weight(than);
                if rejected.is_none_or(tells_more) {
                    rejected = Some(rejection);
                }
            }
            (found @ (Conclusion::Met(_) | Conclusion::Unchecked), Some(link)) => {
                for_once = for_once.or(Some((found, link)));
            }
            (Conclusion::Met(holder), None) => match holder.identity {
                Some(_) => named = named.or(Some(Conclusion::Met(holder))),
                None => nameless = Some(Conclusion::Met(holder)),
            },
            (found @ Conclusion::Ask(_), _) if named.is_none() => ask = ask.or(Some(found)),
            (Conclusion::Ask(_), _) => {}
            (Conclusion::Unchecked, None) => unchecked = Some(Conclusion::Unchecked),
        }
    }
    let ambiguous = rejected.filter(|it| it.reason == Reason::DuplicateCredential);
    let first = match (ask, named, nameless) {
        (None, named, nameless) => named.or(nameless),
        (Some(_), None, Some(nameless)) => Some(nameless),
        (ask @ Some(_), _, _) => ask,
    };
    let (conclusion, once) = match (ambiguous, first, for_once) {
        (Some(rejection), ..) => (Some(Conclusion::Rejected(rejection)), None),
        (None, Some(first), _) => (Some(first), None),
        (None, None, Some((found, link))) => (Some(found), Some(link)),
        (None, None, None) => (unchecked.or(rejected.map(Conclusion::Rejected)), None),
    };
    // An empty list is rejected by the configuration; here it lets nothing pass.
    let Some(conclusion) = conclusion else {
        return Finding::rejected(Reason::NoRule, Scheme::None);
    };
    Finding {
        conclusion,
        strips,
        once,
        response_edits,
    }
}

fn weight(rejection: Rejection) -> u8 {
    let Rejection { reason, scheme } = rejection;
    if reason == Reason::MissingCredential {
        return u8::from(scheme == Scheme::AppKey);
    }
    if reason == Reason::DuplicateCredential {
        return 3;
    }
    2
}

/// A rejection comes before a question: there is no use in asking. Of two links that work
/// once only one could be used up.
fn all(findings: Vec<Finding<'_>>) -> Finding<'_> {
    let (mut strips, mut response_edits) = (Vec::new(), Vec::new());
    let (mut holder, mut ask, mut rejected) = (Holder::default(), None, None);
    let mut is_unchecked = false;
    let mut once: Option<OnceLink> = None;
    for finding in findings {
        strips.extend(finding.strips);
        response_edits.extend(finding.response_edits);
        match finding.conclusion {
            Conclusion::Met(more) => {
                holder.identity = holder.identity.or(more.identity);
                holder.sealed = holder.sealed.or(more.sealed);
            }
            Conclusion::Ask(lookup) => ask = ask.or(Some(lookup)),
            Conclusion::Unchecked => is_unchecked = true,
            Conclusion::Rejected(rejection) => rejected = rejected.or(Some(rejection)),
        }
        if once.is_some() && finding.once.is_some() {
            let (reason, scheme) = (Reason::DuplicateCredential, Scheme::SignedUrl);
            rejected = rejected.or(Some(Rejection { reason, scheme }));
        }
        once = once.or(finding.once);
    }
    let conclusion = match (rejected, ask, is_unchecked) {
        (Some(rejection), ..) => Conclusion::Rejected(rejection),
        (None, Some(lookup), _) => Conclusion::Ask(lookup),
        // No other account replaces it.
        (None, None, true) => Conclusion::Unchecked,
        (None, None, false) => Conclusion::Met(holder),
    };
    Finding {
        conclusion,
        strips,
        once,
        response_edits,
    }
}
