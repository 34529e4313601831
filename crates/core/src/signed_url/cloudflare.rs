//! Cloudflare's `is_timed_hmac_valid_v0`, strictly: `<path and query>?verify=<stamp>-<mac>`.
//!
//! Source: Cloudflare's documents on `is_timed_hmac_valid_v0` and "Configure token
//! authentication". The MAC is HMAC-SHA256 over the message and the ten digits of the stamp.
//! What the original leaves open is closed here: the separator must be literal, base64 is
//! canonical, and a stamp from the future does not count.

mod carrier;
mod directory;
#[cfg(feature = "tools")]
mod explain;
#[cfg(feature = "tools")]
mod near;

pub use carrier::LinkCarrier;
pub use directory::Directory;
#[cfg(feature = "tools")]
pub use near::NearMiss;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
#[cfg(feature = "tools")]
use hmac::Mac as _;

use crate::http::parameter::decode_token;
#[cfg(feature = "tools")]
use crate::http::path::{Target, canonical};
use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::signed_url::carrier::Carrier;
use crate::signed_url::facts::LinkFacts;
#[cfg(feature = "tools")]
use crate::signed_url::format::FieldRemark;
use crate::signed_url::format::{Covers, Format, Link, Strips};
use crate::signed_url::parts::mac_key::MacKey;
use crate::signed_url::parts::spelling;
#[cfg(feature = "tools")]
use crate::signed_url::parts::{signing, told};
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, Scope, SignError, Signed};
use crate::time::{Millis, UnixMillis};

/// How links of one provider are checked and made.
#[derive(Clone, Debug)]
pub struct Cloudflare {
    /// The secrets; the first signs.
    pub ring: KeyRing<MacKey>,
    /// The carriers of a token; at least one.
    pub carriers: Vec<LinkCarrier>,
    /// How the MAC is written.
    pub alphabet: Alphabet,
    /// What the stamp means.
    pub stamp: Stamp,
    /// How far the signer's clock may be ahead of ours.
    pub skew: Millis,
    /// The link covers a directory instead of one path.
    pub directory: Option<Directory>,
    /// What of the target is signed.
    pub signs: Signs,
}

/// What of a target is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signs {
    /// Path and query, `http.request.uri`.
    Uri,
    /// The path alone, `http.request.uri.path`: the link is valid with every query.
    Path,
}

/// How the MAC is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// RFC 4648 section 4 with padding, percent-encoded in a query. Cloudflare's default.
    Standard,
    /// RFC 4648 section 5 without padding. Cloudflare's flag `s`.
    UrlSafe,
}

/// What the ten digits mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// When the link was made. It is valid while `now < stamp + ttl`.
    Issued {
        /// How long a link lives.
        ttl: Millis,
    },
    /// When the link ends. It is valid while `now < stamp`.
    Expires {
        /// How far ahead that may be.
        max_lifetime: Millis,
    },
}

/// How a MAC is looked at.
type Way = fn(&MacKey, &[&[u8]], &[u8]) -> bool;

/// A token as found: what it signs, and what it says.
struct Token<'a> {
    /// The target without the token.
    message: &'a str,
    /// The target up to the token, as the documented directory rule signs it.
    message_and_separator: &'a str,
    stamp: &'a str,
    mac: &'a str,
    strips: Strips<'a>,
}

impl Format for Cloudflare {
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let token = self.find(request)?;
        let stamp = parse_stamp(token.stamp)?;
        let mac = self.decode_mac(token.mac)?;
        let covers = self
            .signed(request, &token, &mac, facts.now)
            .ok_or(Reason::WrongSignature)?;
        self.stamp.check(stamp, facts.now, self.skew)?;
        Ok(Link {
            strips: token.strips,
            identity: None,
            expires: Some(self.stamp.end(UnixMillis::from_secs(stamp))),
            covers,
            once: None,
        })
    }

    fn carriers(&self) -> Vec<Carrier> {
        let carriers = self.carriers.iter().flat_map(|carrier| match carrier {
            LinkCarrier::Parameter(name) => vec![Carrier::Query(name.clone())],
            LinkCarrier::Header(name) => vec![Carrier::Header(name.clone())],
            LinkCarrier::Headers { timestamp, mac } => [timestamp, mac]
                .map(|it| Carrier::Header(it.clone()))
                .into(),
        });
        carriers.collect()
    }

    fn parameters(&self) -> Vec<&str> {
        let names = self.carriers.iter().filter_map(|carrier| match carrier {
            LinkCarrier::Parameter(name) => Some(name.as_str()),
            LinkCarrier::Header(_) | LinkCarrier::Headers { .. } => None,
        });
        names.collect()
    }

    #[cfg(feature = "tools")]
    fn remarks(&self) -> Vec<FieldRemark> {
        let message = "the query is not signed: clients can add, change and remove parameters, \
                       and all but the token reach the upstream";
        match self.signs {
            Signs::Uri => Vec::new(),
            Signs::Path => vec![("message", message.into())],
        }
    }

    #[cfg(feature = "tools")]
    fn sign(&self, order: &Order<'_>) -> Result<Signed, SignError> {
        let known: &[&str] = match self.directory {
            Some(_) => &["expires", "prefix"],
            None => &["expires"],
        };
        order.only(known)?;
        let stamp = match (self.stamp, order.expires) {
            (Stamp::Issued { .. }, None) => order.now,
            (Stamp::Expires { .. }, Some(expires)) => expires,
            (Stamp::Issued { .. }, Some(_)) => {
                return Err(SignError::new(
                    "the ttl of the provider decides when links expire: an expiry in the link \
                     requires \"stamp\": \"expires\"",
                ));
            }
            (Stamp::Expires { .. }, None) => return Err(told::no_end()),
        };
        if !(1_000_000_000..=9_999_999_999).contains(&stamp.as_secs()) {
            let message = "the time does not fit in the ten digits of this format";
            return Err(SignError::new(message));
        }
        let [LinkCarrier::Parameter(parameter), ..] = self.carriers.as_slice() else {
            return Err(SignError::new(
                "this command only signs links with a query parameter",
            ));
        };
        let target = order.target.whole;
        let message = self.message(order)?;
        let key = &signing::first(&self.ring, order.now)?.key;
        let signed = self.append(key, target, &message, parameter, stamp.as_secs());
        Ok(Signed {
            url: format!("{}{signed}", order.origin),
            ..Signed::default()
        })
    }

    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
        explain::lines(self, request, facts)
    }
}

impl Cloudflare {
    /// What is signed of a target that has no token yet: the canonical spelling, which every
    /// equivalent one comes down to, also that which a proxy on the way may make of it; or a
    /// directory of it in that spelling, and the query as sent.
    #[cfg(feature = "tools")]
    fn message(&self, order: &Order<'_>) -> Result<String, SignError> {
        let Target { path, .. } = order.target;
        let whole = match self.signs {
            Signs::Uri => order.target.whole,
            Signs::Path => path,
        };
        let Some(directory) = self.directory else {
            return Ok(canonical(whole).into_owned());
        };
        let Scope::Prefix(prefix) = order.scope else {
            let message = "the links of this provider cover a directory: give it as prefix";
            return Err(SignError::new(message));
        };
        if !directory.of(path).any(|it| it == prefix) {
            let message = "this is not a directory of the path that a link can cover";
            return Err(SignError::new(message));
        }
        let query = whole.get(path.len()..).unwrap_or_default();
        Ok(format!("{}{query}", canonical(prefix)))
    }

    /// Appends a token to a target that has none yet.
    #[cfg(feature = "tools")]
    fn append(
        &self,
        key: &MacKey,
        target: &str,
        message: &str,
        parameter: &str,
        stamp_secs: u64,
    ) -> String {
        let stamp = format!("{stamp_secs:010}");
        let mut mac = key.mac();
        mac.update(message.as_bytes());
        mac.update(stamp.as_bytes());
        let mac = mac.finalize().into_bytes();
        let text = match self.alphabet {
            Alphabet::UrlSafe => URL_SAFE_NO_PAD.encode(mac),
            Alphabet::Standard => STANDARD
                .encode(mac)
                .replace('+', "%2B")
                .replace('/', "%2F")
                .replace('=', "%3D"),
        };
        let separator = if target.contains('?') { '&' } else { '?' };
        format!("{target}{separator}{parameter}={stamp}-{text}")
    }

    #[inline]
    fn find<'a>(&'a self, request: &Request<'a>) -> Result<Token<'a>, Reason> {
        let mut found = None;
        for carrier in &self.carriers {
            if let Some(token) = carrier.find(request, self.signs)?
                && found.replace(token).is_some()
            {
                return Err(Reason::DuplicateCredential);
            }
        }
        found.ok_or(Reason::MissingCredential)
    }

    #[inline]
    fn decode_mac(&self, text: &str) -> Result<[u8; 32], Reason> {
        let text = decode_token(text)?;
        // Both engines reject other alphabets, junk, wrong padding and trailing bits. The
        // room is a little more than a MAC: the decoder wants to know that before it starts.
        let mut room = [0; 36];
        let length = match self.alphabet {
            Alphabet::Standard => STANDARD.decode_slice(text, &mut room),
            Alphabet::UrlSafe => URL_SAFE_NO_PAD.decode_slice(text, &mut room),
        };
        let mac = length.ok().and_then(|length| room.get(..length));
        mac.and_then(|mac| mac.try_into().ok())
            .ok_or(Reason::MalformedCredential)
    }

    /// What the MAC covers, if any of the secrets made it. A repeated link costs no MAC.
    fn signed<'a>(
        &self,
        request: &Request<'a>,
        token: &Token<'_>,
        mac: &[u8; 32],
        now: UnixMillis,
    ) -> Option<Covers<'a>> {
        // If only one MAC is possible, one check is enough.
        let ways: &[Way] = match (self.ring.0.as_slice(), self.directory) {
            ([_], None) => &[MacKey::holds],
            _ => &[MacKey::recalls, MacKey::holds],
        };
        let stamp = token.stamp.as_bytes();
        let signs = |way: Way, [path, query]: [&str; 2]| {
            let text = [path.as_bytes(), query.as_bytes(), stamp];
            let mut current = self.ring.current(now);
            current.any(|entry| way(&entry.key, &text, mac))
        };
        let Some(directory) = self.directory else {
            // An equivalent spelling of the signed path is the signed path.
            let message = token.message;
            let is_of = |text: &str| ways.iter().any(|way| signs(*way, [text, ""]));
            return spelling::is_signed(message, is_of).then_some(Covers::Path);
        };
        if directory.is_lost_in(token.message_and_separator) {
            return None;
        }
        let path = request.target.path;
        // The documented rule forgets `lenSep`, so that as written the separator is
        // signed too; with `lenSep` it is not. Signers exist for both.
        let queries = [token.message, token.message_and_separator]
            .map(|message| message.get(path.len()..).unwrap_or_default());
        let of = |way: Way, it: &str| queries.iter().any(|query| signs(way, [it, query]));
        let mut ways = ways.iter();
        let is_of = |way: Way, directory: &str| {
            of(way, directory)
                || directory.contains('%')
                    && spelling::each(directory).skip(1).any(|it| of(way, &it))
        };
        let found = ways.find_map(|&way| directory.of(path).find(|it| is_of(way, it)));
        found.map(Covers::Prefix)
    }
}

impl Stamp {
    /// The first instant at which a link with this stamp holds no more.
    #[inline]
    pub fn end(self, stamp: UnixMillis) -> UnixMillis {
        match self {
            Self::Issued { ttl } => stamp.plus(ttl),
            Self::Expires { .. } => stamp,
        }
    }

    #[inline]
    fn check(self, stamp_secs: u64, now: UnixMillis, skew: Millis) -> Result<(), Reason> {
        let stamp = UnixMillis::from_secs(stamp_secs);
        match self {
            Self::Issued { .. } if stamp > now.plus(skew) => Err(Reason::NotYetValid),
            Self::Issued { ttl } if now >= stamp.plus(ttl) => Err(Reason::Expired),
            Self::Expires { .. } if now >= stamp => Err(Reason::Expired),
            Self::Expires { max_lifetime } if stamp > now.plus(max_lifetime).plus(skew) => {
                Err(Reason::LifetimeTooLong)
            }
            Self::Issued { .. } | Self::Expires { .. } => Ok(()),
        }
    }
}

/// Unix seconds in exactly ten digits, the first of which is not zero: a shorter or
/// longer stamp would let digits of the path pass as digits of the time.
#[inline]
fn parse_stamp(text: &str) -> Result<u64, Reason> {
    let all_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() != 10 || !all_digits || text.starts_with('0') {
        return Err(Reason::MalformedCredential);
    }
    text.parse().map_err(|_| Reason::MalformedCredential)
}
