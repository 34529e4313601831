//! The text of a token: fields joined by `~`, each once, the signature last.

use ipnet::IpNet;

use super::Keys;
use crate::http::address::range;
use crate::http::client::Client;
use crate::reason::Reason;
use crate::signed_url::google::base64url::{Padding, decode};
use crate::signed_url::google::prefix::UrlPrefix;
use crate::signed_url::parts::lifetime::parse_seconds;
use crate::time::UnixMillis;

/// All fields but the signature.
const FIELDS: [&str; 9] = [
    "FullPath",
    "PathGlobs",
    "URLPrefix",
    "Starts",
    "Expires",
    "SessionID",
    "Data",
    "Headers",
    "IPRanges",
];

/// As many ranges as Google permits.
const MAX_RANGES: usize = 5;

/// A token as read.
#[derive(Debug)]
pub(super) struct Token<'t> {
    /// The fields before the signature, in their order.
    pub fields: Vec<(&'t str, Option<&'t str>)>,
    /// The whole signature or MAC.
    pub signature: Vec<u8>,
    /// What it opens.
    pub scope: Scope<'t>,
    /// When it begins.
    pub starts: Option<UnixMillis>,
    /// When it ends.
    pub expires: UnixMillis,
    /// The headers that are signed, in any case.
    pub headers: Vec<&'t str>,
    /// The client addresses for which the token is valid. A `None` in it is an unreadable
    /// range, which matches no client.
    pub ranges: Option<Vec<Option<IpNet>>>,
}

/// What a token opens.
#[derive(Debug)]
pub(super) enum Scope<'t> {
    /// The path that was signed.
    FullPath,
    /// Paths that match one of these.
    PathGlobs(Vec<&'t str>),
    /// URLs that begin so.
    UrlPrefix(UrlPrefix),
}

impl<'t> Token<'t> {
    /// Reads a token.
    ///
    /// # Errors
    /// [`Reason::MalformedCredential`] for a field that is unknown, a second time there,
    /// empty or not of its form, for a token that has no end or not one scope, and for one
    /// whose last field is no whole signature of the algorithm of the configuration.
    pub(super) fn parse(text: &'t str, keys: &Keys) -> Result<Self, Reason> {
        let malformed = Reason::MalformedCredential;
        let (body, signature) = text.rsplit_once('~').ok_or(malformed)?;
        let mut fields: Vec<(&str, Option<&str>)> = Vec::new();
        for field in body.split('~') {
            let (name, value) = match field.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (field, None),
            };
            let is_known = FIELDS.contains(&name) && !fields.iter().any(|(it, _)| *it == name);
            // Nothing but FullPath is without a value.
            let has_value = value.is_some_and(|it| !it.is_empty());
            if !is_known || has_value == (name == "FullPath") || value == Some("") {
                return Err(malformed);
            }
            fields.push((name, value));
        }
        let value = |name: &str| {
            let mut all = fields.iter();
            all.find(|(it, _)| *it == name).map(|(_, value)| *value)
        };
        let given = |name: &str| value(name).flatten();
        let scope = match (value("FullPath"), given("PathGlobs"), given("URLPrefix")) {
            (Some(None), None, None) => Scope::FullPath,
            (None, Some(globs), None) => Scope::PathGlobs(path_globs(globs)?),
            (None, None, Some(prefix)) => {
                Scope::UrlPrefix(UrlPrefix::parse(prefix, Padding::Never)?)
            }
            _ => return Err(malformed),
        };
        Ok(Self {
            signature: keys.read(signature).ok_or(malformed)?,
            scope,
            starts: given("Starts").map(parse_seconds).transpose()?,
            expires: parse_seconds(given("Expires").ok_or(malformed)?)?,
            headers: given("Headers").map_or(Ok(Vec::new()), header_names)?,
            ranges: given("IPRanges").map(ip_ranges).transpose()?,
            fields,
        })
    }

    /// Whether it may be used from this address.
    pub(super) fn is_from(&self, client: Client<'_>) -> bool {
        let Some(ranges) = &self.ranges else {
            return true;
        };
        let client = client.address().map(|it| it.to_canonical());
        let mut nets = ranges.iter().flatten();
        client.is_some_and(|client| nets.any(|net| net.contains(&client)))
    }
}

impl Keys {
    /// The signature at the end of a token, of this algorithm only.
    fn read(&self, field: &str) -> Option<Vec<u8>> {
        match self {
            Self::Ed25519(_) => decode(field.strip_prefix("Signature=")?, Padding::Never)
                .filter(|it| it.len() == super::FORM.length),
            Self::Hmac(hash, _) => hash.decode_hex(field.strip_prefix("hmac=")?),
        }
    }
}

/// Whether a text that is signed among the fields holds something that reads as one.
pub(super) fn reads_as_fields(text: &str) -> bool {
    let mut pieces = text.split('~').skip(1);
    pieces.any(|piece| {
        let name = piece.split('=').next().unwrap_or(piece);
        FIELDS.contains(&name)
    })
}

/// One delimiter, and each from the first slash on.
fn path_globs(text: &str) -> Result<Vec<&str>, Reason> {
    let delimiter = if text.contains('!') { '!' } else { ',' };
    let is_mixed = delimiter == '!' && text.contains(',');
    let globs: Vec<&str> = text.split(delimiter).collect();
    if is_mixed || !globs.iter().all(|it| it.starts_with('/')) {
        return Err(Reason::MalformedCredential);
    }
    Ok(globs)
}

/// RFC 9110 section 5.1: names are tokens. The same one twice would be signed twice.
fn header_names(text: &str) -> Result<Vec<&str>, Reason> {
    let names: Vec<&str> = text.split(',').collect();
    let is_double = |(at, name): (usize, &&str)| {
        let mut before = names.iter().take(at);
        before.any(|it| it.eq_ignore_ascii_case(name))
    };
    if !names.iter().all(|it| is_header_name(it)) || names.iter().enumerate().any(is_double) {
        return Err(Reason::MalformedCredential);
    }
    Ok(names)
}

pub(super) fn is_header_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

fn ip_ranges(text: &str) -> Result<Vec<Option<IpNet>>, Reason> {
    let bytes = decode(text, Padding::Never).ok_or(Reason::MalformedCredential)?;
    let text = String::from_utf8(bytes).map_err(|_| Reason::MalformedCredential)?;
    let ranges: Vec<Option<IpNet>> = text.split(',').map(range).collect();
    if ranges.len() > MAX_RANGES {
        return Err(Reason::MalformedCredential);
    }
    Ok(ranges)
}
