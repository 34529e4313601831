//! What was found of a link, and which field differs when it does not hold.

use super::policy::{Document, canned, matches};
use super::token::{Says, Token};
use super::{Carrier, CloudFront, Hash};
use crate::http::path::canonical;
use crate::http::request::Request;
use crate::reason::Reason;
use crate::signed_url::facts::LinkFacts;
use crate::signed_url::format::Format as _;
use crate::signed_url::parts::rings::ring;
use crate::time::UnixMillis;

/// The steps of the check, without its result.
pub(super) fn lines(
    links: &CloudFront,
    request: &Request<'_>,
    facts: &LinkFacts<'_>,
) -> Vec<String> {
    let mut steps = Vec::new();
    for carrier in &links.carriers {
        let place = match carrier {
            Carrier::Query => "parameters",
            Carrier::Cookies => "cookies",
        };
        match Token::find(*carrier, request, links.hash) {
            Ok(None) => steps.push(format!("{place}: no token")),
            Ok(Some(token)) => {
                steps.push(format!("{place}: a token of the key \"{}\"", token.key_id));
                steps.extend(said(links, &token, request, facts));
            }
            Err(reason) => {
                steps.push(format!("{place}: {}", reason.code()));
                let other = links.hash.other();
                if let Ok(Some(_)) = Token::find(*carrier, request, other) {
                    steps.push(another_hash(links, other));
                }
            }
        }
    }
    steps.push(ring(&links.ring, facts.now));
    // The most frequent cause: the SDKs of AWS sign with SHA-1 by default.
    let other = another_hash(links, links.hash.other());
    steps.sort_by_key(|step| *step != other);
    steps
}

/// What to say of a link that was signed with another hash than the configuration has.
fn another_hash(links: &CloudFront, other: Hash) -> String {
    let advice = match other {
        Hash::Sha1 => {
            "the default of the SDKs of AWS: sign with Hash-Algorithm=SHA256, or set \
             \"hash\": \"sha1\" and \"allow_weak\": true"
        }
        Hash::Sha256 => "set \"hash\": \"sha256\"",
    };
    let (was, takes) = (other.name(), links.hash.name());
    format!("what differs: it was signed with {was}, but this provider accepts {takes}; {advice}")
}

fn said(
    links: &CloudFront,
    token: &Token<'_>,
    request: &Request<'_>,
    facts: &LinkFacts<'_>,
) -> Vec<String> {
    let mut steps = Vec::new();
    let until = |seconds: u64| format!("it says: valid until {}", UnixMillis::from_secs(seconds));
    let url = links.url(request, &token.strips);
    let texts: Vec<(String, Vec<u8>)> = match &token.says {
        Says::Canned { expires } => {
            steps.extend(token.says.expires().map(until));
            let mut urls = vec![("this URL".to_owned(), url.clone())];
            let other = match links.scheme {
                "http" => "https",
                _ => "http",
            };
            let rest = url.split_once("://").map_or("", |(_, rest)| rest);
            urls.push((format!("the URL with {other}"), format!("{other}://{rest}")));
            if let Some((path, _)) = url.split_once('?') {
                urls.push(("the URL without its query".to_owned(), path.to_owned()));
            }
            urls.push((
                "this URL in its canonical spelling".to_owned(),
                canonical(&url).into_owned(),
            ));
            let text = |(what, url): (String, String)| (what, canned(&url, expires));
            urls.into_iter().map(text).collect()
        }
        Says::Custom { policy } => {
            match Document::parse(policy) {
                Ok(document) => {
                    steps.extend(document.expires.map(until));
                    let resource = document.resource.as_deref();
                    steps.push(match resource {
                        None => "it says: any resource".to_owned(),
                        Some(it) if matches(&canonical(it), &canonical(&url)) => {
                            format!("it says: the resource {it}, which this URL is")
                        }
                        Some(it) => format!("what differs: it is for {it}, but this is {url}"),
                    });
                    if document.check_address(facts.client).is_err() {
                        steps.push("what differs: the address of the client".to_owned());
                    }
                }
                Err(_) => steps.push("its policy is invalid or unsupported".to_owned()),
            }
            vec![("this policy".to_owned(), policy.clone())]
        }
    };
    let is_rejected = links.verify(request, facts).err() == Some(Reason::WrongSignature);
    if is_rejected {
        steps.extend(who(links, token, &texts, facts.now));
    }
    steps
}

/// Which key signed what, in which way.
fn who(
    links: &CloudFront,
    token: &Token<'_>,
    texts: &[(String, Vec<u8>)],
    now: UnixMillis,
) -> Vec<String> {
    for entry in &links.ring.0 {
        for hash in [Hash::Sha1, Hash::Sha256] {
            for (what, text) in texts {
                if !links.holds(entry, hash, token, text) {
                    continue;
                }
                let id = &entry.id;
                let mut told = vec![format!("the key \"{id}\" signed {what}")];
                if *id != token.key_id {
                    told.push(format!(
                        "what differs: the link names the key \"{}\"",
                        token.key_id
                    ));
                }
                if !entry.is_current(now) {
                    told.push(format!(
                        "what differs: the key \"{id}\" is not valid at this time"
                    ));
                }
                if hash != links.hash {
                    told.push(another_hash(links, hash));
                }
                return told;
            }
        }
    }
    let message = "cannot tell what was signed: another URL, time or key";
    vec![message.to_owned()]
}
