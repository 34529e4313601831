//! What was found of a link, and what was signed when it does not hold.

use super::{Cloudflare, LinkCarrier, NearMiss, Stamp};
use crate::http::parameter::find_parameter;
use crate::http::request::Request;
use crate::reason::Reason;
use crate::signed_url::facts::LinkFacts;
use crate::signed_url::format::Format as _;
use crate::signed_url::parts::rings::ring;
use crate::time::UnixMillis;

/// The steps of the check, without its result.
pub(super) fn lines(
    links: &Cloudflare,
    request: &Request<'_>,
    facts: &LinkFacts<'_>,
) -> Vec<String> {
    let mut steps = Vec::new();
    for carrier in &links.carriers {
        let (place, token) = look(carrier, request);
        let is_there = if token.is_some() {
            "a token"
        } else {
            "no token"
        };
        steps.push(format!("{place}: {is_there}"));
        let digits = token.as_deref().and_then(|it| it.split('-').next());
        steps.extend(digits.and_then(|it| it.parse().ok()).map(|seconds| {
            let (begin, end) = times(links.stamp, UnixMillis::from_secs(seconds));
            format!("it says: {begin}valid until {end}")
        }));
    }
    steps.push(ring(&links.ring, facts.now));
    let rejected = links.verify(request, facts).err();
    if rejected
        .is_some_and(|it| [Reason::WrongSignature, Reason::MalformedCredential].contains(&it))
    {
        match links.near_miss(request, facts.now) {
            Some(near) => steps.extend(tell(&near)),
            None => {
                steps.push("cannot tell what was signed: another path, query or secret".to_owned())
            }
        }
    }
    steps
}

/// The carrier of a token, and its text if there is one.
fn look(carrier: &LinkCarrier, request: &Request<'_>) -> (String, Option<String>) {
    let header = |name: &str| {
        let value = request.values(name).next();
        value.map(|value| String::from_utf8_lossy(value).into_owned())
    };
    match carrier {
        LinkCarrier::Parameter(name) => {
            let found = find_parameter(&request.target, name).ok().flatten();
            let token = found.map(|it| it.value.to_owned());
            (format!("parameter \"{name}\""), token)
        }
        LinkCarrier::Header(name) => (format!("header \"{name}\""), header(name)),
        LinkCarrier::Headers { timestamp, mac } => (
            format!("headers \"{timestamp}\" and \"{mac}\""),
            header(timestamp),
        ),
    }
}

fn times(meaning: Stamp, stamp: UnixMillis) -> (String, UnixMillis) {
    match meaning {
        Stamp::Issued { ttl } => (format!("made at {stamp}, "), stamp.plus(ttl)),
        Stamp::Expires { .. } => (String::new(), stamp),
    }
}

fn tell(near: &NearMiss) -> Vec<String> {
    let id = &near.secret;
    let mut told = vec![format!("it was signed with the secret \"{id}\"")];
    if !near.is_current {
        told.push(format!(
            "what differs: the secret \"{id}\" is not valid at this time (not_before, not_after)"
        ));
    }
    let differences = [
        near.written.map(|it| format!("the MAC is written {it}")),
        near.signed
            .as_ref()
            .map(|it| format!("the signature covers {it}")),
    ];
    let differences = differences.into_iter().flatten();
    told.extend(differences.map(|it| format!("what differs: {it}")));
    told
}
