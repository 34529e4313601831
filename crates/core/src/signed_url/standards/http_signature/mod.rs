//! HTTP message signatures of RFC 9421, for requests to an API.
//!
//! What must be signed, the configuration says and never the client: a signature that
//! leaves out the path, or the time, is none.

mod base;
#[cfg(feature = "tools")]
mod explain;
mod fields;
#[cfg(feature = "tools")]
mod sign;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use self::base::{Seen, base};
pub(crate) use self::fields::MAX_MEMBERS;
use self::fields::{Input, joined};
use crate::http::edit::Strip;
use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::signed_url::carrier::{Carrier, MAX_TOKEN};
use crate::signed_url::crypto::public_key::{PublicKey, Scheme};
use crate::signed_url::facts::LinkFacts;
#[cfg(feature = "tools")]
use crate::signed_url::format::FieldRemark;
use crate::signed_url::format::{Format, Link};
use crate::signed_url::parts::rings::signer;
use crate::signed_url::parts::spelling;
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError, Signed};
use crate::time::{Millis, UnixMillis};

/// The headers of a signature.
const INPUT: &str = "signature-input";
const SIGNATURE: &str = "signature";

/// How requests of one provider are checked and signed.
#[derive(Clone, Debug)]
pub(crate) struct HttpSignature {
    /// What verifies, and with it the algorithm.
    pub keys: Keys,
    /// The signature to look at. Without it, the only one.
    pub label: Option<String>,
    /// What must be covered.
    pub components: Vec<String>,
    /// Whether `content-digest` must be covered where there may be a body.
    pub content_digest: bool,
    /// `tag`, as a signature must have it.
    pub tag: Option<String>,
    /// `@scheme`: `https` or `http`.
    pub scheme: &'static str,
    /// How long after `created` a signature counts.
    pub max_age: Millis,
    /// How far the signer's clock may be ahead.
    pub skew: Millis,
}

/// What verifies, for each algorithm.
#[derive(Clone)]
pub(crate) enum Keys {
    /// RFC 9421 section 3.3.3.
    HmacSha256(KeyRing<Hmac<Sha256>>),
    /// RFC 9421 section 3.3.6.
    Ed25519(KeyRing<PublicKey>),
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.algorithm())
    }
}

impl Keys {
    /// `alg`, as a signature must have it if it says.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::HmacSha256(_) => "hmac-sha256",
            Self::Ed25519(_) => "ed25519",
        }
    }

    /// Checks that a key of the ring signed one of these texts: the key that the signature
    /// names, and with public keys of several no other.
    fn check(
        &self,
        named: Option<&str>,
        texts: &[&[u8]],
        signature: &[u8],
        facts: &LinkFacts<'_>,
    ) -> Result<&str, Reason> {
        match self {
            Self::HmacSha256(ring) => {
                let made = |key: &Hmac<Sha256>, text: &&[u8]| {
                    let mac = key.clone().chain_update(text);
                    mac.verify_slice(signature).is_ok()
                };
                let signed = |key: &Hmac<Sha256>| texts.iter().any(|text| made(key, text));
                signer(ring, named, facts.now, signed).ok_or(Reason::WrongSignature)
            }
            Self::Ed25519(ring) => {
                let entry = ring.meant(named, facts.now)?;
                let key = &entry.key;
                key.check(Scheme::Ed25519, texts, signature, facts)?;
                Ok(&entry.id)
            }
        }
    }
}

impl Format for HttpSignature {
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let malformed = Reason::MalformedCredential;
        let (inputs, signatures) = match headers(request)? {
            (None, None) => return Err(Reason::MissingCredential),
            (Some(inputs), Some(signatures)) => (inputs, signatures),
            _ => return Err(malformed),
        };
        let label = self.label.as_deref();
        let (name, text) = fields::member(&inputs, label)?.ok_or(Reason::MissingCredential)?;
        let input = Input::parse(text)?;
        // With one label in the one header, the other has that label, too.
        let (other, value) = fields::member(&signatures, label)?.ok_or(malformed)?;
        let signature = fields::bytes(value)?;
        let is_ours = input.algorithm.is_none_or(|it| it == self.keys.algorithm())
            && input.tag == self.tag.as_deref();
        if name != other || !is_ours || self.missing(&input, request).is_some() {
            return Err(malformed);
        }
        let created = UnixMillis::from_secs(input.created.ok_or(malformed)?);
        let end = created.plus(self.max_age);
        let end = match input.expires {
            Some(expires) => end.min(UnixMillis::from_secs(expires)),
            None => end,
        };
        // Before a signature that costs a public-key operation; a MAC costs little.
        if let Keys::Ed25519(ring) = &self.keys {
            self.check_times(created, end, facts.now)?;
            ring.meant(input.key_id, facts.now)?;
        }
        let spellings = spelling::each(request.target.whole);
        let texts = spellings.map(|target| self.base(&input, request, &target));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let texts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        self.keys.check(input.key_id, &texts, &signature, facts)?;
        self.check_times(created, end, facts.now)?;
        let strips = [Strip::Header(INPUT), Strip::Header(SIGNATURE)];
        Ok(Link::new(strips, Some(end)))
    }

    fn carriers(&self) -> Vec<Carrier> {
        [INPUT, SIGNATURE]
            .map(|it| Carrier::Header(it.to_owned()))
            .into()
    }

    fn parameters(&self) -> Vec<&str> {
        Vec::new()
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
        sign::sign(self, order)
    }

    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
        explain::lines(self, request, facts)
    }
}

/// Both headers, each as one text.
type Both<'a> = (
    Option<std::borrow::Cow<'a, str>>,
    Option<std::borrow::Cow<'a, str>>,
);

fn headers<'a>(request: &Request<'a>) -> Result<Both<'a>, Reason> {
    // An empty header holds no signature.
    let values = |name| {
        request
            .values(name)
            .filter(|it| !it.trim_ascii().is_empty())
    };
    let both = (joined(values(INPUT))?, joined(values(SIGNATURE))?);
    let is_long =
        |it: &Option<std::borrow::Cow<'_, str>>| it.as_ref().is_some_and(|it| it.len() > MAX_TOKEN);
    match is_long(&both.0) || is_long(&both.1) {
        true => Err(Reason::MalformedCredential),
        false => Ok(both),
    }
}

impl HttpSignature {
    fn base(
        &self,
        input: &Input<'_>,
        request: &Request<'_>,
        target: &str,
    ) -> Result<String, Reason> {
        let seen = Seen {
            request,
            scheme: self.scheme,
            target,
        };
        base(input, &seen)
    }

    fn check_times(
        &self,
        created: UnixMillis,
        end: UnixMillis,
        now: UnixMillis,
    ) -> Result<(), Reason> {
        if created > now.plus(self.skew) {
            return Err(Reason::NotYetValid);
        }
        if now >= end {
            return Err(Reason::Expired);
        }
        Ok(())
    }

    /// The first component that must be covered and is not.
    fn missing<'a>(&'a self, input: &Input<'_>, request: &Request<'_>) -> Option<&'a str> {
        let mut all = self.components.iter().map(String::as_str);
        let digest = "content-digest";
        let needs_digest = self.content_digest && may_have_body(request);
        all.find(|it| !is_covered(input, it))
            .or((needs_digest && !input.covers(digest)).then_some(digest))
    }
}

/// A component is covered by itself, and by what holds all of it.
fn is_covered(input: &Input<'_>, name: &str) -> bool {
    let has = |name: &str| input.covers(name);
    match name {
        "@target-uri" => {
            let rest = has("@path") && has("@query") || has("@request-target");
            has(name) || has("@authority") && rest
        }
        "@authority" | "@scheme" => has(name) || has("@target-uri"),
        "@path" | "@query" | "@request-target" => {
            has(name)
                || has("@target-uri")
                || has("@request-target")
                || name == "@request-target" && has("@path") && has("@query")
        }
        name => has(name),
    }
}

/// Whether a body may follow, for any method (RFC 9112 section 6): a length says so. The
/// filter adds `transfer-encoding` to a request over HTTP/2 whose body has no length.
fn may_have_body(request: &Request<'_>) -> bool {
    let has = |name: &str| request.values(name).any(|it| it != b"0");
    has("content-length") || has("transfer-encoding")
}
