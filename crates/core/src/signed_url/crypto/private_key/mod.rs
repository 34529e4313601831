//! Private keys: what signs for the edges that hold the public one.

mod rsa;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::Signer as _;
use p256::ecdsa::{Signature, signature::hazmat::PrehashSigner as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::public_key::der::{self, Der};
use super::public_key::ecdsa::{EC_P256, to_der};
use super::public_key::rsa::{Hash, RSA_ENCRYPTION};
use super::public_key::{KeyKind, Scheme};

/// A private key, of the algorithm that its own form says. It cannot be printed.
pub struct PrivateKey(Key);

enum Key {
    Ed25519(ed25519_dalek::SigningKey),
    Rsa(rsa::RsaPrivateKey),
    P256(p256::ecdsa::SigningKey),
}

/// Why a text is no private key. Never carries it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrivateKeyError {
    /// Neither PEM nor base64 of a seed.
    #[error(
        "is no private key: give PEM (BEGIN PRIVATE KEY) of an Ed25519, RSA (2048 to 4096 bits) \
         or P-256 key, or the 32 bytes of an Ed25519 seed in base64"
    )]
    Form,
}

/// The head of PKCS #8 for Ed25519 (RFC 8410 section 7), in DER, before the 32 bytes.
const ED25519_PKCS8: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

impl PrivateKey {
    /// Reads PEM of PKCS #8, of PKCS #1 (`BEGIN RSA PRIVATE KEY`) or of SEC 1
    /// (`BEGIN EC PRIVATE KEY`), or the 32 bytes of an Ed25519 seed in base64 or base64url.
    ///
    /// # Errors
    /// [`PrivateKeyError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, PrivateKeyError> {
        let key = match pem(text) {
            Some(("PRIVATE KEY", der)) => match der.strip_prefix(ED25519_PKCS8) {
                Some(seed) => ed25519(seed),
                None => from_pkcs8(&der),
            },
            Some(("RSA PRIVATE KEY", der)) => rsa::RsaPrivateKey::from_pkcs1(&der).map(Key::Rsa),
            Some(("EC PRIVATE KEY", der)) => from_sec1(&der),
            Some(_) => None,
            None => {
                let bare = text.trim().trim_end_matches('=');
                let seed = STANDARD.decode(text.trim()).ok();
                let seed = seed.or_else(|| URL_SAFE_NO_PAD.decode(bare).ok());
                seed.and_then(|it| ed25519(&Zeroizing::new(it)))
            }
        };
        key.map(Self).ok_or(PrivateKeyError::Form)
    }

    /// What it is for.
    pub fn kind(&self) -> KeyKind {
        match self.0 {
            Key::Ed25519(_) => KeyKind::Ed25519,
            Key::Rsa(_) => KeyKind::Rsa,
            Key::P256(_) => KeyKind::P256,
        }
    }

    /// The public key to it, as a configuration takes it.
    pub fn public_key(&self) -> String {
        match &self.0 {
            Key::Ed25519(key) => STANDARD.encode(key.verifying_key().as_bytes()),
            Key::Rsa(key) => to_pem(&key.to_spki()),
            Key::P256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let algorithm = der::element(der::SEQUENCE, &[EC_P256]);
                let bits = der::element(der::BIT_STRING, &[&[0], point.as_bytes()]);
                to_pem(&der::element(der::SEQUENCE, &[&algorithm, &bits]))
            }
        }
    }

    /// Signs in the way that is usual for its kind: Ed25519, RSA with SHA-256, `ES256`.
    /// Empty when the key is broken.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let scheme = match self.kind() {
            KeyKind::Ed25519 => Scheme::Ed25519,
            KeyKind::Rsa => Scheme::RsaSha256,
            KeyKind::P256 => Scheme::Es256,
        };
        self.sign_as(scheme, message).unwrap_or_default()
    }

    /// Signs in this way. `None` when it is not of this key's kind, or the key is broken.
    pub fn sign_as(&self, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
        match (&self.0, scheme) {
            (Key::Ed25519(key), Scheme::Ed25519) => Some(key.sign(message).to_bytes().to_vec()),
            (Key::Rsa(key), Scheme::RsaSha1) => key.sign(Hash::Sha1, message),
            (Key::Rsa(key), Scheme::RsaSha256) => key.sign(Hash::Sha256, message),
            (Key::P256(key), Scheme::Es256) => ecdsa(key, &Sha256::digest(message)),
            (Key::P256(key), Scheme::EcdsaSha1) => {
                ecdsa(key, &Hash::Sha1.of(message)).map(|it| to_der(&it))
            }
            (Key::P256(key), Scheme::EcdsaSha256) => {
                ecdsa(key, &Hash::Sha256.of(message)).map(|it| to_der(&it))
            }
            _ => None,
        }
    }
}

/// r ‖ s, the same for the same message (RFC 6979).
fn ecdsa(key: &p256::ecdsa::SigningKey, hash: &[u8]) -> Option<Vec<u8>> {
    let signature: Signature = key.sign_prehash(hash).ok()?;
    Some(signature.to_bytes().to_vec())
}

fn ed25519(seed: &[u8]) -> Option<Key> {
    let seed = <&[u8; 32]>::try_from(seed).ok()?;
    Some(Key::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed)))
}

/// `PrivateKeyInfo` of RFC 5208 section 5.
fn from_pkcs8(bytes: &[u8]) -> Option<Key> {
    let mut outer = Der::new(bytes);
    let mut info = outer.sequence()?;
    outer.end()?;
    if !info.unsigned()?.is_empty() {
        return None;
    }
    let algorithm = info.take(der::SEQUENCE)?;
    let key = info.take(der::OCTET_STRING)?;
    match algorithm {
        EC_P256 => from_sec1(key),
        RSA_ENCRYPTION => rsa::RsaPrivateKey::from_pkcs1(key).map(Key::Rsa),
        _ => None,
    }
}

/// `ECPrivateKey` of RFC 5915 section 3; another curve has no 32 bytes or no such point.
fn from_sec1(bytes: &[u8]) -> Option<Key> {
    let mut outer = Der::new(bytes);
    let mut key = outer.sequence()?;
    outer.end()?;
    if key.unsigned()? != [1] {
        return None;
    }
    let scalar = key.take(der::OCTET_STRING)?;
    // [0] with the curve, where it stands.
    if let Some(curve) = key.take(0xa0)
        && !EC_P256.ends_with(curve)
    {
        return None;
    }
    p256::ecdsa::SigningKey::from_slice(scalar)
        .ok()
        .map(Key::P256)
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// The label of PEM (RFC 7468), and the bytes between its lines.
fn pem(text: &str) -> Option<(&str, Zeroizing<Vec<u8>>)> {
    let (label, inner) = text
        .trim()
        .strip_prefix("-----BEGIN ")?
        .split_once("-----")?;
    let inner = inner.strip_suffix("-----")?.strip_suffix(label)?;
    let inner: String = inner
        .strip_suffix("-----END ")?
        .chars()
        .filter(|it| !it.is_ascii_whitespace())
        .collect();
    let inner = Zeroizing::new(inner);
    let bytes = STANDARD.decode(inner.as_bytes()).ok()?;
    Some((label, Zeroizing::new(bytes)))
}

fn to_pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(String::from_utf8_lossy)
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}
