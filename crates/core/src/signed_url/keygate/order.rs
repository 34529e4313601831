//! [`Format::sign`](crate::signed_url::format::Format::sign): an order put into terms, and the
//! token put where the first carrier says.

use super::fields::{FieldError, most_of, rule_of};
use super::sign::{Place, Terms, Unsignable, hs256, with};
use super::{Algorithm, Keygate, Keys};
use crate::http::parameter::find_parameter;
use crate::http::path::canonical;
use crate::signed_url::carrier::Carrier;
use crate::signed_url::crypto::private_key::PrivateKey;
use crate::signed_url::parts::deliver::deliver;
use crate::signed_url::parts::{signing, told};
use crate::signed_url::sign::{Order, Scope, SignError, Signed};

const KNOWN: &[&str] = &[
    "not_before",
    "expires",
    "prefix",
    "globs",
    "addresses",
    "headers",
    "cookies",
    "account",
    "once",
    // Options of this format alone: `host` and `query` take `*`, `ignore` may be repeated.
    "host",
    "query",
    "ignore",
];

/// Signs with the first secret that counts, or with the private key of the order.
pub(super) fn sign(links: &Keygate, order: &Order<'_>) -> Result<Signed, SignError> {
    order.only(KNOWN)?;
    let expires = order.expires.ok_or_else(told::no_end)?;
    let ignored: Vec<&str> = order
        .options
        .iter()
        .filter(|(name, _)| *name == "ignore")
        .map(|(_, value)| *value)
        .collect();
    for name in &ignored {
        if !links.query_ignore.iter().any(|it| it.0 == *name) {
            return Err(SignError::new(format!(
                "\"{name}\" is not in query_ignore, so the link would be rejected: add it to the \
                 policy, or without one use --set 'query_ignore=[\"{name}\"]'"
            )));
        }
    }
    let latest = order.now.plus(links.max_lifetime).plus(links.skew);
    if expires > latest {
        return Err(SignError::new(format!(
            "the link would outlive max_lifetime: the latest expiry is {latest}"
        )));
    }
    let prefix = match order.scope {
        Scope::Prefix(prefix) => Some(canonical(prefix)),
        Scope::Path | Scope::Globs(_) => None,
    };
    let globs: Vec<_> = match order.scope {
        Scope::Globs(globs) => globs.iter().map(|it| canonical(it)).collect(),
        Scope::Path | Scope::Prefix(_) => Vec::new(),
    };
    let globs: Vec<&str> = globs.iter().map(AsRef::as_ref).collect();
    let terms = Terms {
        expires_secs: expires.as_secs(),
        not_before_secs: order.not_before.map(|it| it.as_secs()),
        method: Some(order.method).filter(|it| *it != "GET"),
        any_host: any(order, "host")?,
        prefix: prefix.as_deref(),
        globs: &globs,
        any_query: any(order, "query")?,
        ignored: &ignored,
        addresses: order.addresses,
        headers: order.headers,
        cookies: order.cookies,
        account: order.account,
        once: order.once,
    };
    let place = Place {
        host: order.authority(),
        path: order.target.path,
        query: order.target.query,
    };
    let token = token(links, order, &terms, &place)?;
    put(links, order, &token)
}

/// An option that is `*` or not given.
fn any(order: &Order<'_>, name: &str) -> Result<bool, SignError> {
    match order.option(name) {
        None => Ok(false),
        Some("*") => Ok(true),
        Some(_) => Err(SignError::new(format!(
            "the option {name} can only be \"*\""
        ))),
    }
}

fn token(
    links: &Keygate,
    order: &Order<'_>,
    terms: &Terms<'_>,
    place: &Place<'_>,
) -> Result<String, SignError> {
    let unsigned = |error: Unsignable| match error {
        Unsignable::NoHost => SignError::new(
            "the link is for one host: use the whole URL, or --option host=* for every host",
        ),
        Unsignable::Term(error) => SignError::new(in_options(error)),
        other => SignError::new(other.to_string()),
    };
    match (&links.keys, order.private_key) {
        (Keys::Hs256(ring), None) => {
            let entry = signing::first(ring, order.now)?;
            hs256(terms, place, &entry.with(entry.key.mac())).map_err(unsigned)
        }
        (Keys::EdDsa(ring), _) => {
            let (entry, private) = signing::of_private(ring, order)?;
            let sign = |text: &[u8]| PrivateKey::sign(private, text);
            with(terms, place, Algorithm::EdDsa, &entry.id, sign).map_err(unsigned)
        }
        (Keys::Hs256(_), Some(_)) => Err(SignError::new(
            "the provider verifies with secrets: do not give a private key",
        )),
    }
}

/// Why a field cannot be signed, by the option that sets it: the signer wrote no field.
fn in_options(error: FieldError) -> String {
    match error {
        FieldError::Form => "an option is empty, or has more than 9999 bytes".to_owned(),
        FieldError::Value(letter) => format!("{} {}", option_of(letter), rule_of(letter)),
        FieldError::Place(letter) => {
            let most = most_of(letter);
            format!("{} can be given at most {most} times", option_of(letter))
        }
        FieldError::Missing(_) | FieldError::TwoScopes | FieldError::Times => error.to_string(),
    }
}

/// The option that sets a field.
fn option_of(letter: char) -> &'static str {
    match letter {
        'k' => "--key-id",
        'e' => "--expires-at",
        'n' => "--not-before",
        'm' => "--method",
        'h' => "--option host",
        'p' => "--prefix",
        'g' => "--glob",
        'q' => "--option query",
        'i' => "--option ignore",
        'a' => "--address",
        'r' => "--header",
        'c' => "--cookie",
        'u' => "--account",
        'o' => "--once",
        _ => "an option",
    }
}

/// Puts the token into the first carrier.
fn put(links: &Keygate, order: &Order<'_>, token: &str) -> Result<Signed, SignError> {
    for name in links.carriers.iter().filter_map(|it| match it {
        Carrier::Query(name) => Some(name),
        Carrier::Header(_) | Carrier::Cookie(_) | Carrier::Path(_) | Carrier::PathParameter(_) => {
            None
        }
    }) {
        if !matches!(find_parameter(&order.target, name), Ok(None)) {
            let message = format!("the URL already has a parameter \"{name}\"");
            return Err(SignError::new(message));
        }
    }
    deliver(&links.carriers, order, token.to_owned())
}
