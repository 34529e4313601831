//! What an invalid link was signed over, if that can be found.
//!
//! For a person who looks for the mistake in a signer. It tries what signers are known
//! to do, and never says which MAC would be right.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::Mac as _;

use super::{Cloudflare, Signs, Stamp, Token};
use crate::http::parameter::decode_token;
use crate::http::path::{decode, is_unreserved, percent_encode};
use crate::http::query;
use crate::http::request::Request;
use crate::signed_url::format::Format as _;
use crate::signed_url::parts::spelling;
use crate::text::hex;
use crate::time::{Millis, UnixMillis};

/// How far a stamp may be off to be found, in seconds.
const NEAR_STAMP: u64 = 3600;

/// A signature that one of the secrets did make, though not this one over this link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// The id of the secret.
    pub secret: String,
    /// Whether that secret counts at the time of the check.
    pub is_current: bool,
    /// How the MAC is written, when it is not as it should be.
    pub written: Option<&'static str>,
    /// What was signed, when it is not what should be.
    pub signed: Option<String>,
}

impl Cloudflare {
    /// Looks for what was signed instead. `None` if no guess fits.
    pub fn near_miss(&self, request: &Request<'_>, now: UnixMillis) -> Option<NearMiss> {
        let token = self.find(request).ok()?;
        let (mac, written) = self.decode_any(token.mac)?;
        let candidates = self.candidates(request, &token);
        let stamps = candidates.iter().filter(|it| it.0.is_none());
        let near_stamps = near_stamps(self.stamp, token.stamp);
        let stamps = stamps.flat_map(|(_, message)| {
            near_stamps.iter().map(move |(what, stamp)| {
                let what = Some(format!(
                    "the time {stamp} instead of the time in the link: \
                                         {what}"
                ));
                (what, format!("{message}{stamp}"))
            })
        });
        let messages = candidates.iter().map(|(what, message)| {
            let signed = format!("{message}{}", token.stamp);
            (what.clone(), signed)
        });
        messages.chain(stamps).find_map(|(signed, message)| {
            let entry = self.ring.0.iter().find(|entry| {
                let mut expected = entry.key.mac();
                expected.update(message.as_bytes());
                expected.verify_slice(&mac).is_ok()
            })?;
            Some(NearMiss {
                secret: entry.id.clone(),
                is_current: entry.is_current(now),
                written,
                signed,
            })
        })
    }

    /// Where the path alone should be signed: the path and its query without the token.
    fn with_query(&self, request: &Request<'_>) -> Option<String> {
        let names = self.parameters();
        let is_path = self.signs == Signs::Path && request.target.query.is_some();
        is_path.then(|| query::without(&request.target, &names))
    }

    /// The MAC, however it is written.
    fn decode_any(&self, text: &str) -> Option<([u8; 32], Option<&'static str>)> {
        if let Ok(mac) = self.decode_mac(text) {
            return Some((mac, None));
        }
        let text = decode_token(text).ok()?;
        let forms = [
            (STANDARD.decode(&text).ok(), "in base64 with + and /"),
            (URL_SAFE_NO_PAD.decode(&text).ok(), "in base64url"),
            (URL_SAFE.decode(&text).ok(), "in base64url with padding"),
            (
                STANDARD_NO_PAD.decode(&text).ok(),
                "in base64 without padding",
            ),
            (hex::decode(&text), "in hexadecimal digits"),
        ];
        let mut found = forms.into_iter().filter_map(|(mac, form)| {
            let mac = mac?.try_into().ok()?;
            Some((mac, Some(form)))
        });
        found.next()
    }

    /// Messages that a signer may have signed; without a name, those that are right.
    fn candidates(
        &self,
        request: &Request<'_>,
        token: &Token<'_>,
    ) -> Vec<(Option<String>, String)> {
        let whole = token.message;
        let path = request.target.path;
        let query = whole.get(path.len()..).unwrap_or_default();
        let directories = path
            .char_indices()
            .filter(|(at, byte)| *byte == '/' && *at > 0)
            .filter_map(|(at, _)| path.get(..=at));
        let mut candidates: Vec<(Option<String>, String)> = Vec::new();
        match self.directory {
            None => {
                candidates.extend(spelling::each(whole).map(|it| (None, it.into_owned())));
            }
            Some(directory) => {
                let what = "the whole path, not its directory";
                candidates.push((Some(what.to_owned()), whole.to_owned()));
                let right = directory.of(path);
                candidates.extend(right.map(|it| (None, format!("{it}{query}"))));
            }
        }
        let mut may_be = |what: &str, message: String| {
            candidates.push((Some(what.to_owned()), message));
        };
        if let Some(shorter) = path.strip_suffix('/') {
            may_be(
                "the path without its last slash",
                format!("{shorter}{query}"),
            );
        } else {
            may_be(
                "the path with a slash at its end",
                format!("{path}/{query}"),
            );
        }
        if !query.is_empty() {
            may_be("the path without the query (see message)", path.to_owned());
        } else if let Some(signed) = self.with_query(request) {
            may_be("the path and its query (see message)", signed);
        }
        may_be(
            "the path without its first slash",
            whole.trim_start_matches('/').to_owned(),
        );
        if let Some(decoded) = decode(whole)
            .ok()
            .and_then(|it| String::from_utf8(it.to_vec()).ok())
        {
            may_be("the path without percent encoding", decoded.clone());
            may_be(
                "the path percent-encoded in another way",
                encode(&decoded, b"/?&="),
            );
            may_be(
                "the path percent-encoded with its slashes",
                encode(&decoded, b""),
            );
        }
        may_be(
            "the path with percent encoding in lower case",
            lower_triplets(whole),
        );
        may_be("the path in lower case", whole.to_ascii_lowercase());
        may_be(
            "the ? or & and the name of the parameter too",
            token.message_and_separator.to_owned(),
        );
        let host = request.authority.as_str();
        may_be("the host and the path", format!("{host}{whole}"));
        for scheme in ["https", "http"] {
            may_be(
                "the whole URL, not only the path",
                format!("{scheme}://{host}{whole}"),
            );
        }
        for directory in directories {
            let what = format!("the directory {directory} (see directory)");
            may_be(&what, format!("{directory}{query}"));
            may_be(&what, directory.to_owned());
            may_be(&what, directory.trim_end_matches('/').to_owned());
        }
        candidates
    }
}

/// Stamps that a signer may have signed in place of the one that the link shows.
fn near_stamps(meaning: Stamp, shown: &str) -> Vec<(&'static str, String)> {
    let Ok(shown) = shown.parse::<u64>() else {
        return Vec::new();
    };
    let Millis(span) = match meaning {
        Stamp::Issued { ttl } => ttl,
        Stamp::Expires { max_lifetime } => max_lifetime,
    };
    let span = span / 1000;
    let mut stamps = vec![
        ("no time", String::new()),
        ("milliseconds", shown.saturating_mul(1000).to_string()),
        (
            "the expiry, not the start",
            shown.saturating_add(span).to_string(),
        ),
        (
            "the start, not the expiry",
            shown.saturating_sub(span).to_string(),
        ),
    ];
    for off in 1..=NEAR_STAMP {
        for stamp in [shown.saturating_add(off), shown.saturating_sub(off)] {
            stamps.push(("the time in the link was changed", stamp.to_string()));
        }
    }
    stamps
}

/// Percent-encodes all but unreserved characters (RFC 3986 section 2.3) and `kept`.
fn encode(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::new();
    let keep = |octet| is_unreserved(octet) || kept.contains(&octet);
    percent_encode(&mut encoded, text.as_bytes(), keep);
    encoded
}

fn lower_triplets(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| {
        let (triplet, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        format!("{whole}%{}{rest}", triplet.to_ascii_lowercase())
    })
}
