//! What was found of a link, and which claim differs when it does not hold.

use hmac::Mac as _;

use super::claims::{Claims, Container};
use super::jwt::Jwt;
use super::{Ignores, Keys, UriSigning};
use crate::http::parameter::decode_token;
use crate::http::request::Request;
use crate::signed_url::carrier;
use crate::signed_url::crypto::public_key::Scheme;
use crate::signed_url::facts::LinkFacts;
use crate::signed_url::parts::rings::{ring, signer};
use crate::time::UnixMillis;

/// The steps of the check, without its result.
pub(super) fn lines(
    links: &UriSigning,
    request: &Request<'_>,
    facts: &LinkFacts<'_>,
) -> Vec<String> {
    let mut steps = match carrier::find(&links.carriers, request) {
        Err(reason) => vec![format!("a token: {}", reason.code())],
        Ok(found) => {
            let name = found.carrier.name();
            let mut steps = vec![format!("a token in \"{name}\"")];
            let text = decode_token(found.text).unwrap_or_default();
            steps.extend(said(links, &String::from_utf8_lossy(&text), request, facts));
            steps
        }
    };
    steps.push(match &links.keys {
        Keys::Hs256(all) => ring(all, facts.now),
        Keys::Es256(all) | Keys::EdDsa(all) => ring(all, facts.now),
    });
    steps
}

impl Keys {
    /// The id of the key that is valid now and signed a token: the named one, or any.
    fn signer_of(&self, jwt: &Jwt<'_>, now: UnixMillis) -> Option<String> {
        let (named, text) = (jwt.kid.as_deref(), jwt.signed.as_bytes());
        let found = match self {
            Self::Hs256(ring) => signer(ring, named, now, |key| {
                let mac = key.clone().chain_update(text);
                mac.verify_slice(&jwt.signature).is_ok()
            }),
            Self::Es256(ring) => signer(ring, named, now, |key| {
                key.verify_as(Scheme::Es256, &[text], &jwt.signature)
            }),
            Self::EdDsa(ring) => signer(ring, named, now, |key| {
                key.verify_as(Scheme::Ed25519, &[text], &jwt.signature)
            }),
        };
        found.map(str::to_owned)
    }
}

fn said(
    links: &UriSigning,
    text: &str,
    request: &Request<'_>,
    facts: &LinkFacts<'_>,
) -> Vec<String> {
    let algorithm = links.keys.algorithm();
    let Ok(mut jwt) = Jwt::parse(text, algorithm) else {
        return vec![format!(
            "what differs: it is not a JWT with {algorithm} and a plain header"
        )];
    };
    let mut steps = Vec::new();
    let named = jwt.kid.clone();
    if links.keys.public().is_some_and(|all| all.0.len() > 1) && named.is_none() {
        steps.push("what differs: it names no key (kid), but the ring has several".to_owned());
    }
    match links.keys.signer_of(&jwt, facts.now) {
        Some(id) => steps.push(format!("it was signed with \"{id}\"")),
        None => {
            jwt.kid = None;
            let other = links.keys.signer_of(&jwt, facts.now);
            steps.push(match (other, named) {
                (Some(id), Some(named)) => {
                    format!("what differs: \"{id}\" signed it, but it names \"{named}\"")
                }
                _ => "what differs: no valid key signed it".to_owned(),
            });
        }
    }
    // What would be ignored in another configuration is read, too, to tell the rest.
    let ignores = Ignores {
        missing_uri: true,
        jti: true,
        renewal: true,
        others: links.ignores.others.clone(),
    };
    if Claims::parse(&jwt.payload, &links.ignores).is_err() {
        let message = "what differs: a claim is unknown, duplicate, missing or unsupported";
        steps.push(message.to_owned());
    }
    let Ok(claims) = Claims::parse(&jwt.payload, &ignores) else {
        return steps;
    };
    if !claims.is_from(&links.issuers) {
        steps.push("what differs: the issuer (iss)".to_owned());
    }
    if !claims.is_for(&links.audience) {
        steps.push("what differs: the audience (aud)".to_owned());
    }
    let uri = links.uri(request);
    if claims.opens(&uri) != Ok(true) {
        let container = match &claims.container {
            Some(Container::Regex(pattern)) => format!("is for {pattern}"),
            Some(Container::Hash(_)) | None => "has the hash of another URI".to_owned(),
        };
        steps.push(format!("what differs: it {container}, but this is {uri}"));
    }
    match claims.check_times(facts.now, links.skew, links.max_lifetime) {
        Ok(end) => steps.push(format!("it says: valid until {end}")),
        Err(reason) => steps.push(format!("what differs: the time ({})", reason.code())),
    }
    if claims.check_address(facts.client).is_err() {
        steps.push("what differs: the address of the client (cdniip)".to_owned());
    }
    steps
}
