//! Signs a token, or a request in the older form.

use super::token::{self, Token};
use super::{GoogleMediaCdn, Keys, Mode, signed};
use crate::http::path::canonical;
use crate::signed_url::google::base64url::{Padding, encode};
use crate::signed_url::google::sign::sign as sign_request;
use crate::signed_url::parts::deliver::deliver;
use crate::signed_url::parts::lifetime::seconds;
use crate::signed_url::parts::{signing, told};
use crate::signed_url::sign::{Order, Scope, SignError, Signed};
use crate::text::hex;

/// Signs an order in the mode of the provider. Options of tokens: `SessionID` and `Data`.
pub(super) fn sign(links: &GoogleMediaCdn, order: &Order<'_>) -> Result<Signed, SignError> {
    if links.mode == Mode::Signatures {
        let signer = |message: &dyn Fn(&str) -> String| named(&links.keys, order, message);
        return sign_request(&links.carriers, order, &signer);
    }
    let fields = fields(order)?.join("~");
    let path = canonical(order.target.path);
    if token::reads_as_fields(&path) {
        return Err(SignError::new(
            "the path contains text that reads as a field of a token",
        ));
    }
    let headers: Vec<String> = order
        .headers
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    // The token is read back, so that nothing is signed that would not be taken.
    let dummy = match &links.keys {
        Keys::Ed25519(_) => format!("Signature={}", encode(&[0; 64], Padding::Never)),
        Keys::Hmac(hash, _) => format!("hmac={}", hex::encode(&vec![0; hash.length()])),
    };
    let text = format!("{fields}~{dummy}");
    let token = Token::parse(&text, &links.keys);
    let token = token.map_err(|_| SignError::new("these options make no valid token"))?;
    let message = signed::message(&token, &path, &headers.join(","));
    let signature = match &links.keys {
        Keys::Ed25519(_) => {
            let (_, signature) = named(&links.keys, order, &|_| message.clone())?;
            format!("Signature={}", encode(&signature, Padding::Never))
        }
        Keys::Hmac(_, ring) => {
            let entry = signing::first(ring, order.now)?;
            format!("hmac={}", hex::encode(&entry.key.sign(message.as_bytes())))
        }
    };
    deliver(&links.carriers, order, format!("{fields}~{signature}"))
}

/// Signs with the private key of the order, under the id of the public key that it fits.
fn named(
    keys: &Keys,
    order: &Order<'_>,
    message: &dyn Fn(&str) -> String,
) -> Result<(String, Vec<u8>), SignError> {
    let Keys::Ed25519(ring) = keys else {
        return Err(SignError::new("this provider has no public keys"));
    };
    let (entry, private) = signing::of_private(ring, order)?;
    let signature = private.sign(message(&entry.id).as_bytes());
    Ok((entry.id.clone(), signature))
}

fn fields(order: &Order<'_>) -> Result<Vec<String>, SignError> {
    let known = [
        "not_before",
        "expires",
        "prefix",
        "globs",
        "addresses",
        "headers",
        "SessionID",
        "Data",
    ];
    order.only(&known)?;
    let expires = order.expires.ok_or_else(told::no_end)?;
    let mut fields = vec![scope(order)?];
    if let Some(time) = order.not_before {
        fields.push(format!("Starts={}", seconds("not_before", time)?));
    }
    fields.push(format!("Expires={}", seconds("expires", expires)?));
    for name in ["SessionID", "Data"] {
        if let Some(value) = order.option(name) {
            fields.push(format!("{name}={}", plain(name, value)?));
        }
    }
    if !order.headers.is_empty() {
        let names: Vec<&str> = order.headers.iter().map(|(name, _)| *name).collect();
        if !order.headers.iter().all(|(_, it)| signed::is_one_value(it)) {
            return Err(SignError::new(
                "headers: a value with \"~\", or with a comma and a name, cannot be signed",
            ));
        }
        fields.push(format!("Headers={}", names.join(",")));
    }
    if !order.addresses.is_empty() {
        let ranges: Vec<String> = order.addresses.iter().map(ToString::to_string).collect();
        let ranges = encode(ranges.join(",").as_bytes(), Padding::Never);
        fields.push(format!("IPRanges={ranges}"));
    }
    Ok(fields)
}

/// A prefix is one of URLs where the order has a host, and one of paths where it has none.
fn scope(order: &Order<'_>) -> Result<String, SignError> {
    match order.scope {
        Scope::Path => Ok("FullPath".to_owned()),
        Scope::Prefix(prefix) if order.origin.contains("://") => {
            let prefix = format!("{}{}", order.origin, canonical(prefix));
            let encoded = encode(prefix.as_bytes(), Padding::Never);
            Ok(format!("URLPrefix={encoded}"))
        }
        Scope::Prefix(prefix) if !prefix.contains(['*', '?', '!', ',']) => {
            let prefix = canonical(prefix);
            Ok(format!("PathGlobs={}*", plain("prefix", &prefix)?))
        }
        Scope::Prefix(_) => Err(SignError::new("--prefix must have no wildcard and no list")),
        Scope::Globs(globs) => {
            let globs: Vec<_> = globs.iter().map(|it| canonical(it)).collect();
            if globs.iter().any(|it| it.contains(['!', ','])) {
                return Err(SignError::new("--glob must have no \"!\" and no \",\""));
            }
            Ok(format!("PathGlobs={}", plain("globs", &globs.join("!"))?))
        }
    }
}

/// Google permits neither `~` nor `&` nor blanks; a cookie has no `;` either.
fn plain<'v>(name: &str, value: &'v str) -> Result<&'v str, SignError> {
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"~&;#\"\\".contains(&byte);
    if value.is_empty() || !value.bytes().all(fits) {
        return Err(SignError::new(format!(
            "{name}: must be visible ASCII without \"~\", \"&\", \";\" or \"#\""
        )));
    }
    Ok(value)
}
