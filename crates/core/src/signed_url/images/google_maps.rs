//! Google Maps' signed URLs: `?…&signature=<mac>`.
//!
//! Source: Google's document "Digital signature" of the Maps Platform. The MAC is HMAC-SHA1
//! over path and query in front of the signature, in base64url with padding. Such a link
//! never ends.

#[cfg(feature = "tools")]
use base64::Engine as _;
#[cfg(feature = "tools")]
use base64::engine::general_purpose::URL_SAFE;

use crate::http::edit::Strip;
use crate::http::parameter::{TokenParameter, find_token};
#[cfg(feature = "tools")]
use crate::http::path::canonical;
use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::signed_url::facts::LinkFacts;
#[cfg(feature = "tools")]
use crate::signed_url::format::FieldRemark;
use crate::signed_url::format::{Format, Link};
use crate::signed_url::parts::hmac_key::{HmacHash, HmacKey};
use crate::signed_url::parts::spelling;
#[cfg(feature = "tools")]
use crate::signed_url::parts::{near, rings, signing, told};
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError, Signed};

/// The parameter with the MAC, the last of the query.
const SIGNATURE: &str = "signature";

/// How links of one provider are checked and made.
#[derive(Clone, Debug)]
pub(crate) struct GoogleMaps {
    /// The secrets; the first signs.
    pub ring: KeyRing<HmacKey>,
}

impl Format for GoogleMaps {
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let (found, mac) = find(request)?;
        let signs = |target: &str| {
            let mut keys = self.ring.current(facts.now);
            keys.any(|it| it.key.verify(target.as_bytes(), &mac))
        };
        if !spelling::is_signed(found.before, signs) {
            return Err(Reason::WrongSignature);
        }
        Ok(Link::new([Strip::Target(found.before)], None))
    }

    fn parameters(&self) -> Vec<&str> {
        vec![SIGNATURE]
    }

    #[cfg(feature = "tools")]
    fn remarks(&self) -> Vec<FieldRemark> {
        vec![told::endless(told::NO_TIME)]
    }

    #[cfg(feature = "tools")]
    fn sign(&self, order: &Order<'_>) -> Result<Signed, SignError> {
        order.only(&[])?;
        let key = &signing::first(&self.ring, order.now)?.key;
        let mac = key.sign(canonical(order.target.whole).as_bytes());
        Ok(Signed {
            url: order.with_query(&format!("{SIGNATURE}={}", URL_SAFE.encode(mac))),
            ..Signed::default()
        })
    }

    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
        let found = find(request);
        let mut steps = vec![match &found {
            Ok(_) => "parameter \"signature\": a signature".to_owned(),
            Err(reason) => format!("parameter \"signature\": {}", reason.code()),
        }];
        steps.push(rings::ring(&self.ring, facts.now));
        let verified = self.verify(request, facts);
        if let (Ok((found, mac)), true) = (found, told::is_unsigned(&verified)) {
            let right = [
                found.before.to_owned(),
                canonical(found.before).into_owned(),
            ];
            let host = request.authority.as_str();
            let urls = ["https", "http"].map(|it| {
                let what = Some("the whole URL, not only the path".to_owned());
                (what, format!("{it}://{host}{}", found.before))
            });
            let near = near::targets(found.before)
                .into_iter()
                .map(|(what, it)| (Some(what.to_owned()), it));
            let right = right.map(|it| (None, it)).into_iter();
            let guesses: Vec<_> = right.chain(near).chain(urls).collect();
            let signs = |key: &HmacKey, it: &String| key.verify(it.as_bytes(), &mac);
            steps.extend(told::found(&self.ring, facts.now, &guesses, signs));
        }
        steps
    }
}

/// The signature, and what is in front of it.
fn find<'a>(request: &Request<'a>) -> Result<(TokenParameter<'a>, Vec<u8>), Reason> {
    let found = find_token(&request.target, SIGNATURE)?;
    let found = found.ok_or(Reason::MissingCredential)?;
    let mac = HmacHash::Sha1.decode_base64url(found.value);
    // What follows it is not signed.
    match mac.filter(|_| found.is_last) {
        Some(mac) => Ok((found, mac)),
        None => Err(Reason::MalformedCredential),
    }
}
