//! What was found of a link, and what was signed when it does not hold.

use super::{Mode, Nginx, Text, Token, is_equal, sum};
use crate::http::client::Client;
use crate::http::path::decode;
use crate::http::request::{Header, Request};
use crate::reason::Reason;
use crate::signed_url::facts::LinkFacts;
use crate::signed_url::format::Format as _;
use crate::signed_url::parts::{near, told};

/// The steps of the check, without its result.
pub(super) fn lines(links: &Nginx, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
    let token = links.find(request);
    let place = match &links.mode {
        Mode::SecureLink { md5, .. } => format!("parameter \"{md5}\""),
        Mode::Secret { prefix } => format!("the segment after {prefix}"),
    };
    let mut steps = vec![match &token {
        Ok(_) => format!("{place}: an MD5"),
        Err(reason) => format!("{place}: {}", reason.code()),
    }];
    let end = token.as_ref().ok().and_then(|it| it.end);
    steps.extend(end.map(|(_, end)| format!("it says: valid until {end}")));
    steps.push(crate::signed_url::parts::rings::ring(
        &links.ring,
        facts.now,
    ));
    let verified = links.verify(request, facts);
    if matches!(verified, Err(Reason::AmbiguousPath)) {
        let message = "the end of the path could be part of the address: \
                       put a delimiter between $uri and $remote_addr";
        steps.push(message.to_owned());
    }
    if let (Ok(token), true) = (token, told::is_unsigned(&verified)) {
        if !links.is_whole(request) {
            steps.push("what differs: the query has parameters that are not signed".to_owned());
        }
        let guesses = guesses(links, request, facts, &token);
        let signs = |key: &_, text: &Text| is_equal(&sum(text, key), &token.sum);
        steps.extend(told::found(&links.ring, facts.now, &guesses, signs));
    }
    steps
}

fn guesses(
    links: &Nginx,
    request: &Request<'_>,
    facts: &LinkFacts<'_>,
    token: &Token<'_>,
) -> Vec<told::Guess<Text>> {
    let right = links.texts(request, facts, token).unwrap_or_default();
    let mut guesses: Vec<told::Guess<Text>> = right.into_iter().map(|it| (None, it)).collect();
    let Mode::SecureLink { template, .. } = &links.mode else {
        for (what, path) in near::targets(request.target.path) {
            let bytes = decode(&path).map(std::borrow::Cow::into_owned);
            let text = vec![Some(bytes.unwrap_or_default()), None];
            guesses.push((Some(what.to_owned()), text));
        }
        return guesses;
    };
    let digits = token.end.map(|(digits, _)| digits).unwrap_or_default();
    if let Some((_, end)) = &token.end {
        for (what, digits) in told::times(*end) {
            let text = template.text(request, facts.client, &digits);
            guesses.extend(text.into_iter().map(|it| (Some(what.clone()), it)));
        }
    }
    for (what, path) in near::targets(request.target.path) {
        let headers = with_path(request, &path);
        let near = Request::read(&headers);
        let text = near.and_then(|it| template.text(&it, facts.client, digits));
        guesses.extend(text.into_iter().map(|it| (Some(what.to_owned()), it)));
    }
    for address in ["127.0.0.1", "::1"] {
        let client = Client::Known(address.parse().ok());
        let text = template.text(request, client, digits);
        let what = format!("the address {address}");
        guesses.extend(text.into_iter().map(|it| (Some(what.clone()), it)));
    }
    guesses
}

fn with_path(request: &Request<'_>, path: &str) -> Vec<Header> {
    let mut headers = request.headers.to_vec();
    let query = request.target.query.map(|it| format!("?{it}"));
    for (name, value) in &mut headers {
        if name == b":path" {
            *value = format!("{path}{}", query.as_deref().unwrap_or_default()).into();
        }
    }
    headers
}
