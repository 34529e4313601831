//! What the signature of a token is over: its fields, two of them with what the request
//! holds.

use super::token::{Scope, Token, is_header_name, reads_as_fields};
use crate::http::path::{canonical, readable};
use crate::http::request::Request;
use crate::signed_url::carrier::only;

/// What may have been signed; nothing where the request cannot be what was signed.
pub(super) fn messages(token: &Token<'_>, request: &Request<'_>) -> Vec<String> {
    let path = request.target.path;
    let mut paths = vec![path.to_owned()];
    for other in [canonical(path), readable(path)] {
        if !paths.iter().any(|it| *it == *other) {
            paths.push(other.into_owned());
        }
    }
    if !matches!(token.scope, Scope::FullPath) {
        paths.truncate(1);
    }
    // A path in which something reads as a field could end where the next field begins.
    paths.retain(|it| !matches!(token.scope, Scope::FullPath) || !reads_as_fields(it));
    let Some(headers) = headers(token, request) else {
        return Vec::new();
    };
    paths
        .iter()
        .map(|it| message(token, it, &headers))
        .collect()
}

/// The signed text of a token for a path and for headers in the form of the text.
pub(super) fn message(token: &Token<'_>, path: &str, headers: &str) -> String {
    let fields = token.fields.iter().map(|(name, value)| match *name {
        "FullPath" => format!("FullPath={path}"),
        "Headers" => format!("Headers={headers}"),
        _ => format!("{name}={}", value.unwrap_or_default()),
    });
    fields.collect::<Vec<_>>().join("~")
}

/// `NAME=VALUE,…` of the headers that a token names, in its case; `None` when one of them is
/// not there just once, or when its value could be read as something else.
pub(super) fn headers(token: &Token<'_>, request: &Request<'_>) -> Option<String> {
    let mut pairs = Vec::new();
    for name in &token.headers {
        let lower = name.to_ascii_lowercase();
        let value = only(request.values(&lower)).ok()??;
        if !is_one_value(value) {
            return None;
        }
        pairs.push(format!("{name}={value}"));
    }
    Some(pairs.join(","))
}

/// Neither `~`, which would end the field, nor `,NAME=`, which would begin another header.
pub(super) fn is_one_value(value: &str) -> bool {
    let mut others = value.split(',').skip(1);
    let is_pair = |piece: &str| {
        let name = piece.split_once('=').map(|(name, _)| name);
        name.is_some_and(is_header_name)
    };
    !value.contains('~') && !others.any(is_pair)
}
