//! What was found of a token, and what was signed when it does not hold.

use super::{Akamai, Token, url};
use crate::http::request::Request;
use crate::secret::RingEntry;
use crate::signed_url::carrier::{self, Carried};
use crate::signed_url::facts::LinkFacts;
use crate::signed_url::parts::hmac_key::HmacKey;
use crate::signed_url::parts::readings::readings;
use crate::signed_url::parts::rings::ring;
use crate::signed_url::parts::{near, wildcard};

/// The steps of the check, without its result.
pub(super) fn lines(links: &Akamai, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
    let mut steps = Vec::new();
    let carried = match carrier::find(&links.carriers, request) {
        Ok(carried) => carried,
        Err(reason) => {
            let names: Vec<_> = links.carriers.iter().map(|it| it.name()).collect();
            steps.push(format!("\"{}\": {}", names.join("\", \""), reason.code()));
            return steps;
        }
    };
    steps.push(format!("\"{}\": a token", carried.carrier.name()));
    steps.push(ring(&links.ring, facts.now));
    let readings = readings(carried.text);
    let parsed: Vec<Token<'_>> = readings
        .iter()
        .filter_map(|it| Token::parse(it, links.hash).ok())
        .collect();
    let Some(first) = parsed.first() else {
        steps.push(malformed(carried.text));
        return steps;
    };
    steps.extend(said(first));
    let near = parsed
        .iter()
        .find_map(|it| near_miss(links, it, &carried, request));
    match near {
        Some((entry, differs)) => {
            steps.push(format!("it was signed with the secret \"{}\"", entry.id));
            if !entry.is_current(facts.now) {
                let message = "is not valid at this time (not_before, not_after)";
                let line = format!("what differs: the secret \"{}\" {message}", entry.id);
                steps.push(line);
            }
            steps.extend(differs.map(|it| format!("what differs: the signature covers {it}")));
            steps.extend(bindings(first, request, facts));
        }
        None => steps.push(
            "cannot tell what was signed: another path, query, algorithm, salt or secret (it \
             must be hexadecimal)"
                .to_owned(),
        ),
    }
    steps
}

fn malformed(text: &str) -> String {
    let problem = match text {
        _ if !text.contains("hmac=") => "it has no hmac",
        _ if !text.contains("exp=") => "it has no exp, so it would never expire",
        _ => {
            "a field is unknown, duplicate, empty or out of order (ip, st, exp, acl, id, data, \
             hmac), or the hmac is not in lower-case hexadecimal digits of this algorithm"
        }
    };
    format!("the token is malformed: {problem}")
}

fn said(token: &Token<'_>) -> Vec<String> {
    let begin = token.not_before.map(|it| format!("from {it} "));
    let begin = begin.unwrap_or_default();
    let mut said = vec![format!("it says: valid {begin}until {}", token.expires)];
    said.push(match token.acl {
        Some(acl) => format!("it says: for {acl}"),
        None => "it says: for the signed URL only".to_owned(),
    });
    said.extend(token.ip.map(|it| format!("it says: from {it}")));
    said
}

/// A token that is genuine and not for this request.
fn bindings(token: &Token<'_>, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
    let mut differs = Vec::new();
    let path = request.target.path;
    if token
        .acl
        .map(|acl| acl.split('!').collect::<Vec<_>>())
        .is_some_and(|acl| wildcard::covers(&acl, path).is_none())
    {
        differs.push(format!("what differs: the path {path} is not in its list"));
    }
    let client = facts.client.address().map(|it| it.to_canonical());
    if token.ip.is_some() && token.ip != client {
        differs.push("what differs: the address of the client".to_owned());
    }
    differs
}

/// Which secret signed it, of all there are, and what it signed in place of this URL.
fn near_miss<'l>(
    links: &'l Akamai,
    token: &Token<'_>,
    carried: &Carried<'_>,
    request: &Request<'_>,
) -> Option<(&'l RingEntry<HmacKey>, Option<String>)> {
    let right = links.url(carried, request);
    let mut candidates: Vec<(Option<String>, Option<String>)> = Vec::new();
    let mut add = |what: Option<String>, target: &str| {
        let spelled = url::spellings(target);
        candidates.extend(spelled.into_iter().map(|it| (what.clone(), Some(it))));
    };
    if token.acl.is_some() {
        candidates.push((None, None));
    } else {
        add(None, &right);
        let whole = carrier_free(carried, request);
        if whole != right {
            add(
                Some("the query as well (see ignore_query_string)".into()),
                &whole,
            );
        }
        add(
            Some("the query with the token's own parameter".into()),
            request.target.whole,
        );
        for (what, target) in near::targets(&right) {
            add(Some(what.into()), &target);
        }
        for scheme in ["https://", "http://", ""] {
            let whole = format!("{scheme}{}{right}", request.authority);
            add(Some("the host and the path".into()), &whole);
        }
    }
    let unsalted = Akamai {
        salt: None,
        ..links.clone()
    };
    let salts = [(links, ""), (&unsalted, " without the salt")];
    for (maker, salt) in salts {
        for (what, target) in &candidates {
            let message = maker.message(token, target.as_deref());
            let mut all = links.ring.0.iter();
            if let Some(entry) = all.find(|it| it.key.verify(&message, &token.hmac)) {
                let differs = match (what, salt) {
                    (None, "") => None,
                    (None, salt) => Some(format!("this{salt}")),
                    (Some(what), salt) => Some(format!("{what}{salt}")),
                };
                return Some((entry, differs));
            }
        }
    }
    None
}

/// The whole target without the token.
fn carrier_free(carried: &Carried<'_>, request: &Request<'_>) -> String {
    crate::http::query::without(&request.target, &[carried.carrier.name()])
}
