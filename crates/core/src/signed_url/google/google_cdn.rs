//! Google's Cloud CDN, strictly: signed URLs, signed prefixes and signed cookies.
//!
//! Source: Google's documents "Use signed URLs" and "Use signed cookies". The signature is
//! HMAC-SHA1, the only one that Cloud CDN has. No HMAC-SHA1 was ever forged, so that it
//! needs no permission of its own. What the original leaves open is closed here: a request
//! without a signature is rejected, and a prefix ends where a segment does.

use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::signed_url::carrier::{self, Carrier};
use crate::signed_url::facts::LinkFacts;
#[cfg(feature = "tools")]
use crate::signed_url::format::FieldRemark;
use crate::signed_url::format::{Format, Link};
use crate::signed_url::google::Scheme;
use crate::signed_url::google::base64url::Padding;
use crate::signed_url::google::request::{Form, SignedRequest};
use crate::signed_url::parts::hmac_key::HmacKey;
use crate::signed_url::parts::lifetime::Lifetime;
#[cfg(feature = "tools")]
use crate::signed_url::parts::signing;
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError, Signed};

/// HMAC-SHA1, base64url with padding.
const FORM: Form = Form {
    length: 20,
    padding: Padding::Always,
};

/// How links of one provider are checked and made.
#[derive(Clone, Debug)]
pub(crate) struct GoogleCdn {
    /// The keys, each by its `KeyName`; the first signs.
    pub ring: KeyRing<HmacKey>,
    /// The carriers of a signature: the query, or a cookie.
    pub carriers: Vec<Carrier>,
    /// The scheme of the URLs that are signed.
    pub scheme: Scheme,
    /// What a signature may say of its time.
    pub lifetime: Lifetime,
}

impl Format for GoogleCdn {
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let signed = SignedRequest::find(&self.carriers, self.scheme, FORM, request)?;
        if !self.is_signed(&signed, facts) {
            return Err(Reason::WrongSignature);
        }
        let covers = signed.covers(self.scheme, request);
        let covers = covers.ok_or(Reason::WrongSignature)?;
        self.lifetime.check(None, signed.expires, facts.now)?;
        // Cloud CDN takes a signed request for these two only.
        if !["GET", "HEAD"].contains(&request.method) {
            return Err(Reason::InsufficientScope);
        }
        Ok(Link {
            covers,
            ..Link::new(signed.strips, Some(signed.expires))
        })
    }

    fn carriers(&self) -> Vec<Carrier> {
        carrier::all(self.parameters(), &self.carriers)
    }

    fn parameters(&self) -> Vec<&str> {
        match carrier::parameters(&self.carriers).is_empty() {
            true => Vec::new(),
            false => vec!["URLPrefix", "Expires", "KeyName", "Signature"],
        }
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
        let signer = |message: &dyn Fn(&str) -> String| {
            let entry = signing::first(&self.ring, order.now)?;
            let signature = entry.key.sign(message(&entry.id).as_bytes());
            Ok((entry.id.clone(), signature))
        };
        crate::signed_url::google::sign::sign(&self.carriers, order, &signer)
    }

    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
        let found = SignedRequest::find(&self.carriers, self.scheme, FORM, request);
        let signs = |key: &HmacKey, message: &str, mac: &[u8]| key.verify(message.as_bytes(), mac);
        crate::signed_url::google::explain::lines(
            found,
            self.scheme,
            &self.ring,
            request,
            facts,
            signs,
        )
    }
}

impl GoogleCdn {
    fn is_signed(&self, signed: &SignedRequest<'_>, facts: &LinkFacts<'_>) -> bool {
        let mut current = self.ring.current(facts.now);
        let named = current.find(|it| it.id == signed.key_name);
        // A key that is not there costs as much as one that is.
        let entry = named.or_else(|| self.ring.current(facts.now).next());
        let Some(entry) = entry else {
            return false;
        };
        let mut messages = signed.messages.iter();
        let is_signed = messages.any(|it| entry.key.verify(it.as_bytes(), &signed.signature));
        is_signed && entry.id == signed.key_name
    }
}
