//! What was found of a signature, and which component differs when it does not hold.

use hmac::Mac as _;

use super::base::{Seen, base};
use super::fields::{Input, bytes, member};
use super::{HttpSignature, Keys, headers};
use crate::http::request::Request;
use crate::signed_url::crypto::public_key::Scheme;
use crate::signed_url::facts::LinkFacts;
use crate::signed_url::parts::rings::{ring, signer};

use crate::time::UnixMillis;

/// The steps of the check, without its result.
pub(super) fn lines(
    links: &HttpSignature,
    request: &Request<'_>,
    facts: &LinkFacts<'_>,
) -> Vec<String> {
    let mut steps = said(links, request, facts).unwrap_or_else(|| {
        vec!["headers \"signature-input\" and \"signature\": missing or unreadable".to_owned()]
    });
    steps.push(match &links.keys {
        Keys::HmacSha256(all) => ring(all, facts.now),
        Keys::Ed25519(all) => ring(all, facts.now),
    });
    steps
}

impl Keys {
    /// The id of the key that is valid now and signed a text: the named one, or any.
    fn signer_of(
        &self,
        named: Option<&str>,
        text: &[u8],
        signature: &[u8],
        now: UnixMillis,
    ) -> Option<String> {
        let found = match self {
            Self::HmacSha256(ring) => signer(ring, named, now, |key| {
                let mac = key.clone().chain_update(text);
                mac.verify_slice(signature).is_ok()
            }),
            Self::Ed25519(ring) => signer(ring, named, now, |key| {
                key.verify_as(Scheme::Ed25519, &[text], signature)
            }),
        };
        found.map(str::to_owned)
    }
}

fn said(
    links: &HttpSignature,
    request: &Request<'_>,
    facts: &LinkFacts<'_>,
) -> Option<Vec<String>> {
    let (inputs, signatures) = headers(request).ok()?;
    let (inputs, signatures) = (inputs?, signatures?);
    let label = links.label.as_deref();
    let (name, text) = member(&inputs, label).ok()??;
    let input = Input::parse(text).ok()?;
    let signature = bytes(member(&signatures, label).ok()??.1).ok()?;
    let mut steps = vec![format!("the signature \"{name}\"")];
    match input.created.map(UnixMillis::from_secs) {
        Some(created) => {
            let end = created.plus(links.max_age);
            let end = input
                .expires
                .map_or(end, |it| end.min(UnixMillis::from_secs(it)));
            steps.push(format!("it says: made at {created}, valid until {end}"));
        }
        None => steps.push("what differs: it has no creation time (created)".to_owned()),
    }
    if let Some(missing) = links.missing(&input, request) {
        steps.push(format!("what differs: it does not cover {missing}"));
    }
    if input
        .algorithm
        .is_some_and(|it| it != links.keys.algorithm())
    {
        steps.push(format!(
            "what differs: the algorithm is {}",
            links.keys.algorithm()
        ));
    }
    if input.tag != links.tag.as_deref() {
        steps.push("what differs: the tag".to_owned());
    }
    for component in &input.components {
        let is_field = !component.name.starts_with('@') && component.name != "host";
        if is_field && request.values(component.name).next().is_none() {
            steps.push(format!(
                "what differs: the request has no {}",
                component.name
            ));
        }
    }
    let signed = |request: &Request<'_>, scheme: &str, named| {
        let target = request.target.whole;
        let text = base(
            &input,
            &Seen {
                request,
                scheme,
                target,
            },
        )
        .ok()?;
        links
            .keys
            .signer_of(named, text.as_bytes(), &signature, facts.now)
    };
    if matches!(&links.keys, Keys::Ed25519(all) if all.0.len() > 1) && input.key_id.is_none() {
        steps.push("what differs: it names no key (keyid), but the ring has several".to_owned());
    }
    if let Some(id) = signed(request, links.scheme, input.key_id) {
        steps.push(format!("it was signed with \"{id}\""));
        return Some(steps);
    }
    if let Some(id) = signed(request, links.scheme, None) {
        steps.push(format!(
            "what differs: \"{id}\" signed it, but it names another key"
        ));
        return Some(steps);
    }
    let other = if links.scheme == "http" {
        "https"
    } else {
        "http"
    };
    if signed(request, other, None).is_some() {
        steps.push(format!(
            "what differs: it was signed for the scheme {other}"
        ));
        return Some(steps);
    }
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        if signed(&Request { method, ..*request }, links.scheme, None).is_some() {
            steps.push(format!(
                "what differs: it was signed for the method {method}"
            ));
            return Some(steps);
        }
    }
    steps.push("cannot tell what was signed: another URL, header, key or spelling".to_owned());
    Some(steps)
}
