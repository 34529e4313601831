//! imgproxy's signed paths: `/<mac>/<options>/<source>`.
//!
//! Source: imgproxy's guide "Signing a URL" and its processing option `expires`. The MAC is
//! HMAC-SHA256 over salt and path. imgproxy can cut it short; here it is whole.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::http::edit::Strip;
use crate::http::path::canonical;
use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::signed_url::facts::LinkFacts;
#[cfg(feature = "tools")]
use crate::signed_url::format::FieldRemark;
use crate::signed_url::format::{Format, Link, Strips};
use crate::signed_url::parts::first_segment::{self, FirstSegment};
use crate::signed_url::parts::lifetime::Lifetime;
#[cfg(feature = "tools")]
use crate::signed_url::parts::{near, rings, signing, told};
use crate::signed_url::parts::{spelling, ten_digits};
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError, Signed};
use crate::time::{Millis, UnixMillis};

/// How links of one provider are checked and made.
#[derive(Clone, Debug)]
pub(crate) struct Imgproxy {
    /// The keys, each with its salt in already; the first signs.
    pub ring: KeyRing<Hmac<Sha256>>,
    /// The path in front of the MAC; ends with `/`.
    pub prefix: String,
    /// What becomes of the MAC behind us.
    pub forward: Forward,
    /// How far ahead a link may end. With it every link must say when it ends.
    pub lifetime: Option<Lifetime>,
}

/// What the program behind us sees in place of the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forward {
    /// The signature: it checks it itself.
    Keep,
    /// `unsafe`: it checks none.
    Unsafe,
}

impl Forward {
    /// What is to be changed about the target.
    pub(crate) fn strips(self, found: FirstSegment<'_>) -> Strips<'_> {
        let strip = match self {
            Self::Keep => None,
            Self::Unsafe => Some(Strip::Segment(found.before, "unsafe", found.tail)),
        };
        strip.into_iter().collect()
    }
}

impl Format for Imgproxy {
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let found = first_segment::find(&request.target, &self.prefix)?;
        let mac = decode(found.segment)?;
        let expires = expires(found.rest);
        let signs = |path: &str| {
            let mut keys = self.ring.current(facts.now);
            keys.any(|it| is_signed(&it.key, path, &mac))
        };
        // A query is not signed, and imgproxy reads none.
        let is_signed = spelling::is_signed(found.rest, signs)
            || plain_colons(found.rest).is_some_and(|it| signs(&it));
        if request.target.query.is_some() || !is_signed {
            return Err(Reason::WrongSignature);
        }
        let expires = expires?;
        match (self.lifetime, expires) {
            (Some(lifetime), Some(expires)) => lifetime.check(None, expires, facts.now)?,
            (Some(_), None) => return Err(Reason::LifetimeTooLong),
            (None, Some(expires)) if facts.now >= expires => return Err(Reason::Expired),
            (None, _) => {}
        }
        Ok(Link {
            strips: self.forward.strips(found),
            ..Link::new([], expires)
        })
    }

    fn parameters(&self) -> Vec<&str> {
        Vec::new()
    }

    #[cfg(feature = "tools")]
    fn remarks(&self) -> Vec<FieldRemark> {
        let why = "only those with the option exp do. Set max_lifetime to require exp";
        match self.lifetime {
            None => vec![told::endless(why)],
            Some(_) => Vec::new(),
        }
    }

    #[cfg(feature = "tools")]
    fn sign(&self, order: &Order<'_>) -> Result<Signed, SignError> {
        order.only(&["expires"])?;
        let rest = canonical(first_segment::unsigned(order, &self.prefix)?);
        let has_end = !matches!(expires(&format!("/{rest}")), Ok(None));
        let path = match order.expires {
            Some(_) if has_end => {
                return Err(SignError::new("the path already has an expiry"));
            }
            Some(end) => format!("/exp:{}/{rest}", ten_digits::write(end)?),
            None if self.lifetime.is_some() && !has_end => return Err(told::no_end()),
            None => format!("/{rest}"),
        };
        let mut mac = signing::first(&self.ring, order.now)?.key.clone();
        mac.update(path.as_bytes());
        let mac = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        Ok(Signed {
            url: format!("{}{}{mac}{path}", order.origin, self.prefix),
            ..Signed::default()
        })
    }

    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
        let (found, told) = first_segment::explain(&request.target, &self.prefix, decode);
        let mut steps = vec![told];
        let segment = first_segment::find(&request.target, &self.prefix).ok();
        let end = segment.and_then(|it| expires(it.rest).ok().flatten());
        steps.extend(end.map(|it| format!("it says: valid until {it}")));
        steps.push(rings::ring(&self.ring, facts.now));
        let verified = self.verify(request, facts);
        if let (Ok((found, mac)), true) = (found, told::is_unsigned(&verified)) {
            if request.target.query.is_some() {
                steps.push("what differs: there is a query, which is not signed".to_owned());
            }
            let right = spelling::each(found.rest).map(std::borrow::Cow::into_owned);
            let right = right.chain(plain_colons(found.rest));
            let near = near::targets(found.rest)
                .into_iter()
                .map(|(what, it)| (Some(what.to_owned()), it));
            let guesses: Vec<_> = right.map(|it| (None, it)).chain(near).collect();
            let signs = |key: &Hmac<Sha256>, it: &String| is_signed(key, it, &mac);
            steps.extend(told::found(&self.ring, facts.now, &guesses, signs));
        }
        steps
    }
}

fn is_signed(key: &Hmac<Sha256>, path: &str, mac: &[u8]) -> bool {
    let mut expected = key.clone();
    expected.update(path.as_bytes());
    expected.verify_slice(mac).is_ok()
}

/// All of the 32 bytes: a shorter one is easier to guess.
fn decode(segment: &str) -> Result<Vec<u8>, Reason> {
    let mac = URL_SAFE_NO_PAD.decode(segment).ok();
    mac.filter(|it| it.len() == 32)
        .ok_or(Reason::MalformedCredential)
}

/// The path with `:` for each `%3A` in its options, if there is one. imgproxy signs and reads
/// it so ("some proxies may encode `:` in options"); the options end at `/plain/`.
fn plain_colons(path: &str) -> Option<String> {
    let path = canonical(path);
    let (options, source) = path.split_at_checked(path.find("/plain/").unwrap_or(path.len()))?;
    options
        .contains("%3A")
        .then(|| format!("{}{source}", options.replace("%3A", ":")))
}

/// When a path ends by its option `expires` or `exp`. Options are the first segments, as
/// long as they hold a `:`. imgproxy compares whole seconds, and the last is still good.
fn expires(path: &str) -> Result<Option<UnixMillis>, Reason> {
    let mut found = None;
    for segment in path.split('/').skip(1) {
        let segment = canonical(segment);
        let segment = segment.replace("%3A", ":");
        let Some((name, value)) = segment.split_once(':') else {
            break;
        };
        if ["exp", "expires"].contains(&name) {
            let end = ten_digits::parse(value)?.plus(Millis::from_secs(1));
            if found.replace(end).is_some() {
                return Err(Reason::MalformedCredential);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_read_from_the_options_only() {
        let end = Some(UnixMillis::from_secs(1_700_000_001));
        for (path, expected) in [
            ("/exp:1700000000/aHR0", Ok(end)),
            ("/rs:fit:1:1/expires:1700000000/plain/exp:1", Ok(end)),
            ("/rs:fit/aHR0/exp:1700000000", Ok(None)),
            ("/fill/300/aHR0", Ok(None)),
            ("/%65xp%3A1700000000/aHR0", Ok(end)),
            ("/exp:0/a", Err(Reason::MalformedCredential)),
            ("/exp:-1/a", Err(Reason::MalformedCredential)),
            ("/exp:17000000000/a", Err(Reason::MalformedCredential)),
            ("/exp:1700000000:1/a", Err(Reason::MalformedCredential)),
            (
                "/exp:1700000000/expires:1700000000/a",
                Err(Reason::MalformedCredential),
            ),
        ] {
            assert_eq!(expires(path), expected, "{path}");
        }
    }

    #[test]
    fn an_encoded_colon_is_plain_in_the_options_only() {
        for (path, expected) in [
            ("/rs%3Afit%3a300/aHR0", Some("/rs:fit:300/aHR0")),
            ("/rs%3Afit/plain/s3%3Ax", Some("/rs:fit/plain/s3%3Ax")),
            ("/rs:fit/plain/s3%3Ax", None),
            ("/rs:fit/aHR0", None),
        ] {
            assert_eq!(plain_colons(path).as_deref(), expected, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn untrusted_text_never_panics(path: String) {
            let _ = expires(&path);
            let _ = decode(&path);
        }
    }
}
