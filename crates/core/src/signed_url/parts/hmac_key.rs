//! Keys for the formats that leave the choice of an HMAC to the configuration.

use std::fmt;

#[cfg(feature = "formats-images")]
use base64::Engine as _;
#[cfg(feature = "formats-images")]
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;

#[cfg(feature = "formats-images")]
use crate::http::parameter::decode_token;
use crate::text::hex;

/// A hash under HMAC (RFC 2104). The configuration names it, never a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HmacHash {
    /// HMAC-SHA256: 32 bytes.
    Sha256,
    /// HMAC-SHA1: 20 bytes. Not forgeable today, but not recommended either.
    Sha1,
    /// HMAC-MD5: 16 bytes. Weaker than HMAC-SHA1.
    Md5,
}

/// A key for one of them. It cannot be printed.
#[derive(Clone)]
pub(crate) struct HmacKey(Inner);

#[derive(Clone)]
enum Inner {
    Sha256(Hmac<Sha256>),
    Sha1(Hmac<Sha1>),
    Md5(Hmac<Md5>),
}

impl HmacKey {
    /// Keys the hash with the bytes of a secret.
    pub(crate) fn new(hash: HmacHash, key: &[u8]) -> Self {
        Self(match hash {
            HmacHash::Sha256 => Inner::Sha256(keyed(key)),
            HmacHash::Sha1 => Inner::Sha1(keyed(key)),
            HmacHash::Md5 => Inner::Md5(keyed(key)),
        })
    }

    /// Whether `mac` is the whole MAC of the message, compared in constant time.
    pub(crate) fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        match &self.0 {
            Inner::Sha256(key) => fed(key, message).verify_slice(mac).is_ok(),
            Inner::Sha1(key) => fed(key, message).verify_slice(mac).is_ok(),
            Inner::Md5(key) => fed(key, message).verify_slice(mac).is_ok(),
        }
    }

    /// The MAC of a message.
    #[cfg(feature = "tools")]
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Inner::Sha256(key) => fed(key, message).finalize().into_bytes().to_vec(),
            Inner::Sha1(key) => fed(key, message).finalize().into_bytes().to_vec(),
            Inner::Md5(key) => fed(key, message).finalize().into_bytes().to_vec(),
        }
    }
}

impl HmacHash {
    /// How many bytes its MAC has.
    pub(crate) fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha1 => 20,
            Self::Md5 => 16,
        }
    }

    /// Reads a whole MAC in lower-case hexadecimal digits, the one spelling that counts.
    pub(crate) fn decode_hex(self, text: &str) -> Option<Vec<u8>> {
        hex::decode_lower(text).filter(|it| it.len() == self.length())
    }

    /// Reads a whole MAC in base64url with padding, which may be percent-encoded.
    #[cfg(feature = "formats-images")]
    pub(crate) fn decode_base64url(self, text: &str) -> Option<Vec<u8>> {
        let mac = URL_SAFE.decode(decode_token(text).ok()?).ok();
        mac.filter(|it| it.len() == self.length())
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey(..)")
    }
}

fn keyed<M: KeyInit>(key: &[u8]) -> M {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    M::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn fed<M: Mac + Clone>(key: &M, message: &[u8]) -> M {
    let mut mac = key.clone();
    mac.update(message);
    mac
}
