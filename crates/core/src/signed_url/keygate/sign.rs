//! Makes tokens. It needs no feature: the filter itself signs, when it exchanges a link
//! for a cookie.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use ipnet::IpNet;
use sha2::Sha256;

use super::Algorithm;
use super::covers;
use super::fields::{FieldError, Fields};
use super::text::{self, Subject};
use super::token::{MAX_TOKEN, VERSION};
use crate::http::cookie::unquoted;
use crate::http::path::AmbiguousPath;
use crate::secret::RingEntry;

/// What a link is to say. `Default` and an end are a link for one URL.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms<'a> {
    /// The first unix second at which it holds no more.
    pub expires_secs: u64,
    /// The first unix second at which it holds.
    pub not_before_secs: Option<u64>,
    /// The method, upper case; without it GET, and HEAD.
    pub method: Option<&'a str>,
    /// It holds on every host.
    pub any_host: bool,
    /// It opens every path that begins so; starts and ends with `/`.
    pub prefix: Option<&'a str>,
    /// Instead of `prefix`: it opens every path that one of these globs matches.
    pub globs: &'a [&'a str],
    /// It holds with every query.
    pub any_query: bool,
    /// Parameters that are not signed: names, or beginnings of names and `*`.
    pub ignored: &'a [&'a str],
    /// Where the client must be; anywhere without one.
    pub addresses: &'a [IpNet],
    /// Headers, name in lower case and value.
    pub headers: &'a [(&'a str, &'a str)],
    /// Cookies, name and value.
    pub cookies: &'a [(&'a str, &'a str)],
    /// Whose it is.
    pub account: Option<&'a str>,
    /// The id of a link that works once.
    pub once: Option<&'a str>,
}

/// The URL that is to be signed, without a token.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// `:authority`.
    pub host: &'a str,
    /// The path; it need not be canonical.
    pub path: &'a str,
    /// What follows the `?`.
    pub query: Option<&'a str>,
}

/// Why there is no token. Never carries a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsignable {
    /// A term that no field can say.
    #[error(transparent)]
    Term(#[from] FieldError),
    /// The host is signed, and there is none.
    #[error("the host is signed, but the URL has none")]
    NoHost,
    /// Path or query.
    #[error("the URL has a broken percent encoding")]
    Encoding,
    /// The link would not open its own URL.
    #[error("the prefix or the globs do not cover the path of the URL")]
    Outside,
    /// More than 4096 characters, or more than eight headers or cookies.
    #[error("the token would be too long")]
    TooLong,
}

impl From<AmbiguousPath> for Unsignable {
    fn from(_: AmbiguousPath) -> Self {
        Self::Encoding
    }
}

/// The token of a link that an entry of a ring signs.
///
/// # Errors
/// [`Unsignable`] for what the format cannot say.
pub fn hs256(
    terms: &Terms<'_>,
    place: &Place<'_>,
    entry: &RingEntry<Hmac<Sha256>>,
) -> Result<String, Unsignable> {
    let list = terms.fields(&entry.id);
    let mut mac = entry.key.clone();
    let update = |piece: &[u8]| mac.update(piece);
    signed_text(terms, place, Algorithm::Hs256, &list, update)?;
    token(&list, &mac.finalize().into_bytes())
}

/// The token of a link with an external signer, which receives the text.
///
/// # Errors
/// [`Unsignable`] for what the format cannot say.
pub fn with(
    terms: &Terms<'_>,
    place: &Place<'_>,
    algorithm: Algorithm,
    key_id: &str,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Result<String, Unsignable> {
    let list = terms.fields(key_id);
    let mut message = Vec::new();
    let extend = |piece: &[u8]| message.extend_from_slice(piece);
    signed_text(terms, place, algorithm, &list, extend)?;
    token(&list, &sign(&message))
}

impl Terms<'_> {
    /// All fields in their order, with the id of a key.
    fn fields(&self, key_id: &str) -> String {
        let mut list = String::new();
        let mut add = |letter: char, value: &str| {
            list.push_str(&format!("{letter}{}:{value}", value.len()));
        };
        add('k', key_id);
        add('e', &self.expires_secs.to_string());
        if let Some(seconds) = self.not_before_secs {
            add('n', &seconds.to_string());
        }
        let one = [('m', self.method), ('h', self.any_host.then_some("*"))];
        for (letter, value) in one {
            value.iter().for_each(|it| add(letter, it));
        }
        self.prefix.iter().for_each(|it| add('p', it));
        self.globs.iter().for_each(|it| add('g', it));
        if self.any_query {
            add('q', "*");
        }
        self.ignored.iter().for_each(|it| add('i', it));
        for range in self.addresses {
            match range.prefix_len() == range.max_prefix_len() {
                true => add('a', &range.addr().to_string()),
                false => add('a', &range.to_string()),
            }
        }
        self.headers.iter().for_each(|(name, _)| add('r', name));
        self.cookies.iter().for_each(|(name, _)| add('c', name));
        self.account.iter().for_each(|it| add('u', it));
        self.once.iter().for_each(|it| add('o', it));
        list
    }
}

fn signed_text(
    terms: &Terms<'_>,
    place: &Place<'_>,
    algorithm: Algorithm,
    list: &str,
    out: impl FnMut(&[u8]),
) -> Result<(), Unsignable> {
    let fields = Fields::parse(list)?;
    if place.host.is_empty() && !fields.any_host {
        return Err(Unsignable::NoHost);
    }
    let is_within = match fields.prefix {
        Some(prefix) => covers::prefix(prefix, place.path).is_some(),
        None => {
            let mut globs = fields.values('g');
            !fields.has('g') || globs.any(|it| covers::glob(it, place.path))
        }
    };
    if !is_within {
        return Err(Unsignable::Outside);
    }
    let values = |all: &[(&str, &str)]| all.len() <= text::MAX_VALUES;
    if !values(terms.headers) || !values(terms.cookies) {
        return Err(Unsignable::TooLong);
    }
    let subject = Subject {
        host: place.host,
        #[cfg(feature = "tools")]
        keeps_case: false,
        path: place.path,
        query: place.query,
        token_parameter: None,
        headers: terms.headers.iter().map(|(_, it)| it.as_bytes()).collect(),
        cookies: terms
            .cookies
            .iter()
            .map(|(_, it)| unquoted(it.as_bytes()))
            .collect(),
    };
    Ok(text::write(algorithm, &fields, &subject, out)?)
}

fn token(list: &str, signature: &[u8]) -> Result<String, Unsignable> {
    let (fields, signature) = (
        URL_SAFE_NO_PAD.encode(list),
        URL_SAFE_NO_PAD.encode(signature),
    );
    let token = format!("{VERSION}{fields}.{signature}");
    match token.len() <= MAX_TOKEN {
        true => Ok(token),
        false => Err(Unsignable::TooLong),
    }
}
