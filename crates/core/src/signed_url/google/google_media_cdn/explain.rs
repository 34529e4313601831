//! What was found of a token, and what was signed when it does not hold.

use super::token::{Scope, Token};
use super::{FORM, GoogleMediaCdn, Keys, Mode, signed};
use crate::http::request::Request;
use crate::secret::KeyRing;
use crate::signed_url::carrier;
use crate::signed_url::carrier::Carried;
use crate::signed_url::facts::LinkFacts;
use crate::signed_url::google::explain::lines as request_lines;
use crate::signed_url::google::request::SignedRequest;
use crate::signed_url::parts::near;
use crate::signed_url::parts::readings::readings;
use crate::signed_url::parts::rings::ring;

/// The steps of the check, without its result.
pub(super) fn lines(
    links: &GoogleMediaCdn,
    request: &Request<'_>,
    facts: &LinkFacts<'_>,
) -> Vec<String> {
    match (&links.keys, links.mode) {
        (Keys::Ed25519(keys), Mode::Signatures) => {
            let found = SignedRequest::find(&links.carriers, links.scheme, FORM, request);
            request_lines(found, links.scheme, keys, request, facts, |key, it, mac| {
                key.verify(&[it.as_bytes()], mac)
            })
        }
        (Keys::Ed25519(keys), Mode::Tokens) => {
            token_lines(links, keys, request, facts, |key, it, mac| {
                key.verify(&[it.as_bytes()], mac)
            })
        }
        (Keys::Hmac(_, keys), _) => token_lines(links, keys, request, facts, |key, it, mac| {
            key.verify(it.as_bytes(), mac)
        }),
    }
}

fn token_lines<K>(
    links: &GoogleMediaCdn,
    keys: &KeyRing<K>,
    request: &Request<'_>,
    facts: &LinkFacts<'_>,
    signs: impl Fn(&K, &str, &[u8]) -> bool,
) -> Vec<String> {
    let carried = match carrier::find(&links.carriers, request) {
        Ok(carried) => carried,
        Err(reason) => {
            let names: Vec<_> = links.carriers.iter().map(|it| it.name()).collect();
            return vec![format!("\"{}\": {}", names.join("\", \""), reason.code())];
        }
    };
    let mut steps = vec![format!("\"{}\": a token", carried.carrier.name())];
    steps.push(ring(keys, facts.now));
    let texts = readings(carried.text);
    let parsed = texts.iter().map(|it| Token::parse(it, &links.keys));
    let tokens: Vec<Token<'_>> = parsed.filter_map(Result::ok).collect();
    let Some(token) = tokens.first() else {
        steps.push(
            "the token is malformed: a field is unknown, duplicate or empty, there is not \
             exactly one of FullPath, PathGlobs and URLPrefix, Expires is missing, or it does \
             not end with a complete signature of this algorithm"
                .to_owned(),
        );
        return steps;
    };
    steps.extend(said(token));
    let near = candidates(token, &carried, request)
        .into_iter()
        .find_map(|it| {
            let mut all = keys.0.iter();
            let entry = all.find(|entry| signs(&entry.key, &it.1, &token.signature))?;
            Some((entry, it.0))
        });
    let Some((entry, what)) = near else {
        steps.push("cannot tell what was signed: another path, header, time or key".to_owned());
        return steps;
    };
    steps.push(format!("it was signed with the secret \"{}\"", entry.id));
    if !entry.is_current(facts.now) {
        steps.push("what differs: this secret is not valid at this time".to_owned());
    }
    steps.extend(what.map(|it| format!("what differs: the signature covers {it}")));
    if links.covers(token, request).is_none() {
        steps.push("what differs: the token does not cover this URL".to_owned());
    }
    if !token.is_from(facts.client) {
        steps.push("what differs: the address of the client".to_owned());
    }
    steps
}

fn said(token: &Token<'_>) -> Vec<String> {
    let begin = token.starts.map(|it| format!("from {it} "));
    let begin = begin.unwrap_or_default();
    let mut said = vec![format!("it says: valid {begin}until {}", token.expires)];
    said.push(match &token.scope {
        Scope::FullPath => "it says: for the signed path only".to_owned(),
        Scope::PathGlobs(globs) => format!("it says: for {}", globs.join(" or ")),
        Scope::UrlPrefix(prefix) => format!("it says: for URLs that start with {}", prefix.url()),
    });
    if !token.headers.is_empty() {
        let names = token.headers.join(", ");
        said.push(format!("it says: with the signed headers {names}"));
    }
    said
}

/// Texts that a signer may have signed; without a name, those that are right.
fn candidates(
    token: &Token<'_>,
    carried: &Carried<'_>,
    request: &Request<'_>,
) -> Vec<(Option<String>, String)> {
    let right = signed::messages(token, request);
    let mut all: Vec<(Option<String>, String)> = right.into_iter().map(|it| (None, it)).collect();
    let headers = signed::headers(token, request);
    let path = request.target.path;
    let empty: Vec<String> = token.headers.iter().map(|it| format!("{it}=")).collect();
    let mut may_be = |what: &str, path: &str, headers: &str| {
        let message = signed::message(token, path, headers);
        all.push((Some(what.to_owned()), message));
    };
    may_be("its headers without values", path, &empty.join(","));
    let names = token.headers.join(",");
    may_be("the names of its headers only", path, &names);
    let headers = headers.unwrap_or_default();
    if matches!(token.scope, Scope::FullPath) {
        let whole = crate::http::query::without(&request.target, &[carried.carrier.name()]);
        may_be("the query as well", &whole, &headers);
        for (what, near) in near::targets(path) {
            may_be(what, &near, &headers);
        }
        for scheme in ["https", "http"] {
            let url = format!("{scheme}://{}{path}", request.authority);
            may_be("the host and the path", &url, &headers);
        }
    }
    all
}
