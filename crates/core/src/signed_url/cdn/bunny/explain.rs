//! What was found of a link, and what was signed when it does not hold.

use super::{Bunny, Token, spellings};
use crate::http::request::Request;
use crate::signed_url::facts::LinkFacts;
use crate::signed_url::format::Format as _;
use crate::signed_url::parts::hmac_key::HmacKey;
use crate::signed_url::parts::{near, told};

/// The steps of the check, without its result.
pub(super) fn lines(links: &Bunny, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
    let token = links.find(request);
    let mut steps = vec![match &token {
        Ok(_) => "a token was found".to_owned(),
        Err(reason) => format!(
            "parameter \"token\" or segment \"bcdn_token\": {}",
            reason.code()
        ),
    }];
    if let Ok(token) = &token {
        steps.push(format!("it says: valid until {}", token.end));
        for name in ["token_path", "token_countries", "token_countries_blocked"] {
            let value = token.parameters.value(name);
            steps.extend(value.map(|it| format!("it says: {name} is {it}")));
        }
    }
    steps.push(crate::signed_url::parts::rings::ring(
        &links.ring,
        facts.now,
    ));
    let verified = links.verify(request, facts);
    if let (Ok(token), true) = (token, told::is_unsigned(&verified)) {
        let guesses = guesses(links, request, facts, &token);
        let signs = |key: &HmacKey, it: &Vec<u8>| key.verify(it, &token.mac);
        steps.extend(told::found(&links.ring, facts.now, &guesses, signs));
    }
    steps
}

fn guesses(
    links: &Bunny,
    request: &Request<'_>,
    facts: &LinkFacts<'_>,
    token: &Token<'_>,
) -> Vec<told::Guess<Vec<u8>>> {
    let path = request.target.path;
    let token_path = token.parameters.value("token_path");
    let address = links.address(facts.client).unwrap_or_default();
    let mut guesses = Vec::new();
    match token_path {
        Some(signed) => {
            // The MAC may be right, and the path not below.
            let what = format!("{signed}, and this path is not below it");
            let right = super::covers(path, signed).is_some();
            guesses.push(((!right).then_some(what), token.message(signed, &address)));
        }
        None => {
            let right = spellings(path);
            guesses.extend(right.iter().map(|it| (None, token.message(it, &address))));
        }
    }
    let signed = token_path.unwrap_or(path);
    if !address.is_empty() {
        let what = "no address".to_owned();
        guesses.push((Some(what), token.message(signed, &[])));
        let text = facts
            .client
            .address()
            .map(|it| it.to_string())
            .unwrap_or_default();
        let bare = token.message(signed, &[]);
        let what = "the address as text, at the end".to_owned();
        guesses.push((Some(what), [bare.as_slice(), text.as_bytes()].concat()));
    }
    for (what, near) in near::targets(signed) {
        guesses.push((Some(what.to_owned()), token.message(&near, &address)));
    }
    let own = token.parameters.signed();
    for (what, data) in [
        ("the link without its parameters", String::new()),
        (
            "the parameters percent-encoded",
            own.replace('/', "%2F").replace(',', "%2C"),
        ),
    ] {
        let digits = token.digits.as_bytes();
        let message = [signed.as_bytes(), digits, &address, data.as_bytes()].concat();
        guesses.push((Some(what.to_owned()), message));
    }
    for (what, digits) in told::times(token.end) {
        let message = [
            signed.as_bytes(),
            digits.as_bytes(),
            &address,
            own.as_bytes(),
        ]
        .concat();
        guesses.push((Some(what), message));
    }
    guesses
}
