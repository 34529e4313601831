//! The canonical request of Signature Version 4, as S3 reads it: each part of the URL is
//! percent-encoded once, and the path is not normalised.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::{PARAMETERS, SIGNATURE, UNSIGNED};
use crate::http::authority::Authority;
use crate::http::path::{decode, is_unreserved, percent_encode};
use crate::http::request::Request;
use crate::reason::Reason;
use crate::signed_url::carrier::only;
use crate::text::hex;

/// What is signed of a request, but for its method.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    /// Encoded.
    pub path: String,
    /// Encoded and sorted, without the signature.
    pub query: String,
    /// The named headers, in order.
    pub headers: Vec<(String, String)>,
    /// The digest of the body, or its placeholder.
    pub payload: String,
}

impl Parts {
    /// From a request and the names of its signed headers.
    ///
    /// # Errors
    /// A header that is not there is not signed: [`Reason::WrongSignature`]; one that is
    /// there twice, or a parameter, is [`Reason::DuplicateCredential`].
    pub(super) fn of(request: &Request<'_>, names: &[String]) -> Result<Self, Reason> {
        let mut headers = Vec::new();
        for name in names {
            let value = match name.as_str() {
                "host" => request.authority.as_str(),
                name => only(request.values(name))?.ok_or(Reason::WrongSignature)?,
            };
            headers.push((name.clone(), header_value(value)));
        }
        let query = request.target.query.unwrap_or_default();
        Self::new(request.target.path, query, headers)
    }

    /// From the path and query of a URL.
    ///
    /// # Errors
    /// See [`query`].
    pub(super) fn new(
        path: &str,
        raw: &str,
        headers: Vec<(String, String)>,
    ) -> Result<Self, Reason> {
        Ok(Self {
            path: recoded(path, b"/"),
            query: query(raw)?,
            headers,
            payload: UNSIGNED.to_owned(),
        })
    }

    /// The canonical request.
    pub(super) fn request(&self, method: &str) -> String {
        let lines: String = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        format!(
            "{method}\n{}\n{}\n{lines}\n{}\n{}",
            self.path,
            self.query,
            names.join(";"),
            self.payload
        )
    }

    /// The same for the host in lower case and without its default port, if it has another
    /// spelling.
    pub(super) fn with_plain_host(&self) -> Option<Self> {
        let mut other = self.clone();
        let (_, host) = other.headers.iter_mut().find(|(name, _)| name == "host")?;
        let plain = Authority::parse(host).ok()?.without_default_port("");
        let plain = plain.to_ascii_lowercase();
        if plain == *host {
            return None;
        }
        *host = plain;
        Some(other)
    }
}

/// `AWS4-HMAC-SHA256`, the date, the scope, and the digest of the canonical request.
pub(super) fn string_to_sign(date: &str, scope: &str, canonical_request: &str) -> String {
    let digest = hex::encode(&Sha256::digest(canonical_request.as_bytes()));
    format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}")
}

/// Names and values, each encoded, sorted by name; without the signature.
///
/// # Errors
/// [`Reason::DuplicateCredential`] for a name that is given more than once: their order is not
/// signed. [`Reason::MalformedCredential`] for one of the signature's own names in
/// another case, and for a broken triplet: what is decoded behind it could join with it,
/// so that `%%32F` would be signed as `%2F` is.
fn query(raw: &str) -> Result<String, Reason> {
    if raw.is_empty() {
        return Ok(String::new());
    }
    decode(raw).map_err(|_| Reason::MalformedCredential)?;
    let mut pairs = Vec::new();
    for parameter in raw.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = recoded(name, b"");
        let is_like = |it: &&&str| it.eq_ignore_ascii_case(&name);
        if PARAMETERS
            .iter()
            .find(is_like)
            .is_some_and(|it| *it != name)
        {
            return Err(Reason::MalformedCredential);
        }
        pairs.push((name, recoded(value, b"")));
    }
    pairs.sort_unstable();
    let names = pairs.iter().map(|(name, _)| name);
    if names
        .clone()
        .zip(names.skip(1))
        .any(|(one, next)| one == next)
    {
        return Err(Reason::DuplicateCredential);
    }
    let mut text = String::new();
    for (name, value) in pairs.iter().filter(|(name, _)| name != SIGNATURE) {
        let separator = if text.is_empty() { "" } else { "&" };
        let _ = write!(text, "{separator}{name}={value}");
    }
    Ok(text)
}

/// A value without blanks around it, and each run of blanks in it as one.
pub(super) fn header_value(value: &str) -> String {
    let words = value.split([' ', '\t']).filter(|it| !it.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Percent-encoded once, even if it was encoded before: upper-case triplets for all but
/// unreserved characters (RFC 3986 section 2.3) and those of `kept`. A plus stays a plus, so
/// that no other program reads it as a space. A broken triplet stays, too.
pub(super) fn recoded(text: &str, kept: &[u8]) -> String {
    let mut recoded = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let digits = (
            ahead.next().and_then(hex::digit),
            ahead.next().and_then(hex::digit),
        );
        match (byte, digits) {
            (b'%', (Some(high), Some(low))) => {
                bytes = ahead;
                push(&mut recoded, &[(high << 4) | low], b"");
            }
            (b'%' | b'+', _) => recoded.push(char::from(byte)),
            _ => push(&mut recoded, &[byte], kept),
        }
    }
    recoded
}

/// Percent-encoded: plain text, as a value in a query.
#[cfg(feature = "tools")]
pub(super) fn encode(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::new();
    push(&mut encoded, text.as_bytes(), kept);
    encoded
}

fn push(to: &mut String, text: &[u8], kept: &[u8]) {
    percent_encode(to, text, |octet| {
        is_unreserved(octet) || kept.contains(&octet)
    });
}
