//! Signatures that the edge can check and not make, and what was checked already.

mod check;
pub(crate) mod ecdsa;
pub(crate) mod rsa;
mod seen;
#[cfg(test)]
mod tests;

use std::fmt;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use spki::der::Decode as _;
use spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

pub(crate) use check::{Claim, first_true};
pub use seen::Seen;

use crate::secret::Fingerprint;

/// A public key, of the algorithm that its own form says. The configuration may contain it in
/// plain text.
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
    Rsa(Box<rsa::RsaKey>),
    P256(Box<p256::ecdsa::VerifyingKey>),
}

/// What a public key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RFC 8032.
    Ed25519,
    /// RFC 8017, 2048 to 4096 bits.
    Rsa,
    /// ECDSA on the curve P-256, FIPS 186-5.
    P256,
}

/// How a signature is made and written. Which one counts, the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// RFC 8032, 64 bytes.
    Ed25519,
    /// RSASSA-PKCS1-v1_5 with SHA-1.
    RsaSha1,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaSha256,
    /// ECDSA with SHA-256, r ‖ s in 64 bytes: `ES256` of RFC 7518.
    Es256,
    /// ECDSA with SHA-1, in DER.
    EcdsaSha1,
    /// ECDSA with SHA-256, in DER.
    EcdsaSha256,
}

impl KeyKind {
    /// Its name, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::Rsa => "RSA",
            Self::P256 => "P-256",
        }
    }
}

/// Why a text is no public key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// Neither PEM nor base64 of a key that this build knows.
    #[error(
        "is not a public key: use PEM (BEGIN PUBLIC KEY) of an Ed25519, RSA or P-256 key, \
         or the 32 bytes of an Ed25519 key in base64"
    )]
    Form,
    /// An RSA key that is weak, or that takes too long.
    #[error("is an unsupported RSA key: use 2048 to 4096 bits and the exponent 65537")]
    Rsa,
}

impl PublicKey {
    /// Reads PEM of a SubjectPublicKeyInfo (RFC 8410 for Ed25519, RFC 3279 for RSA,
    /// RFC 5480 for P-256) or of PKCS #1 (`BEGIN RSA PUBLIC KEY`), or the 32 bytes of an
    /// Ed25519 key in base64 or base64url.
    ///
    /// # Errors
    /// [`PublicKeyError`] for anything else, weak keys among it.
    pub fn parse(text: &str, seen: &Rc<Seen>) -> Result<Self, PublicKeyError> {
        let key = Key::parse(text)?;
        Ok(Self {
            id: key.id(),
            key,
            seen: Rc::clone(seen),
        })
    }

    /// Whether it is the same key.
    pub fn is(&self, other: &Self) -> bool {
        self.id == other.id
    }

    /// Names the key.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.id)
    }

    /// What it is for.
    pub fn kind(&self) -> KeyKind {
        match self.key {
            Key::Ed25519(_) => KeyKind::Ed25519,
            Key::Rsa(_) => KeyKind::Rsa,
            Key::P256(_) => KeyKind::P256,
        }
    }

    /// Whether this key made an Ed25519 signature of `message`, put together from `parts`:
    /// see [`PublicKey::verify_as`].
    #[cfg(any(test, feature = "tools"))]
    pub fn verify(&self, parts: &[&[u8]], signature: &[u8]) -> bool {
        self.verify_as(Scheme::Ed25519, parts, signature)
    }

    /// Whether this key signed `message`, put together from `parts`, in this way; never in
    /// one that is not of its kind. Without bounds: what clients send, [`PublicKey::check`]
    /// checks.
    #[cfg(any(test, feature = "tools"))]
    pub fn verify_as(&self, scheme: Scheme, parts: &[&[u8]], signature: &[u8]) -> bool {
        let claim = seen::Claim {
            key: self.id,
            scheme: scheme.code(),
            message: parts,
            signature,
        };
        self.seen.or_check(&claim, |message| {
            self.key.is_signed(scheme, message, signature)
        })
    }
}

impl Scheme {
    /// Tells it apart in what is remembered.
    fn code(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::RsaSha1 => 2,
            Self::RsaSha256 => 3,
            Self::Es256 => 4,
            Self::EcdsaSha1 => 5,
            Self::EcdsaSha256 => 6,
        }
    }
}

impl Key {
    fn parse(text: &str) -> Result<Self, PublicKeyError> {
        if let Some(der) = pem(text, "PUBLIC KEY") {
            return Self::from_spki(&der);
        }
        if let Some(der) = pem(text, "RSA PUBLIC KEY") {
            return rsa::RsaKey::from_pkcs1(&der).map(|it| Self::Rsa(Box::new(it)));
        }
        let text = text.trim();
        let bytes = STANDARD.decode(text).ok();
        let bytes = bytes.or_else(|| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok());
        Self::ed25519(&bytes.ok_or(PublicKeyError::Form)?)
    }

    fn ed25519(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        let bytes = <&[u8; 32]>::try_from(bytes).map_err(|_| PublicKeyError::Form)?;
        let key = VerifyingKey::from_bytes(bytes).ok();
        key.filter(|it| !it.is_weak())
            .map(Self::Ed25519)
            .ok_or(PublicKeyError::Form)
    }

    /// Reads `SubjectPublicKeyInfo` of RFC 5280 section 4.1.
    fn from_spki(der: &[u8]) -> Result<Self, PublicKeyError> {
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| PublicKeyError::Form)?;
        let key = info.subject_public_key.as_bytes();
        let key = key.ok_or(PublicKeyError::Form)?;
        let algorithm = info.algorithm;
        match algorithm.oid {
            ED25519 if algorithm.parameters.is_none() => Self::ed25519(key),
            _ if algorithm == ::rsa::pkcs1::ALGORITHM_ID => {
                rsa::RsaKey::from_pkcs1(key).map(|key| Self::Rsa(Box::new(key)))
            }
            ecdsa::EC_PUBLIC_KEY if algorithm.parameters_oid() == Ok(ecdsa::P256) => {
                ecdsa::key(key)
                    .map(|key| Self::P256(Box::new(key)))
                    .ok_or(PublicKeyError::Form)
            }
            _ => Err(PublicKeyError::Form),
        }
    }

    fn id(&self) -> [u8; 32] {
        let digest = Sha256::new();
        match self {
            Self::Ed25519(key) => digest.chain_update([1]).chain_update(key.as_bytes()),
            Self::Rsa(key) => digest.chain_update([2]).chain_update(key.bytes()),
            Self::P256(key) => digest
                .chain_update([3])
                .chain_update(key.to_sec1_point(true).as_bytes()),
        }
        .finalize()
        .into()
    }

    /// Whether a signature has the form that this key gives in this scheme: cheap, unlike
    /// [`Self::is_signed`].
    fn fits(&self, scheme: Scheme, signature: &[u8]) -> bool {
        match (self, scheme) {
            (Self::Ed25519(_), Scheme::Ed25519) => signature.len() == Signature::BYTE_SIZE,
            (Self::Rsa(key), Scheme::RsaSha1 | Scheme::RsaSha256) => key.fits(signature),
            (Self::P256(_), Scheme::Es256) => ecdsa::from_bytes(signature).is_some(),
            (Self::P256(_), Scheme::EcdsaSha1 | Scheme::EcdsaSha256) => {
                ecdsa::from_der(signature).is_some()
            }
            _ => false,
        }
    }

    fn is_signed(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        match (self, scheme) {
            (Self::Ed25519(key), Scheme::Ed25519) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            (Self::Rsa(key), Scheme::RsaSha1) => key.is_sha1_signed(message, signature),
            (Self::Rsa(key), Scheme::RsaSha256) => key.is_sha256_signed(message, signature),
            (Self::P256(key), Scheme::Es256) => {
                let signature = ecdsa::from_bytes(signature);
                ecdsa::is_signed(key, &Sha256::digest(message), signature)
            }
            (Self::P256(key), Scheme::EcdsaSha1) => {
                let signature = ecdsa::from_der(signature);
                ecdsa::is_signed(key, &sha1::Sha1::digest(message), signature)
            }
            (Self::P256(key), Scheme::EcdsaSha256) => {
                let signature = ecdsa::from_der(signature);
                ecdsa::is_signed(key, &Sha256::digest(message), signature)
            }
            _ => false,
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?})", self.kind())
    }
}

/// `id-Ed25519` of RFC 8410 section 3.
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Returns the bytes between the lines of PEM (RFC 7468) with this label.
///
/// The crate `pem-rfc7468` was considered: it rejects a key on one line, as environments carry it.
pub(super) fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let inner = text.trim().strip_prefix("-----BEGIN ")?;
    let inner = inner.strip_prefix(label)?.strip_prefix("-----")?;
    let inner = inner.strip_suffix("-----")?.strip_suffix(label)?;
    let inner = inner.strip_suffix("-----END ")?;
    let inner = inner.chars().filter(|char| !char.is_ascii_whitespace());
    // It may be a private key.
    let inner = Zeroizing::new(inner.collect::<String>());
    STANDARD.decode(inner.as_bytes()).ok()
}
