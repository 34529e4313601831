//! nginx's `ngx_http_secure_link_module`, in both of its modes.
//!
//! Source: nginx's documents on the module. `secure_link` compares the parameter `md5` with
//! base64url(MD5(text)), where the text comes from a template of variables; the secret is in
//! it. `secure_link_secret` compares a path segment with the hexadecimal MD5 of what follows
//! it and the secret; such a link never ends.

#[cfg(feature = "tools")]
mod explain;
#[cfg(feature = "tools")]
mod order;
pub(crate) mod template;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(crate) use template::{Part, Template};

use crate::http::edit::Strip;
use crate::http::parameter::{find_parameter, find_token};
use crate::http::path::{canonical, decode};
use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::{KeyRing, Secret};
use crate::signed_url::facts::LinkFacts;
#[cfg(feature = "tools")]
use crate::signed_url::format::FieldRemark;
use crate::signed_url::format::{Format, Link};
use crate::signed_url::parts::lifetime::Lifetime;
use crate::signed_url::parts::md5_sum::{is_equal, md5};
#[cfg(feature = "tools")]
use crate::signed_url::parts::ten_digits::write;
use crate::signed_url::parts::{first_segment, ten_digits};
#[cfg(feature = "tools")]
use crate::signed_url::parts::{signing, told};
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError, Signed};
use crate::text::hex;
use crate::time::{Millis, UnixMillis};

/// How links of one provider are checked and made.
#[derive(Clone, Debug)]
pub(crate) struct Nginx {
    /// The secrets; the first signs.
    pub ring: KeyRing<Secret>,
    /// How links are made.
    pub mode: Mode,
}

/// nginx's two directives.
#[derive(Clone, Debug)]
pub(crate) enum Mode {
    /// `secure_link` and `secure_link_md5`.
    SecureLink {
        /// What is signed.
        template: Template,
        /// The parameter with the sum.
        md5: String,
        /// The parameter with the end, if the template signs one.
        expires: Option<(String, Lifetime)>,
        /// Whether other, unsigned parameters are allowed.
        allow_unsigned_query: bool,
    },
    /// `secure_link_secret`.
    Secret {
        /// The path in front of the segment; ends with `/`.
        prefix: String,
    },
}

/// A sum as found, and what it should be over.
struct Token<'a> {
    sum: [u8; 16],
    /// The expiry as sent, and its time.
    end: Option<(&'a str, UnixMillis)>,
    strips: Vec<Strip<'a>>,
}

impl Format for Nginx {
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        // `$uri` is decoded: `%2F` and `/` would be signed alike.
        if request.target.has_encoded_slash {
            return Err(Reason::EncodedSlash);
        }
        let token = self.find(request)?;
        let texts = self.texts(request, facts, &token)?;
        let is_signed = texts.iter().any(|text| {
            let mut keys = self.ring.current(facts.now);
            keys.any(|it| is_equal(&sum(text, &it.key), &token.sum))
        });
        if !is_signed || !self.is_whole(request) {
            return Err(Reason::WrongSignature);
        }
        // `expires < now` in whole seconds: all of the last second is still good.
        let expires = token.end.map(|(_, end)| end.plus(Millis::from_secs(1)));
        if let (Some(expires), Some(lifetime)) = (expires, self.lifetime()) {
            lifetime.check(None, expires, facts.now)?;
        }
        Ok(Link::new(token.strips, expires))
    }

    fn parameters(&self) -> Vec<&str> {
        match &self.mode {
            Mode::SecureLink { md5, expires, .. } => {
                let expires = expires.iter().map(|(name, _)| name.as_str());
                std::iter::once(md5.as_str()).chain(expires).collect()
            }
            Mode::Secret { .. } => Vec::new(),
        }
    }

    #[cfg(feature = "tools")]
    fn remarks(&self) -> Vec<FieldRemark> {
        let endless = match &self.mode {
            Mode::SecureLink { expires: None, .. } => {
                Some("the template has no $secure_link_expires")
            }
            Mode::SecureLink { .. } => None,
            Mode::Secret { .. } => Some(told::NO_TIME),
        };
        let endless = endless.map(told::endless);
        std::iter::once(told::weak()).chain(endless).collect()
    }

    #[cfg(feature = "tools")]
    fn sign(&self, order: &Order<'_>) -> Result<Signed, SignError> {
        let key = &signing::first(&self.ring, order.now)?.key;
        if order.target.has_encoded_slash {
            return Err(SignError::new("this format cannot sign %2F"));
        }
        let url = match &self.mode {
            Mode::SecureLink {
                template,
                md5,
                expires,
                ..
            } => {
                let known: &[&str] = match expires {
                    Some(_) => &["expires", "addresses", "headers", "cookies"],
                    None => &["addresses", "headers", "cookies"],
                };
                order.only(known)?;
                let digits = match (expires, order.expires) {
                    (Some(_), Some(end)) => write(end)?,
                    (Some(_), None) => return Err(told::no_end()),
                    (None, _) => String::new(),
                };
                let text = template.for_order(order, &digits)?;
                let sum = URL_SAFE_NO_PAD.encode(sum(&text, key));
                let end = expires.iter().map(|(name, _)| format!("&{name}={digits}"));
                order.with_query(&format!("{md5}={sum}{}", end.collect::<String>()))
            }
            Mode::Secret { prefix } => {
                order.only(&[])?;
                let rest = first_segment::unsigned(order, prefix)?;
                let text = decode(rest).map(|it| vec![Some(it.into_owned()), None]);
                let text = text.unwrap_or_default();
                format!(
                    "{}{prefix}{}/{rest}",
                    order.origin,
                    hex::encode(&sum(&text, key))
                )
            }
        };
        Ok(Signed {
            url,
            ..Signed::default()
        })
    }

    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
        explain::lines(self, request, facts)
    }
}

/// The pieces of what is signed; `None` is the secret.
type Text = Vec<Option<Vec<u8>>>;

impl Nginx {
    fn find<'a>(&'a self, request: &Request<'a>) -> Result<Token<'a>, Reason> {
        match &self.mode {
            Mode::SecureLink { md5, expires, .. } => {
                let token = find_token(&request.target, md5)?;
                let token = token.ok_or(Reason::MissingCredential)?.value;
                let sum = URL_SAFE_NO_PAD.decode(token).ok();
                let sum = sum.and_then(|it| it.try_into().ok());
                let mut end = None;
                if let Some((name, _)) = expires {
                    let found = find_parameter(&request.target, name)?;
                    let digits = found.ok_or(Reason::MalformedCredential)?.value;
                    end = Some((digits, ten_digits::parse(digits)?));
                }
                Ok(Token {
                    sum: sum.ok_or(Reason::MalformedCredential)?,
                    end,
                    strips: self
                        .parameters()
                        .into_iter()
                        .map(Strip::Parameter)
                        .collect(),
                })
            }
            Mode::Secret { prefix } => {
                let found = first_segment::find(&request.target, prefix)?;
                let tail = found.tail.strip_prefix('/').unwrap_or(found.tail);
                if tail.is_empty() {
                    return Err(Reason::MissingCredential);
                }
                Ok(Token {
                    sum: md5_of(found.segment).ok_or(Reason::MalformedCredential)?,
                    end: None,
                    strips: vec![Strip::Segment(found.before, "", tail)],
                })
            }
        }
    }

    /// What may have been signed: nginx's text, and the same in the link's own spelling.
    fn texts(
        &self,
        request: &Request<'_>,
        facts: &LinkFacts<'_>,
        token: &Token<'_>,
    ) -> Result<Vec<Text>, Reason> {
        match &self.mode {
            Mode::SecureLink { template, .. } => {
                let digits = token.end.map(|(digits, _)| digits).unwrap_or_default();
                Ok(vec![template.text(request, facts.client, digits)?])
            }
            Mode::Secret { prefix } => {
                let rest = first_segment::find(&request.target, prefix)?.rest;
                let rest = rest.strip_prefix('/').unwrap_or(rest);
                let decoded = decode(rest).map_err(|_| Reason::AmbiguousPath)?;
                let spellings = [
                    decoded.into_owned(),
                    rest.as_bytes().to_vec(),
                    canonical(rest).as_bytes().to_vec(),
                ];
                Ok(spellings.map(|it| vec![Some(it), None]).to_vec())
            }
        }
    }

    fn lifetime(&self) -> Option<Lifetime> {
        match &self.mode {
            Mode::SecureLink { expires, .. } => expires.as_ref().map(|(_, it)| *it),
            Mode::Secret { .. } => None,
        }
    }

    /// Whether all parameters of the query are signed, or need not be.
    fn is_whole(&self, request: &Request<'_>) -> bool {
        let Some(query) = request.target.query else {
            return true;
        };
        match &self.mode {
            Mode::SecureLink {
                allow_unsigned_query: true,
                ..
            } => true,
            Mode::SecureLink { template, .. } => {
                let own = self.parameters();
                query.split('&').all(|parameter| {
                    let name = parameter.split('=').next().unwrap_or_default();
                    own.contains(&name) || template.signs_parameter(name)
                })
            }
            Mode::Secret { .. } => false,
        }
    }
}

fn sum(text: &Text, key: &Secret) -> [u8; 16] {
    let parts = text.iter().map(|it| match it {
        Some(part) => part.as_slice(),
        None => key.expose(),
    });
    md5(&parts.collect::<Vec<_>>())
}

/// Sixteen bytes in lower-case hexadecimal digits.
fn md5_of(text: &str) -> Option<[u8; 16]> {
    hex::decode_lower(text)?.try_into().ok()
}
