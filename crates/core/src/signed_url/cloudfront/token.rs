//! The parts of a token, in any carrier.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{COOKIES, Carrier, Hash, PARAMETERS};
use crate::http::cookie::cookie_values;
use crate::http::edit::Strip;
use crate::http::parameter::decode_token;
use crate::http::parameter::find_token;
use crate::http::request::Request;
use crate::reason::Reason;
use crate::signed_url::carrier::{MAX_TOKEN, only_token};
use crate::signed_url::format::Strips;

/// A token as found.
pub(super) struct Token<'a> {
    /// What it says itself.
    pub says: Says<'a>,
    /// As sent: see [`Token::signature`].
    signature: Cow<'a, str>,
    /// Which key is said to have made it.
    pub key_id: Cow<'a, str>,
    /// What takes it out.
    pub strips: Strips<'a>,
}

/// What a token says of itself.
pub(super) enum Says<'a> {
    /// Only when it ends, in digits.
    Canned {
        /// Unix seconds.
        expires: Cow<'a, str>,
    },
    /// All of the policy.
    Custom {
        /// JSON, decoded from base64.
        policy: Vec<u8>,
    },
}

impl Says<'_> {
    /// When a canned policy ends, in Unix seconds.
    pub(super) fn expires(&self) -> Option<u64> {
        match self {
            Self::Canned { expires } => expires.parse().ok(),
            Self::Custom { .. } => None,
        }
    }
}

impl<'a> Token<'a> {
    /// Finds the token in this carrier. A lone `Expires` belongs to the application.
    ///
    /// # Errors
    /// [`Reason::DuplicateCredential`] for a part that is given more than once,
    /// [`Reason::MalformedCredential`] for parts that do not go together, and for another
    /// hash than the configuration has.
    pub(super) fn find(
        carrier: Carrier,
        request: &Request<'a>,
        hash: Hash,
    ) -> Result<Option<Self>, Reason> {
        let mut parts: [Option<Cow<'a, str>>; 5] = Default::default();
        let mut strips = Strips::new();
        for (index, part) in parts.iter_mut().enumerate() {
            let Some((text, strip)) = look(carrier, request, index)? else {
                continue;
            };
            if text.len() > MAX_TOKEN {
                return Err(Reason::MalformedCredential);
            }
            *part = Some(text);
            strips.push(strip);
        }
        let [expires, policy, signature, key_id, algorithm] = parts;
        if policy.is_none() && signature.is_none() && key_id.is_none() {
            return Ok(None);
        }
        if algorithm.is_some_and(|it| it != hash.name()) {
            return Err(Reason::MalformedCredential);
        }
        let says = match (expires, policy) {
            (Some(expires), None) if is_time(&expires) => Says::Canned { expires },
            (None, Some(policy)) => Says::Custom {
                policy: decode(&policy)?,
            },
            _ => return Err(Reason::MalformedCredential),
        };
        Ok(Some(Self {
            says,
            signature: signature.ok_or(Reason::MalformedCredential)?,
            key_id: key_id.ok_or(Reason::MalformedCredential)?,
            strips,
        }))
    }

    /// The bytes of the signature. Decoded when all that needs none has been decided: of an
    /// RSA key they are more than the rest of the request.
    ///
    /// # Errors
    /// [`Reason::MalformedCredential`] for another alphabet.
    pub(super) fn signature(&self) -> Result<Vec<u8>, Reason> {
        decode(&self.signature)
    }
}

/// The text of a part, and what takes it out.
type Part<'a> = (Cow<'a, str>, Strip<'a>);

fn look<'a>(
    carrier: Carrier,
    request: &Request<'a>,
    index: usize,
) -> Result<Option<Part<'a>>, Reason> {
    let names = match carrier {
        Carrier::Query => PARAMETERS,
        Carrier::Cookies => COOKIES,
    };
    let Some(name) = names.get(index).copied() else {
        return Ok(None);
    };
    match carrier {
        Carrier::Query => {
            let Some(found) = find_token(&request.target, name)? else {
                return Ok(None);
            };
            let text = match decode_token(found.value)? {
                Cow::Borrowed(_) => Cow::Borrowed(found.value),
                Cow::Owned(bytes) => {
                    let text = String::from_utf8(bytes);
                    Cow::Owned(text.map_err(|_| Reason::MalformedCredential)?)
                }
            };
            Ok(Some((text, Strip::Parameter(name))))
        }
        Carrier::Cookies => {
            let text = only_token(cookie_values(request, name))?;
            Ok(text.map(|it| (Cow::Borrowed(it), Strip::Cookie(name))))
        }
    }
}

/// Unix seconds: one to ten digits, the first not zero.
fn is_time(text: &str) -> bool {
    (1..=10).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && !text.starts_with('0')
}

/// CloudFront's base64: that of RFC 4648 section 4 with `-`, `_` and `~` for `+`, `=` and
/// `/`.
fn decode(text: &str) -> Result<Vec<u8>, Reason> {
    let plain: Vec<u8> = text
        .bytes()
        .map(|it| match it {
            b'-' => b'+',
            b'_' => b'=',
            b'~' => b'/',
            // In no alphabet of base64.
            b'+' | b'=' | b'/' => b'%',
            other => other,
        })
        .collect();
    STANDARD
        .decode(plain)
        .map_err(|_| Reason::MalformedCredential)
}

/// The other direction.
#[cfg(feature = "tools")]
pub(super) fn encode(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    text.replace('+', "-").replace('=', "_").replace('/', "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_of_one_alphabet_and_canonical() {
        let bytes = [0xfb, 0xff, 0xfe, 0x00];
        assert_eq!(encode(&bytes), "-~~-AA__");
        assert_eq!(decode("-~~-AA__"), Ok(bytes.to_vec()));
        for wrong in [
            "+//+AA==",
            "-~~-AA",
            "-~~-AA_",
            "-~~-AA___",
            "-~~-AB__",
            "-~~- AA__",
            "-~~-AA==",
            "_",
            "a",
            "%",
        ] {
            assert_eq!(decode(wrong), Err(Reason::MalformedCredential), "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn untrusted_text_never_panics(text: String) {
            let _ = (decode(&text), is_time(&text));
        }

        #[test]
        fn what_is_encoded_is_decoded(bytes: Vec<u8>) {
            proptest::prop_assert_eq!(decode(&encode(&bytes)), Ok(bytes));
        }
    }
}
