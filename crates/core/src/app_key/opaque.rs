//! Keys that were made elsewhere: any text. Nothing in it can be checked here, so each
//! that is not known costs a question.

use super::{KeyHash, MasterSecret};
use crate::secret::KeyRing;
use crate::time::UnixMillis;

/// Fewest characters: fewer can be guessed.
pub const MIN_OPAQUE: usize = 16;

/// Most characters.
pub const MAX_OPAQUE: usize = 512;

/// Most secrets of a ring under which a key may have been hashed.
pub const MAX_CANDIDATES: usize = 8;

/// 16 to 512 characters of visible ASCII.
#[derive(Clone, Copy)]
pub struct OpaqueKey<'a>(&'a [u8]);

/// The text is no such key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 16 to 512 visible ASCII characters")]
pub struct MalformedOpaqueKey;

impl std::fmt::Debug for OpaqueKey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpaqueKey(..)")
    }
}

impl<'a> OpaqueKey<'a> {
    /// Checks length and alphabet.
    ///
    /// # Errors
    /// [`MalformedOpaqueKey`].
    pub fn parse(text: &'a [u8]) -> Result<Self, MalformedOpaqueKey> {
        let fits = (MIN_OPAQUE..=MAX_OPAQUE).contains(&text.len());
        if fits && text.iter().all(u8::is_ascii_graphic) {
            Ok(Self(text))
        } else {
            Err(MalformedOpaqueKey)
        }
    }
}

impl MasterSecret {
    /// The hash under which a key from elsewhere is stored and looked up.
    pub fn hash_opaque(&self, key: &OpaqueKey<'_>) -> KeyHash {
        self.hash(key.0)
    }
}

impl KeyRing<MasterSecret> {
    /// Every hash under which a key may be stored: it does not say which secret hashed it.
    pub fn candidates(&self, key: &OpaqueKey<'_>, now: UnixMillis) -> Vec<KeyHash> {
        let current = self.current(now).take(MAX_CANDIDATES);
        current.map(|entry| entry.key.hash_opaque(key)).collect()
    }
}
