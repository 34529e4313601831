//! A signed request: where its fields are, and what is signed.

use std::borrow::Cow;

use super::Scheme;
use super::base64url::{Padding, decode};
use super::prefix::UrlPrefix;
use crate::http::edit::Strip;
use crate::http::parameter::decode_token;
use crate::http::parameter::{find_parameter, find_token};
use crate::http::request::Request;
use crate::reason::Reason;
use crate::signed_url::carrier::{self, Carrier};
use crate::signed_url::format::{Covers, Strips};
use crate::signed_url::parts::lifetime::parse_seconds;
use crate::signed_url::parts::spelling;
use crate::time::UnixMillis;

/// The parameter whose presence makes a request a signed one.
pub(crate) const SIGNATURE: &str = "Signature";

/// A signed request as read.
#[derive(Debug)]
pub(crate) struct SignedRequest<'a> {
    /// What may have been signed, the most likely first.
    pub messages: Vec<String>,
    /// When it ends.
    pub expires: UnixMillis,
    /// The id of the key.
    pub key_name: &'a str,
    /// The whole signature.
    pub signature: Vec<u8>,
    /// What it opens.
    pub scope: Scope<'a>,
    /// What takes it out again.
    pub strips: Strips<'a>,
}

/// What a signed request opens.
#[derive(Debug)]
pub(crate) enum Scope<'a> {
    /// Its own URL.
    Url,
    /// Every URL that begins so.
    Prefix(UrlPrefix),
    /// Every path that begins as it does before the segment with the signature.
    Before(&'a str),
}

/// How signatures are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// How many bytes they have.
    pub length: usize,
    /// Whether they are padded.
    pub padding: Padding,
}

impl<'a> SignedRequest<'a> {
    /// Finds the one signature in the carriers.
    ///
    /// # Errors
    /// [`Reason::MissingCredential`], [`Reason::DuplicateCredential`], or
    /// [`Reason::MalformedCredential`] for fields that are unknown, out of their order, not
    /// side by side or not of their form.
    pub(crate) fn find(
        carriers: &'a [Carrier],
        scheme: Scheme,
        form: Form,
        request: &Request<'a>,
    ) -> Result<Self, Reason> {
        let found = carrier::find(carriers, request)?;
        let origins = origins(scheme, request);
        match found.carrier {
            Carrier::Query(_) => Self::in_query(&origins, form, request),
            Carrier::Cookie(name) => {
                let mut read = Self::fields(found.text, ':', true, form)?;
                read.strips = [Strip::Cookie(name)].into_iter().collect();
                Ok(read)
            }
            Carrier::Path(name) => {
                let mut read = Self::fields(found.text, '&', false, form)?;
                let token = request.path_token.ok_or(Reason::MissingCredential)?;
                let fields = read.messages.join("");
                let urls = urls(&origins, token.before).into_iter();
                read.messages = urls.map(|url| format!("{url}{name}={fields}")).collect();
                read.scope = Scope::Before(token.before);
                Ok(read)
            }
            Carrier::Header(_) | Carrier::PathParameter(_) => Err(Reason::MissingCredential),
        }
    }

    fn in_query(origins: &[String; 2], form: Form, request: &Request<'a>) -> Result<Self, Reason> {
        let malformed = Reason::MalformedCredential;
        let target = &request.target;
        let prefix = find_parameter(target, "URLPrefix")?;
        let expires = find_parameter(target, "Expires")?.ok_or(malformed)?;
        let key = find_parameter(target, "KeyName")?.ok_or(malformed)?;
        let signature = find_token(target, SIGNATURE)?.ok_or(malformed)?;
        // Side by side and in Google's order: each begins where the one before it ends.
        let rows = [prefix, Some(expires), Some(key), Some(signature)];
        let mut end = None;
        for it in rows.iter().flatten() {
            if end.is_some_and(|end| end != it.before.len()) {
                return Err(malformed);
            }
            end = Some(it.through_name.len().saturating_add(it.value.len()));
        }
        let scope = match prefix {
            Some(prefix) => Scope::Prefix(UrlPrefix::parse(&text(prefix.value)?, Padding::Either)?),
            // What follows the signature is not signed, so nothing may follow.
            None if !signature.is_last => return Err(malformed),
            None => Scope::Url,
        };
        let messages = match prefix {
            Some(prefix) => vec![format!(
                "URLPrefix={}&Expires={}&KeyName={}",
                text(prefix.value)?,
                expires.value,
                key.value
            )],
            None => urls(origins, signature.before),
        };
        let names = ["URLPrefix", "Expires", "KeyName", SIGNATURE];
        let skipped = usize::from(prefix.is_none());
        Ok(Self {
            messages,
            expires: parse_seconds(expires.value)?,
            key_name: key.value,
            signature: form.read(&text(signature.value)?)?,
            scope,
            strips: names
                .into_iter()
                .skip(skipped)
                .map(Strip::Parameter)
                .collect(),
        })
    }

    /// Reads `[URLPrefix=…]Expires=…KeyName=…Signature=…`; its message is the fields before
    /// the signature, as sent.
    fn fields(
        found: &'a str,
        separator: char,
        has_prefix: bool,
        form: Form,
    ) -> Result<Self, Reason> {
        let malformed = Reason::MalformedCredential;
        let mut fields = found.split(separator);
        let mut next = |name: &str| {
            let field = fields.next()?;
            field.strip_prefix(name)?.strip_prefix('=')
        };
        let prefix = match has_prefix {
            true => Some(next("URLPrefix").ok_or(malformed)?),
            false => None,
        };
        let expires = next("Expires").ok_or(malformed)?;
        let key_name = next("KeyName").ok_or(malformed)?;
        let signature = next(SIGNATURE).ok_or(malformed)?;
        if fields.next().is_some() {
            return Err(malformed);
        }
        let (message, _) = found.rsplit_once(separator).ok_or(malformed)?;
        Ok(Self {
            messages: vec![message.to_owned()],
            expires: parse_seconds(expires)?,
            key_name,
            signature: form.read(&text(signature)?)?,
            scope: match prefix {
                Some(prefix) => Scope::Prefix(UrlPrefix::parse(prefix, Padding::Either)?),
                None => Scope::Url,
            },
            strips: Strips::new(),
        })
    }

    /// What it opens for this request; `None` when it does not open it.
    pub(crate) fn covers(&self, scheme: Scheme, request: &Request<'a>) -> Option<Covers<'a>> {
        match &self.scope {
            Scope::Url => Some(Covers::Path),
            Scope::Before(before) => Some(Covers::Prefix(before)),
            Scope::Prefix(prefix) => {
                prefix.covers(scheme.of(request)?, request.authority, request.target.path)
            }
        }
    }
}

impl Form {
    /// A whole signature.
    fn read(self, text: &str) -> Result<Vec<u8>, Reason> {
        let bytes = decode(text, self.padding);
        bytes
            .filter(|it| it.len() == self.length)
            .ok_or(Reason::MalformedCredential)
    }
}

/// Scheme and authority as they arrived, and as URLs are normalized (RFC 3986 section 6.2):
/// in lower case, without the default port of the scheme.
pub(crate) fn origins(scheme: Scheme, request: &Request<'_>) -> [String; 2] {
    // A URL without a scheme is never signed.
    let scheme = scheme.of(request).unwrap_or_default();
    let normal = request.authority.without_default_port(scheme);
    [
        format!("{scheme}://{}", request.authority),
        format!("{scheme}://{}", normal.to_ascii_lowercase()),
    ]
}

/// What a signer may have signed of a URL, the most likely first: as it arrived, then with
/// the authority in lower case and the other spellings of the target.
fn urls([arrived, lower]: &[String; 2], target: &str) -> Vec<String> {
    let first = format!("{arrived}{target}");
    let others = spelling::each(target).skip(1);
    let mut others: Vec<String> = others.map(|it| format!("{lower}{it}")).collect();
    if others.is_empty() && lower != arrived {
        others.push(format!("{lower}{target}"));
    }
    [vec![first], others].concat()
}

/// A value of base64url, in which a client may have percent-encoded the `=`.
fn text(value: &str) -> Result<Cow<'_, str>, Reason> {
    match decode_token(value)? {
        Cow::Borrowed(_) => Ok(Cow::Borrowed(value)),
        Cow::Owned(bytes) => String::from_utf8(bytes)
            .map(Cow::Owned)
            .map_err(|_| Reason::MalformedCredential),
    }
}
