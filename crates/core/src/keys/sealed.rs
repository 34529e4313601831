//! Sealed data: headers for the upstream that are stored with a key and that only the text of
//! that key opens.
//!
//! `ks1.<base64url(salt 16 ‖ nonce 24 ‖ ciphertext ‖ tag 16)>`. The key of the cipher is derived
//! from the whole text of the app key, which is stored nowhere. No secret of the service is mixed
//! in, or the service could open what it keeps. XChaCha20-Poly1305 needs no counter for its nonce;
//! AES-GCM took V8 4 times as long for 1 KB (35.8 µs against 8.2 µs).

mod text;

use std::fmt;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

pub use text::{NotSealable, SealedHeaders};

use crate::identity::limits::BLOCK as ALLOCATED;
use crate::keys::app_key::{AppKey, NewAppKey, Prefix};
use crate::secret::Secret;
use crate::secret::mac::derived;

const VERSION: &str = "ks1";
const INFO: &[u8] = b"keygate/v1/seal";
const SALT: usize = 16;
const NONCE: usize = 24;
const TAG: usize = 16;

/// The ciphertext is a multiple of this, so that its length tells little of what is in it.
const BLOCK: usize = 256;

/// Most bytes of the text that is sealed.
const MAX_TEXT: usize = 2048;

/// Headers under a key that the key service does not have.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Box<[u8]>);

/// The text of an app key, from which the key of the cipher is derived.
pub struct SealKey {
    text: Secret,
    id: String,
}

/// Sealed data with the key that was presented for it.
pub struct Locked {
    /// The data.
    pub data: Rc<Sealed>,
    /// The key.
    pub key: SealKey,
}

/// The text is not of the form of sealed data.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be ks1. and base64url of sealed data, as `keygate keys seal` makes it")]
pub struct MalformedSealed;

/// The data does not open: it was changed, was sealed with another key, or holds no headers.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed data does not open with this key")]
pub struct BrokenSeal;

impl SealKey {
    /// The key that seals for this app key.
    pub fn of(key: &AppKey<'_>) -> Self {
        Self {
            text: Secret::new(key.text().to_vec()),
            id: key.id(),
        }
    }

    /// The key that opens for a native key, of which it is known that it is one.
    pub(crate) fn of_text(text: &[u8], prefix: &Prefix) -> Option<Self> {
        let id = AppKey::id_in(text, prefix)?;
        Some(Self {
            text: Secret::new(text.to_vec()),
            id: std::str::from_utf8(id).ok()?.to_owned(),
        })
    }

    /// The key that seals for an app key just made.
    pub fn of_new(key: &NewAppKey) -> Self {
        Self {
            text: Secret::new(key.text.as_bytes().to_vec()),
            id: key.id.clone(),
        }
    }

    fn cipher(&self, salt: &[u8]) -> XChaCha20Poly1305 {
        let text = Hkdf::<Sha256>::new(Some(salt), self.text.expose());
        let key = derived(&text, &[INFO, &[0], self.id.as_bytes()]);
        XChaCha20Poly1305::new(&(*key).into())
    }

    /// What is authenticated beside the ciphertext: no data of one key passes for that of another.
    fn associated(&self) -> Vec<u8> {
        [VERSION.as_bytes(), &[0], self.id.as_bytes()].concat()
    }
}

impl Sealed {
    /// Seals headers for the holder of a key. The source of random bytes overwrites its argument.
    pub fn seal(
        headers: &SealedHeaders,
        key: &SealKey,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Self, NotSealable> {
        let (mut salt, mut nonce) = ([0; SALT], [0; NONCE]);
        fill(&mut salt);
        fill(&mut nonce);
        // Overwritten by its ciphertext in place.
        let mut text = headers.padded()?;
        let tag = key
            .cipher(&salt)
            .encrypt_inout_detached(
                &XNonce::from(nonce),
                &key.associated(),
                text.as_mut_slice().into(),
            )
            .map_err(|_| NotSealable::TooLong)?;
        Ok(Self([&salt[..], &nonce, &text, &tag].concat().into()))
    }

    /// Reads the text form. Whether it opens shows only with the key.
    ///
    /// # Errors
    /// [`MalformedSealed`] for another version, length or alphabet.
    pub fn parse(text: &str) -> Result<Self, MalformedSealed> {
        let rest = text
            .strip_prefix(VERSION)
            .and_then(|it| it.strip_prefix('.'));
        // Before anything is decoded.
        let rest = rest.filter(|it| it.len() <= MAX_TEXT.saturating_mul(2));
        let bytes = rest.and_then(|it| URL_SAFE_NO_PAD.decode(it).ok());
        let bytes = bytes.ok_or(MalformedSealed)?;
        match parts(&bytes) {
            Some(_) => Ok(Self(bytes.into())),
            None => Err(MalformedSealed),
        }
    }

    /// Reads what a key service has sent: a text of another form opens with no key.
    pub(crate) fn stored(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|MalformedSealed| Self(Box::default()))
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`BrokenSeal`].
    pub fn open(&self, key: &SealKey) -> Result<SealedHeaders, BrokenSeal> {
        let (salt, nonce, sealed, tag) = parts(&self.0).ok_or(BrokenSeal)?;
        let mut text = Zeroizing::new(sealed.to_vec());
        key.cipher(salt)
            .decrypt_inout_detached(
                &XNonce::from(*nonce),
                &key.associated(),
                text.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| BrokenSeal)?;
        SealedHeaders::read(&text).ok_or(BrokenSeal)
    }

    /// An upper bound of the memory that it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        const COUNTS: usize = 2 * size_of::<usize>();
        let parts = [
            size_of::<Self>(),
            COUNTS,
            ALLOCATED,
            self.0.len(),
            ALLOCATED,
        ];
        parts.into_iter().fold(0, usize::saturating_add)
    }
}

type Parts<'a> = (&'a [u8], &'a [u8; NONCE], &'a [u8], &'a [u8; TAG]);

fn parts(bytes: &[u8]) -> Option<Parts<'_>> {
    let (salt, rest) = bytes.split_at_checked(SALT)?;
    let (nonce, rest) = rest.split_first_chunk()?;
    let (sealed, tag) = rest.split_last_chunk()?;
    let is_padded = sealed.len().is_multiple_of(BLOCK);
    let fits = is_padded && (BLOCK..=MAX_TEXT).contains(&sealed.len());
    fits.then_some((salt, nonce, sealed, tag))
}

impl Locked {
    /// Opens the data.
    ///
    /// # Errors
    /// [`BrokenSeal`].
    pub fn open(&self) -> Result<SealedHeaders, BrokenSeal> {
        self.data.open(&self.key)
    }
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}.{}", URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(..)")
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(..)")
    }
}

impl fmt::Debug for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Locked(..)")
    }
}

#[cfg(test)]
mod tests;
