//! Keys of assertions: what signs, what verifies, and what may be published.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::secret::Secret;
use crate::secret::mac::mac;

/// Least number of bytes of a secret for HS256: RFC 7518 section 3.2.
const MIN_SECRET: usize = 32;

/// Signature algorithm of assertions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub enum Algorithm {
    /// HMAC-SHA256 (RFC 7518 section 3.2). Every verifier can also sign.
    #[serde(rename = "HS256")]
    Hs256,
    /// Ed25519 (RFC 8037 section 3.1). Verifiers need only the public key.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// Its name in a JOSE header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Reads its name.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "HS256" => Some(Self::Hs256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// Why bytes are no key. Never carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionKeyError {
    /// RFC 7518 wants as many bits as the hash has.
    #[error("has fewer than 32 bytes, too short for HS256: make one with `openssl rand -hex 32`")]
    Short,
    /// An Ed25519 seed has one length.
    #[error("is not the 32 bytes of an Ed25519 seed (check its encoding)")]
    Seed,
    /// Of another length, or no point that a signature could be checked with.
    #[error("is not the 32 bytes of an Ed25519 public key (check its encoding)")]
    Public,
}

/// What signs.
#[derive(Clone)]
pub struct SigningKey(Signing);

#[derive(Clone)]
enum Signing {
    Hs256(Hmac<Sha256>),
    EdDsa(Box<ed25519_dalek::SigningKey>),
}

impl SigningKey {
    /// Makes a key out of a secret: at least 32 bytes for HS256, the 32 of a seed for EdDSA.
    ///
    /// # Errors
    /// [`AssertionKeyError`] for another length.
    pub fn new(secret: &Secret, algorithm: Algorithm) -> Result<Self, AssertionKeyError> {
        let bytes = secret.expose();
        Ok(Self(match algorithm {
            Algorithm::Hs256 if bytes.len() < MIN_SECRET => return Err(AssertionKeyError::Short),
            Algorithm::Hs256 => Signing::Hs256(mac(bytes)),
            Algorithm::EdDsa => {
                let seed = bytes.try_into().map_err(|_| AssertionKeyError::Seed)?;
                Signing::EdDsa(Box::new(ed25519_dalek::SigningKey::from_bytes(seed)))
            }
        }))
    }

    /// What verifies its signatures.
    pub fn verifying(&self) -> VerifyingKey {
        VerifyingKey(match &self.0 {
            Signing::Hs256(mac) => Verifying::Hs256(mac.clone()),
            Signing::EdDsa(key) => Verifying::EdDsa(Box::new(key.verifying_key())),
        })
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        match self.0 {
            Signing::Hs256(_) => Algorithm::Hs256,
            Signing::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Signing::Hs256(mac) => {
                let mac = mac.clone().chain_update(message);
                mac.finalize().into_bytes().to_vec()
            }
            Signing::EdDsa(key) => key.sign(message).to_bytes().to_vec(),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, ..)", self.algorithm().name())
    }
}

/// What verifies. For HS256 it is as secret as what signs.
#[derive(Clone)]
pub struct VerifyingKey(Verifying);

#[derive(Clone)]
enum Verifying {
    Hs256(Hmac<Sha256>),
    EdDsa(Box<ed25519_dalek::VerifyingKey>),
}

impl VerifyingKey {
    /// Takes an Ed25519 public key: 32 bytes, RFC 8032 section 5.1.5.
    ///
    /// # Errors [`AssertionKeyError::Public`] for other bytes, and for weak keys, under which
    /// every client could sign.
    pub fn public(bytes: &[u8]) -> Result<Self, AssertionKeyError> {
        let key = bytes
            .try_into()
            .ok()
            .and_then(|bytes| ed25519_dalek::VerifyingKey::from_bytes(bytes).ok())
            .filter(|key| !key.is_weak())
            .ok_or(AssertionKeyError::Public)?;
        Ok(Self(Verifying::EdDsa(Box::new(key))))
    }

    /// The algorithm of its signatures.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Verifying::Hs256(_) => Algorithm::Hs256,
            Verifying::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    /// Whether it has made this signature; takes the same time wherever it differs.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Verifying::Hs256(mac) => {
                let mac = mac.clone().chain_update(message);
                mac.verify_slice(signature).is_ok()
            }
            // Strict: no small-order points, one signature for one message and key.
            Verifying::EdDsa(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }

    /// The public key as a JWK: RFC 8037 section 2. `None` for a secret.
    pub fn jwk(&self, kid: &str) -> Option<serde_json::Value> {
        match &self.0 {
            Verifying::Hs256(_) => None,
            Verifying::EdDsa(key) => Some(serde_json::json!({
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
                "kid": kid, "x": URL_SAFE_NO_PAD.encode(key.as_bytes()),
            })),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({}, ..)", self.algorithm().name())
    }
}
