//! KeyCDN's secure token, in both of its kinds.
//!
//! Source: KeyCDN's support article "Secure Token". Access control:
//! `?token=<sum>&expire=<end>`, the sum over path, secret and end. Image processing:
//! `?<query>&token=<sum>`, the sum over path, query and secret; such a link never ends.
//! Both are plain MD5, and neither is a MAC.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::http::edit::Strip;
use crate::http::parameter::{find_parameter, find_token};
#[cfg(feature = "tools")]
use crate::http::path::canonical;
use crate::http::query;
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
use crate::signed_url::parts::{near, rings, signing, told};
use crate::signed_url::parts::{spelling, ten_digits};
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError, Signed};
use crate::time::UnixMillis;

/// How links of one provider are checked and made.
#[derive(Clone, Debug)]
pub(crate) struct Keycdn {
    /// The secrets; the first signs.
    pub ring: KeyRing<Secret>,
    /// What kind of link it is.
    pub kind: Kind,
}

/// What a link is for, in KeyCDN's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Access control: the path, for a while.
    Access {
        /// How far ahead a link may end.
        lifetime: Lifetime,
        /// Whether other, unsigned parameters are allowed.
        allow_unsigned_query: bool,
    },
    /// Image processing: path and query, without an expiry.
    Image,
}

struct Token<'a> {
    sum: [u8; 16],
    /// The expiry as sent, and its time.
    end: Option<(&'a str, UnixMillis)>,
    /// The target without the token.
    unsigned: String,
}

impl Format for Keycdn {
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let token = self.find(request)?;
        let digits = token.end.map(|(digits, _)| digits).unwrap_or_default();
        let signs = |target: &str| {
            let mut keys = self.ring.current(facts.now);
            keys.any(|it| is_equal(&self.sum(&it.key, target, digits), &token.sum))
        };
        if !self.is_whole(&token.unsigned) || !spelling::is_signed(&token.unsigned, signs) {
            return Err(Reason::WrongSignature);
        }
        let expires = token.end.map(|(_, end)| end);
        if let (Kind::Access { lifetime, .. }, Some(expires)) = (self.kind, expires) {
            lifetime.check(None, expires, facts.now)?;
        }
        let strips = self.names().iter().map(|it| Strip::Parameter(it));
        Ok(Link::new(strips, expires))
    }

    fn parameters(&self) -> Vec<&str> {
        self.names().to_vec()
    }

    #[cfg(feature = "tools")]
    fn remarks(&self) -> Vec<FieldRemark> {
        match self.kind {
            Kind::Access { .. } => vec![told::weak()],
            Kind::Image => vec![told::weak(), told::endless(told::NO_TIME)],
        }
    }

    #[cfg(feature = "tools")]
    fn sign(&self, order: &Order<'_>) -> Result<Signed, SignError> {
        let target = canonical(order.target.whole);
        let key = &signing::first(&self.ring, order.now)?.key;
        if !self.is_whole(&target) {
            let message = "this kind of link cannot sign such a query";
            return Err(SignError::new(message));
        }
        let more = match self.kind {
            Kind::Access { .. } => {
                order.only(&["expires"])?;
                let digits = ten_digits::write(order.expires.ok_or_else(told::no_end)?)?;
                let sum = URL_SAFE_NO_PAD.encode(self.sum(key, &target, &digits));
                format!("token={sum}&expire={digits}")
            }
            Kind::Image => {
                order.only(&[])?;
                let sum = URL_SAFE_NO_PAD.encode(self.sum(key, &target, ""));
                format!("token={sum}")
            }
        };
        Ok(Signed {
            url: order.with_query(&more),
            ..Signed::default()
        })
    }

    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
        let token = self.find(request);
        let mut steps = vec![match &token {
            Ok(_) => "parameter \"token\": a token".to_owned(),
            Err(reason) => format!("parameter \"token\": {}", reason.code()),
        }];
        let end = token.as_ref().ok().and_then(|it| it.end);
        steps.extend(end.map(|(_, end)| format!("it says: valid until {end}")));
        steps.push(rings::ring(&self.ring, facts.now));
        let verified = self.verify(request, facts);
        if let (Ok(token), true) = (token, told::is_unsigned(&verified)) {
            let digits = end.map(|(digits, _)| digits).unwrap_or_default();
            if !self.is_whole(&token.unsigned) {
                steps.push("what differs: the query has parameters that are not signed".to_owned());
            }
            let whole = token.unsigned.as_str();
            let mut guesses = vec![
                (None, (whole.to_owned(), digits.to_owned())),
                (None, (canonical(whole).into_owned(), digits.to_owned())),
            ];
            guesses.extend(
                near::targets(whole)
                    .into_iter()
                    .map(|(what, it)| (Some(what.to_owned()), (it, digits.to_owned()))),
            );
            let times = end.into_iter().flat_map(|(_, end)| told::times(end));
            guesses.extend(times.map(|(what, it)| (Some(what), (whole.to_owned(), it))));
            let signs = |key: &Secret, (target, digits): &(String, String)| {
                is_equal(&self.sum(key, target, digits), &token.sum)
            };
            steps.extend(told::found(&self.ring, facts.now, &guesses, signs));
        }
        steps
    }
}

impl Keycdn {
    fn names(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Access { .. } => &["token", "expire"],
            Kind::Image => &["token"],
        }
    }

    fn find<'a>(&'a self, request: &Request<'a>) -> Result<Token<'a>, Reason> {
        let token = find_token(&request.target, "token")?;
        let token = token.ok_or(Reason::MissingCredential)?;
        let sum = URL_SAFE_NO_PAD.decode(token.value).ok();
        let sum = sum.and_then(|it| it.try_into().ok());
        let end = match self.kind {
            Kind::Access { .. } => {
                let end = find_parameter(&request.target, "expire")?;
                let digits = end.ok_or(Reason::MalformedCredential)?.value;
                Some((digits, ten_digits::parse(digits)?))
            }
            Kind::Image if !token.is_last => return Err(Reason::MalformedCredential),
            Kind::Image => None,
        };
        Ok(Token {
            sum: sum.ok_or(Reason::MalformedCredential)?,
            end,
            unsigned: query::without(&request.target, self.names()),
        })
    }

    /// Whether the sum covers all of a target.
    ///
    /// Path and query are adjacent in an image link. The name of its first parameter must be a
    /// plain one, so that the end of a file's name does not pass for it.
    fn is_whole(&self, target: &str) -> bool {
        let query = target.split_once('?').map(|(_, query)| query);
        match self.kind {
            Kind::Access {
                allow_unsigned_query,
                ..
            } => query.is_none() || allow_unsigned_query,
            Kind::Image => query.is_none_or(|query| {
                let name = query.split(['=', '&']).next().unwrap_or_default();
                let fits = |byte: u8| byte.is_ascii_lowercase() || b"-_".contains(&byte);
                !name.is_empty() && name.bytes().all(fits)
            }),
        }
    }

    fn sum(&self, key: &Secret, target: &str, digits: &str) -> [u8; 16] {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let [path, query, key] = [path.as_bytes(), query.as_bytes(), key.expose()];
        match self.kind {
            Kind::Access { .. } => md5(&[path, key, digits.as_bytes()]),
            Kind::Image => md5(&[path, query, key]),
        }
    }
}
