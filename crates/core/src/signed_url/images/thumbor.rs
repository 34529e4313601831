//! thumbor's signed paths: `/<mac>/<options>/<image>`.
//!
//! Source: thumbor's documents on security, and libthumbor. The MAC is HMAC-SHA1 over the
//! path behind it without the first `/`, in base64url with padding. Such a link never ends.

#[cfg(feature = "tools")]
use base64::Engine as _;
#[cfg(feature = "tools")]
use base64::engine::general_purpose::URL_SAFE;

use crate::http::path::{canonical, readable};
use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::signed_url::facts::LinkFacts;
#[cfg(feature = "tools")]
use crate::signed_url::format::FieldRemark;
use crate::signed_url::format::{Format, Link};
use crate::signed_url::images::imgproxy::Forward;
use crate::signed_url::parts::first_segment;
use crate::signed_url::parts::hmac_key::{HmacHash, HmacKey};
#[cfg(feature = "tools")]
use crate::signed_url::parts::{near, rings, signing, told};
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError, Signed};

/// How links of one provider are checked and made.
#[derive(Clone, Debug)]
pub(crate) struct Thumbor {
    /// The secrets; the first signs.
    pub ring: KeyRing<HmacKey>,
    /// The path in front of the MAC; ends with `/`.
    pub prefix: String,
    /// What becomes of the MAC behind us.
    pub forward: Forward,
}

impl Format for Thumbor {
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let found = first_segment::find(&request.target, &self.prefix)?;
        let mac = decode(found.segment)?;
        // A query is not signed, and thumbor reads none.
        let is_signed = request.target.query.is_none()
            && spellings(found.rest).iter().any(|path| {
                let mut keys = self.ring.current(facts.now);
                keys.any(|it| it.key.verify(path.as_bytes(), &mac))
            });
        if !is_signed {
            return Err(Reason::WrongSignature);
        }
        Ok(Link {
            strips: self.forward.strips(found),
            ..Link::new([], None)
        })
    }

    fn parameters(&self) -> Vec<&str> {
        Vec::new()
    }

    #[cfg(feature = "tools")]
    fn remarks(&self) -> Vec<FieldRemark> {
        vec![told::endless(told::NO_TIME)]
    }

    #[cfg(feature = "tools")]
    fn sign(&self, order: &Order<'_>) -> Result<Signed, SignError> {
        order.only(&[])?;
        let rest = canonical(first_segment::unsigned(order, &self.prefix)?);
        let key = &signing::first(&self.ring, order.now)?.key;
        let mac = URL_SAFE.encode(key.sign(rest.as_bytes()));
        Ok(Signed {
            url: format!("{}{}{mac}/{rest}", order.origin, self.prefix),
            ..Signed::default()
        })
    }

    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
        let (found, told) = first_segment::explain(&request.target, &self.prefix, decode);
        let mut steps = vec![told];
        steps.push(rings::ring(&self.ring, facts.now));
        let verified = self.verify(request, facts);
        if let (Ok((found, mac)), true) = (found, told::is_unsigned(&verified)) {
            if request.target.query.is_some() {
                steps.push("what differs: there is a query, which is not signed".to_owned());
            }
            let right = spellings(found.rest).into_iter().map(|it| (None, it));
            let with_slash = (Some("the path with its first slash"), found.rest.to_owned());
            let near = near::targets(found.rest)
                .into_iter()
                .map(|(what, it)| (Some(what), it.trim_start_matches('/').to_owned()))
                .chain([with_slash])
                .map(|(what, it)| (what.map(str::to_owned), it));
            let guesses: Vec<_> = right.chain(near).collect();
            let signs = |key: &HmacKey, it: &String| key.verify(it.as_bytes(), &mac);
            steps.extend(told::found(&self.ring, facts.now, &guesses, signs));
        }
        steps
    }
}

/// All of the 20 bytes, padded. `unsafe` is none.
fn decode(segment: &str) -> Result<Vec<u8>, Reason> {
    let mac = HmacHash::Sha1.decode_base64url(segment);
    mac.ok_or(Reason::MalformedCredential)
}

/// The path without its first slash as it arrived, in its canonical spelling and decoded:
/// thumbor takes more than one.
fn spellings(rest: &str) -> Vec<String> {
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    let mut all = vec![
        rest.to_owned(),
        canonical(rest).into_owned(),
        readable(rest).into_owned(),
    ];
    all.dedup();
    all
}
