//! Signs a SAS, of version 2020-12-06.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;

use super::{AzureSas, FORWARDED, Resource, Token, VERSIONS, split};
use crate::http::path::{Target, is_unreserved, percent_encode};
use crate::signed_url::format::Strips;
use crate::signed_url::parts::signing;
use crate::signed_url::sign::{Order, Scope, SignError, Signed};
use crate::time::{Millis, UnixMillis};

/// Signs for the blob of the URL or, with the prefix `/CONTAINER/`, for its container.
/// Options: `protocol` (`https` or `https,http`), and the headers of the answer by their
/// parameters, `rscd` and so on.
pub(super) fn signed(links: &AzureSas, order: &Order<'_>) -> Result<Signed, SignError> {
    let known = ["not_before", "expires", "prefix", "addresses", "protocol"];
    order.only(&[&known[..], &FORWARDED].concat())?;
    if order.target.query.is_some() {
        return Err(SignError::new(
            "the URL has a query, which this format does not sign: give fields such as rscd as \
             options",
        ));
    }
    if !["GET", "HEAD"].contains(&order.method) {
        return Err(SignError::new("this command only signs links for reading"));
    }
    let (container, path) =
        split(order.target.path).map_err(|_| SignError::new("the path must be /CONTAINER/BLOB"))?;
    if links.container.as_ref().is_some_and(|it| *it != container) {
        return Err(SignError::new("the provider is for another container"));
    }
    let resource = match order.scope {
        Scope::Path => Resource::Blob,
        Scope::Prefix(prefix) if prefix == format!("/{container}/") => Resource::Container,
        Scope::Prefix(_) | Scope::Globs(_) => {
            return Err(SignError::new(format!(
                "the only prefix that a link can cover is that of the container, /{container}/"
            )));
        }
    };
    let expires = order
        .expires
        .filter(|it| *it > order.now && *it <= order.now.plus(links.max_lifetime))
        .ok_or_else(|| {
            let Millis(most) = links.max_lifetime;
            SignError::new(format!(
                "the link needs an expiry, at most {} s from now",
                most / 1000
            ))
        })?;
    let mut forwarded = [const { String::new() }; 6];
    for (slot, name) in forwarded.iter_mut().zip(FORWARDED) {
        *slot = order.option(name).unwrap_or_default().to_owned();
    }
    let range = match order.addresses {
        [] => String::new(),
        [one] if one.addr() == one.broadcast() => one.addr().to_string(),
        [one] => format!("{}-{}", one.network(), one.broadcast()),
        _ => {
            return Err(SignError::new(
                "a link can have only one range of addresses",
            ));
        }
    };
    let [_, version] = VERSIONS;
    let token = Token {
        permissions: "r".to_owned(),
        start: order.not_before.map(seconds).unwrap_or_default(),
        expiry: seconds(expires),
        range,
        protocol: order.option("protocol").unwrap_or_default().to_owned(),
        version: version.to_owned(),
        resource,
        forwarded,
        mac: [0; 32],
        strips: Strips::new(),
    };
    if !token.is_formed() {
        return Err(SignError::new(
            "protocol must be \"https\" or \"https,http\"",
        ));
    }
    let entry = signing::first(&links.ring, order.now)?;
    let signed = token.string_to_sign(&links.resource(resource, &container, &path));
    let mut mac = entry.key.clone();
    mac.update(signed.as_bytes());
    let mac = STANDARD.encode(mac.finalize().into_bytes());
    let letter = if resource == Resource::Blob { "b" } else { "c" };
    let mut fields = vec![
        ("sv", token.version.as_str()),
        ("st", &token.start),
        ("se", &token.expiry),
        ("sr", letter),
        ("sp", &token.permissions),
        ("sip", &token.range),
        ("spr", &token.protocol),
    ];
    fields.extend(
        FORWARDED
            .into_iter()
            .zip(token.forwarded.iter().map(String::as_str)),
    );
    fields.push(("sig", &mac));
    let fields = fields.into_iter().filter(|(_, it)| !it.is_empty());
    let query: Vec<_> = fields
        .map(|(name, it)| format!("{name}={}", encode(it)))
        .collect();
    let url = order.with_query(&query.join("&"));
    let target = url.get(order.origin.len()..).unwrap_or_default();
    if Target::parse(target.as_bytes()).is_err() {
        return Err(SignError::new(
            "an option has a value that a link cannot contain",
        ));
    }
    Ok(Signed {
        url,
        ..Signed::default()
    })
}

/// `2026-11-22T12:00:00Z`.
fn seconds(at: UnixMillis) -> String {
    let text = at.to_string();
    format!("{}Z", text.split('.').next().unwrap_or_default())
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    percent_encode(&mut encoded, text.as_bytes(), is_unreserved);
    encoded
}
