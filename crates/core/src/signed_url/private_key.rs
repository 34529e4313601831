//! Private keys: what signs for the edges that hold the public one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

use super::public_key::KeyKind;

/// A private key, of the algorithm that its own form says. It cannot be printed.
pub struct PrivateKey(Key);

enum Key {
    Ed25519(ed25519_dalek::SigningKey),
}

/// Why a text is no private key. Never carries it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrivateKeyError {
    /// Neither PEM nor base64 of a seed.
    #[error(
        "is no private key: give PEM (BEGIN PRIVATE KEY), or the 32 bytes of an Ed25519 seed in base64"
    )]
    Form,
}

/// The head of PKCS #8 for Ed25519 (RFC 8410 section 7), in DER, before the 32 bytes.
const ED25519_PKCS8: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

impl PrivateKey {
    /// Reads PEM of PKCS #8, or the 32 bytes of an Ed25519 seed in base64 or base64url.
    ///
    /// # Errors
    /// [`PrivateKeyError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, PrivateKeyError> {
        let bare = text.trim().trim_end_matches('=');
        let seed = pem(text)
            .and_then(|der| {
                der.strip_prefix(ED25519_PKCS8)
                    .map(|it| Zeroizing::new(it.to_vec()))
            })
            .or_else(|| STANDARD.decode(text.trim()).ok().map(Zeroizing::new))
            .or_else(|| URL_SAFE_NO_PAD.decode(bare).ok().map(Zeroizing::new))
            .and_then(|it| <[u8; 32]>::try_from(it.as_slice()).ok())
            .ok_or(PrivateKeyError::Form)?;
        let seed = Zeroizing::new(seed);
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        Ok(Self(Key::Ed25519(key)))
    }

    /// What it is for.
    pub fn kind(&self) -> KeyKind {
        match self.0 {
            Key::Ed25519(_) => KeyKind::Ed25519,
        }
    }

    /// The public key to it, as a configuration takes it.
    pub fn public_key(&self) -> String {
        match &self.0 {
            Key::Ed25519(key) => STANDARD.encode(key.verifying_key().as_bytes()),
        }
    }

    /// Signs.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Key::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// The bytes between the lines of PEM (RFC 7468).
fn pem(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let inner = text.trim().strip_prefix("-----BEGIN PRIVATE KEY-----")?;
    let inner = inner.strip_suffix("-----END PRIVATE KEY-----")?;
    let inner: String = inner
        .chars()
        .filter(|it| !it.is_ascii_whitespace())
        .collect();
    let inner = Zeroizing::new(inner);
    STANDARD.decode(inner.as_bytes()).ok().map(Zeroizing::new)
}
