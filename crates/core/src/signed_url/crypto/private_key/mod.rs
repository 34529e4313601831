//! Private keys: what signs for the edges that hold the public one. PKCS #8, PKCS #1 and SEC 1
//! are read by the crates of their algorithms.

mod rsa;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::Signer as _;
use p256::ecdsa::{Signature, signature::hazmat::PrehashSigner as _};
use pkcs8::PrivateKeyInfoRef;
use pkcs8::{EncodePublicKey as _, LineEnding};
use sha2::{Digest as _, Sha256};
use spki::der::Decode as _;
use zeroize::Zeroizing;

use super::public_key::ecdsa::EC_PUBLIC_KEY;
use super::public_key::{ED25519, KeyKind, Scheme, pem};

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
        "is not a private key: use PEM (BEGIN PRIVATE KEY) of an Ed25519, RSA (2048 to 4096 bits) \
         or P-256 key, or the 32 bytes of an Ed25519 seed in base64"
    )]
    Form,
}

impl PrivateKey {
    /// Reads PEM of PKCS #8, of PKCS #1 (`BEGIN RSA PRIVATE KEY`) or of SEC 1
    /// (`BEGIN EC PRIVATE KEY`), or the 32 bytes of an Ed25519 seed in base64 or base64url.
    ///
    /// # Errors
    /// [`PrivateKeyError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, PrivateKeyError> {
        let is_pem = text.trim_start().starts_with("-----BEGIN ");
        let key = if !is_pem {
            let bare = text.trim().trim_end_matches('=');
            let seed = STANDARD.decode(text.trim()).ok();
            let seed = seed.or_else(|| URL_SAFE_NO_PAD.decode(bare).ok());
            seed.and_then(|seed| ed25519(&Zeroizing::new(seed)))
        } else if let Some(der) = pem(text, "PRIVATE KEY") {
            from_pkcs8(&Zeroizing::new(der))
        } else {
            from_older(text)
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
            Key::Rsa(key) => key.to_spki().unwrap_or_default(),
            Key::P256(key) => {
                let pem = key.verifying_key().to_public_key_pem(LineEnding::LF);
                pem.unwrap_or_default()
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
            (Key::Rsa(key), Scheme::RsaSha1) => key.sign_sha1(message),
            (Key::Rsa(key), Scheme::RsaSha256) => key.sign_sha256(message),
            (Key::P256(key), Scheme::Es256) => {
                ecdsa(key, &Sha256::digest(message)).map(|it| it.to_bytes().to_vec())
            }
            (Key::P256(key), Scheme::EcdsaSha1) => {
                ecdsa(key, &sha1::Sha1::digest(message)).map(|it| it.to_der().as_bytes().to_vec())
            }
            (Key::P256(key), Scheme::EcdsaSha256) => {
                ecdsa(key, &Sha256::digest(message)).map(|it| it.to_der().as_bytes().to_vec())
            }
            _ => None,
        }
    }
}

/// Deterministic: one signature for each message (RFC 6979).
fn ecdsa(key: &p256::ecdsa::SigningKey, hash: &[u8]) -> Option<Signature> {
    key.sign_prehash(hash).ok()
}

fn ed25519(seed: &[u8]) -> Option<Key> {
    let seed = <&[u8; 32]>::try_from(seed).ok()?;
    Some(Key::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed)))
}

/// Reads `PrivateKeyInfo` of RFC 5208 section 5, and `OneAsymmetricKey` of RFC 5958.
fn from_pkcs8(der: &[u8]) -> Option<Key> {
    let info = PrivateKeyInfoRef::from_der(der).ok()?;
    match info.algorithm.oid {
        ED25519 => ed25519_dalek::SigningKey::try_from(info)
            .ok()
            .map(Key::Ed25519),
        EC_PUBLIC_KEY => {
            let key = p256::SecretKey::try_from(info).ok()?;
            Some(Key::P256(key.into()))
        }
        _ if info.algorithm == ::rsa::pkcs1::ALGORITHM_ID => {
            rsa::RsaPrivateKey::from_pkcs1(info.private_key.as_bytes()).map(Key::Rsa)
        }
        _ => None,
    }
}

/// Reads the forms that are older than PKCS #8, one for each algorithm.
fn from_older(text: &str) -> Option<Key> {
    if let Some(der) = pem(text, "RSA PRIVATE KEY") {
        return rsa::RsaPrivateKey::from_pkcs1(&Zeroizing::new(der)).map(Key::Rsa);
    }
    // `ECPrivateKey` of RFC 5915 section 3.
    if let Some(der) = pem(text, "EC PRIVATE KEY") {
        let key = p256::SecretKey::from_sec1_der(&Zeroizing::new(der)).ok()?;
        return Some(Key::P256(key.into()));
    }
    None
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}
