//! Secrets and rings of secrets: values that cannot be printed or compared by accident.

pub(crate) mod mac;
pub(crate) mod memo;

pub use mac::mac;
pub use memo::{Digest, DigestKey, Keyed, Memo};

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::reason::Reason;
use crate::text::hex;
use crate::text::names::names;
use crate::time::UnixMillis;

/// Bytes that only cryptography may read: no `Display`, no `==`, zeroed on drop.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

names! {
    /// How the text of a secret becomes its bytes.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum Encoding {
        /// The bytes of the text.
        #[default]
        Utf8 = "utf8",
        /// Two hexadecimal digits per byte.
        Hex = "hex",
        /// RFC 4648 section 4, with padding.
        Base64 = "base64",
        /// RFC 4648 section 5, with or without padding.
        Base64Url = "base64url",
    }
}

impl Encoding {
    /// Finds an encoding by its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|encoding| encoding.name() == name)
    }
}

/// Why a text is no secret. Never carries the text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Nothing, or nothing but white space.
    #[error("is empty")]
    Empty,
    /// Not what the encoding asks for.
    #[error("is not valid {0}: use {digits}, or another encoding", digits = digits(.0))]
    Encoding(&'static str),
}

/// What a text of this encoding is made of.
fn digits(encoding: &str) -> &'static str {
    match encoding {
        "hex" => "hexadecimal digits",
        _ => "its alphabet",
    }
}

impl Secret {
    /// Takes bytes as a secret.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Decodes the text of an environment variable or file.
    ///
    /// # Errors
    /// [`SecretError`] when nothing is left, or the text does not fit the encoding.
    pub fn decode(text: &[u8], encoding: Encoding) -> Result<Self, SecretError> {
        let bytes = match encoding {
            Encoding::Utf8 => text.to_vec(),
            Encoding::Hex => hex::decode(text).ok_or(SecretError::Encoding("hex"))?,
            Encoding::Base64 => STANDARD
                .decode(text)
                .map_err(|_| SecretError::Encoding("base64"))?,
            Encoding::Base64Url => {
                let padded = text.strip_suffix(b"==").or(text.strip_suffix(b"="));
                URL_SAFE_NO_PAD
                    .decode(padded.unwrap_or(text))
                    .map_err(|_| SecretError::Encoding("base64url"))?
            }
        };
        let secret = Self::new(bytes);
        if secret.0.iter().all(u8::is_ascii_whitespace) {
            return Err(SecretError::Empty);
        }
        Ok(secret)
    }

    /// Whether a text begins or ends with white space or a quote, which few people mean to be
    /// part of a secret: a line break of a file, or quotes that a shell or a parser kept.
    pub fn looks_padded(text: &[u8]) -> bool {
        let is_padding = |byte: &u8| byte.is_ascii_whitespace() || b"\"'".contains(byte);
        text.first().is_some_and(is_padding) || text.last().is_some_and(is_padding)
    }

    /// The bytes, for a MAC or a key derivation and nothing else.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The public name of a key's value: 128 bits, the same wherever the same key is configured.
///
/// A key id names a key only within its ring, so anything that outlives a ring or is shared
/// between rings is kept under the fingerprint instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Takes the first half of a digest that cannot be inverted.
    pub fn of(digest: &[u8; 32]) -> Self {
        let (first, _) = digest.split_first_chunk().unwrap_or((&[0; 16], &[]));
        Self(*first)
    }
}

impl fmt::Display for Fingerprint {
    /// Writes 22 characters of base64url.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// A value in a key ring, with its public id and the time in which it counts.
#[derive(Clone, Debug)]
pub struct RingEntry<K> {
    /// Public name of the secret.
    pub id: String,
    /// What verifies.
    pub key: K,
    /// First instant at which it counts.
    pub not_before: Option<UnixMillis>,
    /// First instant at which the entry is no longer valid.
    pub not_after: Option<UnixMillis>,
}

impl<K> RingEntry<K> {
    /// This entry, with another form of its key.
    pub fn with<M>(&self, key: M) -> RingEntry<M> {
        RingEntry {
            id: self.id.clone(),
            key,
            not_before: self.not_before,
            not_after: self.not_after,
        }
    }

    /// Whether the entry counts at `now`.
    #[inline]
    pub fn is_current(&self, now: UnixMillis) -> bool {
        self.not_before.is_none_or(|from| from <= now)
            && self.not_after.is_none_or(|until| now < until)
    }
}

/// Several secrets of one purpose: the first signs, all verify.
#[derive(Clone, Debug)]
pub struct KeyRing<K>(pub Vec<RingEntry<K>>);

impl<K> KeyRing<K> {
    /// When each counts, without what verifies.
    pub fn spans(&self) -> KeyRing<()> {
        KeyRing(self.0.iter().map(|entry| entry.with(())).collect())
    }

    /// Gives `otherwise` as the reason of a rejection, unless no secret counts at `now`: then
    /// no valid credential can exist, and the operator has to know that.
    #[cold]
    pub fn reason(&self, otherwise: Reason, now: UnixMillis) -> Reason {
        match (otherwise, self.current(now).next()) {
            (Reason::WrongSignature | Reason::ForgedKey | Reason::UnknownKey, None) => {
                Reason::NoCurrentSecret
            }
            (reason, _) => reason,
        }
    }

    /// Those that count at `now`, in the order of the configuration.
    #[inline]
    pub fn current(&self, now: UnixMillis) -> impl Iterator<Item = &RingEntry<K>> {
        self.0.iter().filter(move |entry| entry.is_current(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new(b"hunter2".to_vec());
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }

    #[test]
    fn encodings_give_the_same_bytes() {
        for (text, encoding) in [
            ("abc", Encoding::Utf8),
            ("616263", Encoding::Hex),
            ("YWJj", Encoding::Base64),
            ("YWJj", Encoding::Base64Url),
        ] {
            let secret = Secret::decode(text.as_bytes(), encoding).unwrap();
            assert_eq!(secret.expose(), b"abc");
        }
    }

    #[test]
    fn empty_and_misencoded_secrets_are_rejected() {
        for (text, encoding) in [
            ("", Encoding::Utf8),
            (" \n", Encoding::Utf8),
            ("", Encoding::Hex),
            ("6", Encoding::Hex),
            ("+1", Encoding::Hex),
            ("zz", Encoding::Hex),
            ("YWJj=", Encoding::Base64),
        ] {
            assert!(
                Secret::decode(text.as_bytes(), encoding).is_err(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_ring_entry_counts_from_not_before_until_just_before_not_after() {
        let entry = RingEntry {
            id: "a".into(),
            key: (),
            not_before: Some(UnixMillis(10)),
            not_after: Some(UnixMillis(20)),
        };
        let counts = [9, 10, 19, 20].map(|now| entry.is_current(UnixMillis(now)));
        assert_eq!(counts, [false, true, true, false]);
    }
}
