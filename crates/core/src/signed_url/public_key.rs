//! Signatures that the edge can check and not make, and what was checked already.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use lru::LruCache;
use sha2::{Digest, Sha256};

/// How many signatures are remembered, over all providers of a policy.
const REMEMBERED: usize = 4096;

/// A public key, of the algorithm that its own form says. The configuration may hold it in
/// plain sight.
#[derive(Clone)]
pub struct PublicKey {
    key: Key,
    /// Tells keys apart in what is remembered.
    id: [u8; 32],
    seen: Rc<Seen>,
}

#[derive(Clone)]
enum Key {
    Ed25519(VerifyingKey),
}

/// What a public key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RFC 8032.
    Ed25519,
}

impl KeyKind {
    /// Its name, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
        }
    }
}

/// Why a text is no public key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// Neither PEM nor base64 of a key.
    #[error(
        "is no public key: give PEM (BEGIN PUBLIC KEY), or the 32 bytes of an Ed25519 key in base64"
    )]
    Form,
}

impl PublicKey {
    /// Reads PEM of a SubjectPublicKeyInfo (RFC 8410 for Ed25519), or the 32 bytes of an
    /// Ed25519 key in base64 or base64url.
    ///
    /// # Errors
    /// [`PublicKeyError`] for anything else, weak keys among it.
    pub fn parse(text: &str, seen: &Rc<Seen>) -> Result<Self, PublicKeyError> {
        let bytes = pem(text)
            .and_then(|der| der.strip_prefix(ED25519_SPKI).map(<[u8]>::to_vec))
            .or_else(|| STANDARD.decode(text.trim()).ok())
            .or_else(|| {
                URL_SAFE_NO_PAD
                    .decode(text.trim().trim_end_matches('='))
                    .ok()
            })
            .and_then(|it| <[u8; 32]>::try_from(it).ok())
            .ok_or(PublicKeyError::Form)?;
        let key = VerifyingKey::from_bytes(&bytes)
            .ok()
            .filter(|it| !it.is_weak())
            .ok_or(PublicKeyError::Form)?;
        Ok(Self {
            key: Key::Ed25519(key),
            id: Sha256::digest(bytes).into(),
            seen: Rc::clone(seen),
        })
    }

    /// What it is for.
    pub fn kind(&self) -> KeyKind {
        match self.key {
            Key::Ed25519(_) => KeyKind::Ed25519,
        }
    }

    /// Whether this key signed `message`, put together from `parts`. A signature that held
    /// once is found again by a digest of all of it.
    pub fn verify(&self, parts: &[&[u8]], signature: &[u8]) -> bool {
        let mut digest = Sha256::new_with_prefix(self.id);
        let mut message = Vec::new();
        digest.update(
            u64::try_from(signature.len())
                .unwrap_or(u64::MAX)
                .to_be_bytes(),
        );
        digest.update(signature);
        for part in parts {
            digest.update(part);
            message.extend_from_slice(part);
        }
        let digest = digest.finalize().into();
        self.seen.knows(&digest)
            || (self.is_signed(&message, signature) && self.seen.remember(digest))
    }

    fn is_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Key::Ed25519(key) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?})", self.kind())
    }
}

/// Digests of signatures that held: at most 4096, the longest unused goes first.
///
/// It remembers a pure function, so that a decision with it is the one without it.
pub struct Seen(RefCell<LruCache<[u8; 32], ()>>);

impl Default for Seen {
    fn default() -> Self {
        Self(RefCell::new(LruCache::unbounded()))
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seen(..)")
    }
}

impl Seen {
    fn knows(&self, digest: &[u8; 32]) -> bool {
        let mut all = self.0.try_borrow_mut();
        all.as_mut().is_ok_and(|all| all.get(digest).is_some())
    }

    /// Always true, for [`PublicKey::verify`].
    fn remember(&self, digest: [u8; 32]) -> bool {
        if let Ok(mut all) = self.0.try_borrow_mut() {
            all.put(digest, ());
            while all.len() > REMEMBERED {
                all.pop_lru();
            }
        }
        true
    }
}

/// The algorithm identifier of RFC 8410 section 4, in DER, before the 32 bytes.
const ED25519_SPKI: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The bytes between the lines of PEM (RFC 7468).
fn pem(text: &str) -> Option<Vec<u8>> {
    let inner = text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----")?;
    let inner = inner.strip_suffix("-----END PUBLIC KEY-----")?;
    let inner: String = inner
        .chars()
        .filter(|it| !it.is_ascii_whitespace())
        .collect();
    STANDARD.decode(inner).ok()
}
