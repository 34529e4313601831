//! Keys that were made elsewhere: any text. Nothing in it can be checked here, so each
//! unknown key costs a question to the key service.

use hmac::Mac as _;
use sha2::{Digest as _, Sha256};

use super::{KeyDigest, KeyHash, MasterSecret};
use crate::secret::KeyRing;
use crate::time::UnixMillis;

/// Fewest characters: fewer can be guessed.
pub(super) const MIN_OPAQUE: usize = 16;

/// Most characters.
pub(super) const MAX_OPAQUE: usize = 512;

/// Most secrets of a ring under which a key may have been hashed.
pub(crate) const MAX_CANDIDATES: usize = 8;

/// 16 to 512 characters of visible ASCII.
#[derive(Clone, Copy)]
pub struct OpaqueKey<'a>(pub(super) &'a [u8]);

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

impl KeyDigest {
    /// Computes the digest of a key.
    pub fn of(key: &OpaqueKey<'_>) -> Self {
        Self(Sha256::digest(key.0).into())
    }
}

impl MasterSecret {
    /// The hash of a key from elsewhere, computed from the key's SHA-256 digest. Imported keys
    /// are stored and looked up under it, whether the import named the key or its digest.
    pub fn hash_digest(&self, digest: &KeyDigest) -> KeyHash {
        let mut mac = self.digest_pepper.clone();
        mac.update(&digest.0);
        KeyHash(mac.finalize().into_bytes().into())
    }

    /// The hash under which earlier versions stored a key from elsewhere.
    pub fn hash_text(&self, key: &OpaqueKey<'_>) -> KeyHash {
        self.hash(key.0)
    }
}

impl KeyRing<MasterSecret> {
    /// Every hash under which a key from elsewhere may be stored: two for each current secret,
    /// since the key does not name the secret or how it was imported.
    pub fn candidates(&self, key: &OpaqueKey<'_>, now: UnixMillis) -> Vec<KeyHash> {
        let digest = KeyDigest::of(key);
        let current = self.current(now).take(MAX_CANDIDATES);
        current
            .flat_map(|entry| [entry.key.hash_digest(&digest), entry.key.hash_text(key)])
            .collect()
    }
}
