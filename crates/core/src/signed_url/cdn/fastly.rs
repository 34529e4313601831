//! Fastly's token authentication: `token=<end>_<mac>`.
//!
//! Source: Fastly's guide "Enabling URL token validation" and its repository
//! token-functions. The MAC is over the URL without the token and the digits of the end,
//! with nothing between them. Their VCL takes ten or eleven digits, so that the last digit
//! of a path can become the first of the time; here it is ten.

use crate::http::edit::Strip;
#[cfg(feature = "tools")]
use crate::http::path::canonical;
use crate::http::query;
use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::signed_url::carrier::{self, Carrier};
use crate::signed_url::facts::LinkFacts;
#[cfg(feature = "tools")]
use crate::signed_url::format::FieldRemark;
use crate::signed_url::format::{Format, Link};
#[cfg(feature = "tools")]
use crate::signed_url::parts::deliver::deliver;
use crate::signed_url::parts::hmac_key::{HmacHash, HmacKey};
use crate::signed_url::parts::lifetime::Lifetime;
#[cfg(feature = "tools")]
use crate::signed_url::parts::{near, rings, signing, told};
use crate::signed_url::parts::{spelling, ten_digits};
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError, Signed};
#[cfg(feature = "tools")]
use crate::text::hex;
use crate::time::{Millis, UnixMillis};

/// How links of one provider are checked and made.
#[derive(Clone, Debug)]
pub(crate) struct Fastly {
    /// The secrets; the first signs.
    pub ring: KeyRing<HmacKey>,
    /// The hash of their MAC.
    pub hash: HmacHash,
    /// The carriers of a token; at least one.
    pub carriers: Vec<Carrier>,
    /// How far ahead a link may end.
    pub lifetime: Lifetime,
}

struct Token<'a> {
    /// As sent.
    digits: &'a str,
    end: UnixMillis,
    mac: Vec<u8>,
    strip: Option<Strip<'a>>,
}

impl Format for Fastly {
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let token = self.find(request)?;
        let target = self.unsigned(request);
        let signs = |target: &str| {
            let message = format!("{target}{}", token.digits);
            let mut keys = self.ring.current(facts.now);
            keys.any(|it| it.key.verify(message.as_bytes(), &token.mac))
        };
        if !spelling::is_signed(&target, signs) {
            return Err(Reason::WrongSignature);
        }
        // `time.is_after(now, end)`: the instant of the end is still good.
        let expires = token.end.plus(Millis(1));
        self.lifetime.check(None, expires, facts.now)?;
        Ok(Link::new(token.strip, Some(expires)))
    }

    fn carriers(&self) -> Vec<Carrier> {
        carrier::all(self.parameters(), &self.carriers)
    }

    fn parameters(&self) -> Vec<&str> {
        carrier::parameters(&self.carriers)
    }

    fn path_token(&self) -> Option<&str> {
        carrier::path_token(&self.carriers)
    }

    #[cfg(feature = "tools")]
    fn remarks(&self) -> Vec<FieldRemark> {
        Vec::new()
    }

    #[cfg(feature = "tools")]
    fn sign(&self, order: &Order<'_>) -> Result<Signed, SignError> {
        order.only(&["expires"])?;
        let end = order.expires.ok_or_else(told::no_end)?;
        let digits = ten_digits::write(end)?;
        let key = &signing::first(&self.ring, order.now)?.key;
        let target = canonical(order.target.whole);
        let mac = hex::encode(&key.sign(format!("{target}{digits}").as_bytes()));
        deliver(&self.carriers, order, format!("{digits}_{mac}"))
    }

    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
        let mut steps = told::places(&self.carriers, request);
        let token = self.find(request);
        steps.extend(
            token
                .iter()
                .map(|it| format!("it says: valid until {}", it.end)),
        );
        steps.push(rings::ring(&self.ring, facts.now));
        let verified = self.verify(request, facts);
        if let (Ok(token), true) = (token, told::is_unsigned(&verified)) {
            let target = self.unsigned(request);
            let right = [target.clone(), canonical(&target).into_owned()];
            let rights = right.map(|it| (None, format!("{it}{}", token.digits)));
            let near = near::targets(&target)
                .into_iter()
                .map(|(what, it)| (Some(what.to_owned()), format!("{it}{}", token.digits)));
            let times =
                told::times(token.end).map(|(what, it)| (Some(what), format!("{target}{it}")));
            let guesses: Vec<_> = rights.into_iter().chain(near).chain(times).collect();
            let signs = |key: &HmacKey, it: &String| key.verify(it.as_bytes(), &token.mac);
            steps.extend(told::found(&self.ring, facts.now, &guesses, signs));
        }
        steps
    }
}

impl Fastly {
    fn find<'a>(&'a self, request: &Request<'a>) -> Result<Token<'a>, Reason> {
        let carried = carrier::find(&self.carriers, request)?;
        let parts = carried.text.split_once('_');
        let (digits, mac) = parts.ok_or(Reason::MalformedCredential)?;
        Ok(Token {
            digits,
            end: ten_digits::parse(digits)?,
            mac: self
                .hash
                .decode_hex(mac)
                .ok_or(Reason::MalformedCredential)?,
            strip: carried.strip(),
        })
    }

    /// What is signed of the target: all but the token.
    fn unsigned(&self, request: &Request<'_>) -> String {
        query::without(&request.target, &self.parameters())
    }
}
