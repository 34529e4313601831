//! What was found of a signed request, and what was signed when it does not hold.

use super::Scheme;
use super::request::{Scope, SignedRequest};
use crate::http::path::canonical;
use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::{KeyRing, RingEntry};
use crate::signed_url::facts::LinkFacts;
use crate::signed_url::parts::near;
use crate::signed_url::parts::rings::ring;

/// The steps of the check, without its result.
pub(crate) fn lines<K>(
    found: Result<SignedRequest<'_>, Reason>,
    scheme: Scheme,
    keys: &KeyRing<K>,
    request: &Request<'_>,
    facts: &LinkFacts<'_>,
    signs: impl Fn(&K, &str, &[u8]) -> bool,
) -> Vec<String> {
    let signed = match found {
        Ok(signed) => signed,
        Err(reason) => {
            return vec![format!(
                "the signature is unreadable: {}. The fields are [URLPrefix,] Expires, KeyName, \
                 Signature, in this order, adjacent, each once. Nothing follows the signature of \
                 a single URL",
                reason.code()
            )];
        }
    };
    let mut steps = vec![ring(keys, facts.now)];
    steps.push(format!("it says: valid until {}", signed.expires));
    steps.push(format!("it says: signed with \"{}\"", signed.key_name));
    if let Scope::Prefix(prefix) = &signed.scope {
        steps.push(format!(
            "it says: for URLs that start with {}",
            prefix.url()
        ));
    }
    let candidates = candidates(&signed, scheme, request);
    let near = candidates.iter().find_map(|(what, message)| {
        let mut all = keys.0.iter();
        let entry = all.find(|it| signs(&it.key, message, &signed.signature))?;
        Some((entry, what))
    });
    match near {
        None => steps
            .push("cannot tell what was signed: another path, query, time or secret".to_owned()),
        Some((entry, what)) => {
            steps.extend(key(entry, &signed, facts));
            steps.extend(
                what.iter()
                    .map(|it| format!("what differs: the signature covers {it}")),
            );
            if signed.covers(scheme, request).is_none() {
                let told = "what differs: scheme, host and path do not start with the prefix, up \
                            to the end of a segment";
                steps.push(told.to_owned());
            }
        }
    }
    steps
}

fn key<K>(entry: &RingEntry<K>, signed: &SignedRequest<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
    let mut told = vec![format!("it was signed with the secret \"{}\"", entry.id)];
    if entry.id != signed.key_name {
        told.push("what differs: KeyName names another secret".to_owned());
    }
    if !entry.is_current(facts.now) {
        told.push(
            "what differs: this secret is not valid at this time (not_before, not_after)"
                .to_owned(),
        );
    }
    told
}

/// Messages that a signer may have signed; without a name, those that are right.
fn candidates(
    signed: &SignedRequest<'_>,
    scheme: Scheme,
    request: &Request<'_>,
) -> Vec<(Option<String>, String)> {
    let right = signed.messages.iter().map(|it| (None, it.clone()));
    let mut all: Vec<(Option<String>, String)> = right.collect();
    let Scope::Url = signed.scope else {
        return all;
    };
    // The fields behind the URL, with the `?` or `&` before them.
    let message = signed.messages.first().cloned().unwrap_or_default();
    let at = message
        .rfind("Expires=")
        .unwrap_or_default()
        .saturating_sub(1);
    let (url, fields) = message.split_at_checked(at).unwrap_or_default();
    let fields = fields.get(1..).unwrap_or_default();
    let host = request.authority.as_str();
    let origin = format!("{}://{host}", scheme.of(request).unwrap_or_default());
    let target = url.strip_prefix(&origin).unwrap_or_default().to_owned();
    let spelled = |target: &str| canonical(target).into_owned();
    let mut add = |what: String, url: String| {
        let separators = [if url.contains('?') { '&' } else { '?' }, '?', '&'];
        for separator in separators {
            all.push((Some(what.clone()), format!("{url}{separator}{fields}")));
        }
    };
    for other in ["http", "https"] {
        let url = format!("{other}://{host}{}", spelled(&target));
        add(format!("the scheme {other}"), url);
    }
    add("the path without the host".to_owned(), target.clone());
    for (what, near) in near::targets(&target) {
        add(what.to_owned(), format!("{origin}{near}"));
    }
    all
}
