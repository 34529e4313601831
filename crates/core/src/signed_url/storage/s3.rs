//! Presigned URLs of Amazon S3: AWS Signature Version 4 in the query, read strictly.
//!
//! Source: AWS's "Authenticating Requests: Using Query Parameters (AWS Signature
//! Version 4)" in the S3 API reference. Method, host, path, the whole query and the
//! named headers are signed; the body is not (`UNSIGNED-PAYLOAD`). What the original
//! leaves open is closed here: no parameter is given more than once, the list of signed headers is
//! in its one canonical form, and an `x-amz-` header that is not signed rejects the link.

mod canonical;
#[cfg(feature = "tools")]
mod explain;

use std::borrow::Cow;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::http::edit::Strip;
use crate::http::parameter::{decode_token, find_parameter, find_token};
use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::mac::mac;
use crate::secret::{KeyRing, Secret};
use crate::signed_url::carrier;
use crate::signed_url::facts::LinkFacts;
#[cfg(feature = "tools")]
use crate::signed_url::format::FieldRemark;
use crate::signed_url::format::{Format, Link, Strips};
#[cfg(feature = "tools")]
use crate::signed_url::parts::signing;
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError, Signed};
use crate::text::hex;
use crate::time::{Millis, UnixMillis};
use canonical::{Parts, string_to_sign};

const ALGORITHM: &str = "X-Amz-Algorithm";
const CREDENTIAL: &str = "X-Amz-Credential";
const DATE: &str = "X-Amz-Date";
const EXPIRES: &str = "X-Amz-Expires";
const SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";
const SIGNATURE: &str = "X-Amz-Signature";
/// Of temporary credentials. It is signed, and means nothing here.
const SECURITY_TOKEN: &str = "X-Amz-Security-Token";
/// Some signers say here too that the body is not signed.
const CONTENT: &str = "X-Amz-Content-Sha256";

const PARAMETERS: [&str; 8] = [
    ALGORITHM,
    CREDENTIAL,
    DATE,
    EXPIRES,
    SIGNED_HEADERS,
    SECURITY_TOKEN,
    CONTENT,
    SIGNATURE,
];

/// The only algorithm of version 4 that has a secret.
const HMAC_SHA256: &str = "AWS4-HMAC-SHA256";

/// The placeholder for the digest of the body.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// S3 takes no longer link: a week.
pub(crate) const MAX_EXPIRES: Millis = Millis::from_secs(7 * 24 * 3600);

/// No signer covers more headers than this.
const MAX_HEADERS: usize = 16;

/// How links of one provider are checked and made.
#[derive(Clone, Debug)]
pub(crate) struct S3 {
    /// HMAC keyed with `AWS4` and the secret access key; an entry's id is its access key id.
    pub ring: KeyRing<Hmac<Sha256>>,
    /// The region in the scope of the credential, such as `us-east-1`.
    pub region: String,
    /// The service in it: `s3`.
    pub service: String,
    /// The methods that a link may be for.
    pub methods: Vec<String>,
    /// How long a link may live, at most [`MAX_EXPIRES`].
    pub max_lifetime: Millis,
    /// How far the signer's clock may be ahead of ours.
    pub skew: Millis,
}

/// A token as found: what it says. The `X-Amz-Date` is 16 characters of ASCII.
struct Token<'a> {
    access_key: String,
    region: String,
    service: String,
    date: Cow<'a, str>,
    made: UnixMillis,
    lifetime: Millis,
    headers: Vec<String>,
    signature: [u8; 32],
    strips: Strips<'a>,
}

impl Format for S3 {
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let token = Token::find(request)?;
        let parts = Parts::of(request, &token.headers)?;
        if !self.is_signed(request, &token, &parts, facts.now) {
            return Err(Reason::WrongSignature);
        }
        // S3 itself rejects these: on a PUT they would say what becomes of the object.
        let is_unsigned = |name: &[u8]| {
            let name = name.to_ascii_lowercase();
            name.starts_with(b"x-amz-") && !token.headers.iter().any(|it| it.as_bytes() == name)
        };
        if request.headers.iter().any(|(name, _)| is_unsigned(name)) {
            return Err(Reason::WrongSignature);
        }
        let end = token.made.plus(token.lifetime);
        if token.made > facts.now.plus(self.skew) {
            return Err(Reason::NotYetValid);
        }
        if facts.now > end {
            return Err(Reason::Expired);
        }
        if token.lifetime > self.max_lifetime {
            return Err(Reason::LifetimeTooLong);
        }
        if !self.methods.iter().any(|it| it == request.method) {
            return Err(Reason::InsufficientScope);
        }
        Ok(Link::new(token.strips, Some(end.plus(Millis(1)))))
    }

    fn parameters(&self) -> Vec<&str> {
        PARAMETERS.to_vec()
    }

    fn reads_method(&self) -> bool {
        true
    }

    #[cfg(feature = "tools")]
    fn remarks(&self) -> Vec<FieldRemark> {
        Vec::new()
    }

    #[cfg(feature = "tools")]
    fn sign(&self, order: &Order<'_>) -> Result<Signed, SignError> {
        order.only(&["expires", "headers", "security_token"])?;
        if order.authority().is_empty() {
            return Err(SignError::new(
                "the link signs its host: give a URL, not a path",
            ));
        }
        if !self.methods.iter().any(|it| it == order.method) {
            return Err(SignError::new(format!(
                "the provider accepts no links for {}: see \"methods\"",
                order.method
            )));
        }
        if order.target.whole.contains('+') {
            return Err(SignError::new(
                "programs disagree whether \"+\" is a space: write %20 or %2B",
            ));
        }
        let lifetime = order
            .expires
            .and_then(|it| it.as_secs().checked_sub(order.now.as_secs()))
            .filter(|it| (1..=self.max_lifetime.0 / 1000).contains(it))
            .ok_or_else(|| {
                SignError::new(format!(
                    "the link needs an expiry: 1 to {} seconds from now",
                    self.max_lifetime.0 / 1000
                ))
            })?;
        let entry = signing::first(&self.ring, order.now)?;
        let date = basic_date(order.now);
        let scope = self.scope(&date);
        let own = order.headers.iter();
        let own = own.map(|(name, value)| ((*name).to_owned(), canonical::header_value(value)));
        let mut headers: Vec<(String, String)> = own.collect();
        headers.push(("host".to_owned(), order.authority().to_owned()));
        headers.sort();
        let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let mut query = format!(
            "{ALGORITHM}={HMAC_SHA256}&{CREDENTIAL}={}&{DATE}={date}&{EXPIRES}={lifetime}&{SIGNED_HEADERS}={}",
            canonical::encode(&format!("{}/{scope}", entry.id), b""),
            canonical::encode(&names.join(";"), b""),
        );
        if let Some(token) = order.option("security_token") {
            query = format!("{query}&{SECURITY_TOKEN}={}", canonical::encode(token, b""));
        }
        let url = order.with_query(&query);
        let whole = url.get(order.origin.len()..).unwrap_or_default();
        let (path, query) = whole.split_once('?').unwrap_or((whole, ""));
        let parts = Parts::new(path, query, headers).map_err(|_| {
            SignError::new("the URL has a duplicate parameter, or already one of a signature")
        })?;
        let message = string_to_sign(&date, &scope, &parts.request(order.method));
        let mut mac = self.signing_key(&entry.key, &date);
        mac.update(message.as_bytes());
        let signature = hex::encode(&mac.finalize().into_bytes());
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Ok(Signed {
            url: format!("{url}&{SIGNATURE}={signature}"),
            headers: order.headers.iter().map(owned).collect(),
            ..Signed::default()
        })
    }

    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
        explain::lines(self, request, facts)
    }
}

impl S3 {
    /// What a ring holds for a secret access key.
    pub(crate) fn key(secret: &Secret) -> Hmac<Sha256> {
        let mut key = zeroize::Zeroizing::new(b"AWS4".to_vec());
        key.extend_from_slice(secret.expose());
        mac(&key)
    }

    /// An access key that is not ours costs as much as a wrong signature.
    fn is_signed(
        &self,
        request: &Request<'_>,
        token: &Token<'_>,
        parts: &Parts,
        now: UnixMillis,
    ) -> bool {
        let mut current = self.ring.current(now);
        let known = current.find(|it| it.id == token.access_key);
        let Some(entry) = known.or(self.ring.0.first()) else {
            return false;
        };
        let is_ours = token.region == self.region && token.service == self.service;
        let key = self.signing_key(&entry.key, &token.date);
        let signs = |parts: &Parts| self.signs(&key, token, &parts.request(request.method));
        let is_signed = signs(parts) || parts.with_plain_host().is_some_and(|it| signs(&it));
        is_signed && known.is_some() && is_ours
    }

    fn signs(&self, key: &Hmac<Sha256>, token: &Token<'_>, canonical_request: &str) -> bool {
        let scope = self.scope(&token.date);
        let mut expected = key.clone();
        expected.update(string_to_sign(&token.date, &scope, canonical_request).as_bytes());
        expected.verify_slice(&token.signature).is_ok()
    }

    /// The key of one day, region and service: four HMACs.
    fn signing_key(&self, key: &Hmac<Sha256>, date: &str) -> Hmac<Sha256> {
        let day = date.get(..8).unwrap_or_default();
        let mut key = key.clone();
        for part in [day, &self.region, &self.service] {
            key.update(part.as_bytes());
            key = mac(&key.finalize().into_bytes());
        }
        key.update(b"aws4_request");
        mac(&key.finalize().into_bytes())
    }

    fn scope(&self, date: &str) -> String {
        let day = date.get(..8).unwrap_or_default();
        format!("{day}/{}/{}/aws4_request", self.region, self.service)
    }
}

impl<'a> Token<'a> {
    fn find(request: &Request<'a>) -> Result<Self, Reason> {
        let mut values = Vec::new();
        let mut strips = Strips::new();
        for name in PARAMETERS {
            let found = match name {
                SIGNATURE => find_token(&request.target, name)?,
                name => find_parameter(&request.target, name)?,
            };
            if found.is_some() {
                strips.push(Strip::Parameter(name));
            }
            values.push(found.map(|it| it.value));
        }
        if strips.is_empty() {
            return Err(Reason::MissingCredential);
        }
        let value = |name: &str| {
            let mut all = PARAMETERS.iter().zip(&values);
            let found = all.find(|(it, _)| **it == name).and_then(|(_, it)| *it);
            found.map(decoded).transpose()
        };
        let needed = |name: &str| value(name)?.ok_or(Reason::MalformedCredential);
        let optional = value(CONTENT)?.unwrap_or(Cow::Borrowed(UNSIGNED));
        if needed(ALGORITHM)? != HMAC_SHA256 || optional != UNSIGNED {
            return Err(Reason::MalformedCredential);
        }
        let date = needed(DATE)?;
        let credential = needed(CREDENTIAL)?;
        let fields: Vec<_> = credential.split('/').collect();
        let [access_key, day, region, service, "aws4_request"] = *fields.as_slice() else {
            return Err(Reason::MalformedCredential);
        };
        let made = parse_date(&date)?;
        if date.get(..8) != Some(day) {
            return Err(Reason::MalformedCredential);
        }
        Ok(Self {
            access_key: access_key.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            made,
            lifetime: parse_lifetime(&needed(EXPIRES)?)?,
            headers: parse_headers(&needed(SIGNED_HEADERS)?)?,
            signature: parse_signature(&needed(SIGNATURE)?)?,
            date,
            strips,
        })
    }
}

fn decoded(text: &str) -> Result<Cow<'_, str>, Reason> {
    if text.len() > carrier::MAX_TOKEN {
        return Err(Reason::MalformedCredential);
    }
    let malformed = |_| Reason::MalformedCredential;
    match decode_token(text)? {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(malformed),
        Cow::Owned(bytes) => String::from_utf8(bytes)
            .map(Cow::Owned)
            .map_err(|_| Reason::MalformedCredential),
    }
}

/// `20130524T000000Z`: ISO 8601 basic format, in UTC.
fn parse_date(text: &str) -> Result<UnixMillis, Reason> {
    let part = |from, to| {
        let part: Option<&str> = text.get(from..to);
        part.filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let spelled = || {
        let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
        let (hour, minute, second) = (part(9, 11)?, part(11, 13)?, part(13, 15)?);
        let is_right = text.len() == 16 && text.get(8..9) == Some("T") && text.ends_with('Z');
        let spelled = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
        is_right.then_some(spelled)
    };
    spelled()
        .and_then(|it| UnixMillis::parse(&it).ok())
        .ok_or(Reason::MalformedCredential)
}

/// The format of an instant.
#[cfg(feature = "tools")]
fn basic_date(at: UnixMillis) -> String {
    let at = UnixMillis::from_secs(at.as_secs()).to_string();
    let seconds = at.split('.').next().unwrap_or_default();
    let kept: String = seconds.chars().filter(|it| !"-:".contains(*it)).collect();
    format!("{kept}Z")
}

/// Seconds, in digits of which the first is not zero.
fn parse_lifetime(text: &str) -> Result<Millis, Reason> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || text.starts_with('0') || !(1..=10).contains(&text.len()) {
        return Err(Reason::MalformedCredential);
    }
    let seconds = text.parse().map_err(|_| Reason::MalformedCredential)?;
    Ok(Millis::from_secs(seconds))
}

/// Names in lower case, in order, each once, with `host` among them.
fn parse_headers(text: &str) -> Result<Vec<String>, Reason> {
    let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-_.".contains(&it);
    let names: Vec<String> = text.split(';').map(str::to_owned).collect();
    let are_names = names
        .iter()
        .all(|it| !it.is_empty() && it.bytes().all(fits));
    let are_sorted = names.is_sorted_by(|one, next| one < next);
    let has_host = names.iter().any(|it| it == "host");
    if !are_names || !are_sorted || !has_host || names.len() > MAX_HEADERS {
        return Err(Reason::MalformedCredential);
    }
    Ok(names)
}

/// 64 hexadecimal digits in lower case.
fn parse_signature(text: &str) -> Result<[u8; 32], Reason> {
    let bytes = hex::decode_lower(text);
    bytes
        .and_then(|it| it.try_into().ok())
        .ok_or(Reason::MalformedCredential)
}
