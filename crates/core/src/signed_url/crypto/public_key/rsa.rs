//! RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2) through the crate `rsa`, within our own bounds.
//!
//! The crate takes moduli of 1024 to 8192 bits and exponents of up to 33 bits. Here a short one is
//! weak, and a long one costs the worker too much for each forged signature.

use rsa::pkcs1::{RsaPublicKeyRef, UintRef};
use rsa::traits::PublicKeyParts as _;
use sha1::Sha1;
use sha2::Sha256;
use spki::der::Decode as _;

use super::PublicKeyError;

/// Bits of a modulus.
const MIN_BITS: u32 = 2048;
const MAX_BITS: u32 = 4096;

/// A public key: a modulus of 2048 to 4096 bits, and an odd exponent from 3 to 2³² - 1.
#[derive(Clone)]
pub(crate) struct RsaKey(rsa::PublicKey);

impl RsaKey {
    /// Reads PKCS #1 `RSAPublicKey` in DER (RFC 8017 appendix A.1.1).
    ///
    /// # Errors
    /// [`PublicKeyError::Form`] for other bytes, [`PublicKeyError::Rsa`] for a key that is weak
    /// or too slow.
    pub(crate) fn from_pkcs1(der: &[u8]) -> Result<Self, PublicKeyError> {
        let key = RsaPublicKeyRef::from_der(der).map_err(|_| PublicKeyError::Form)?;
        if !is_in_bounds(&key.modulus, &key.public_exponent) {
            return Err(PublicKeyError::Rsa);
        }
        let key = rsa::PublicKey::try_from(key);
        key.map(Self).map_err(|_| PublicKeyError::Rsa)
    }

    /// Whether bytes are as long as the signatures of this key.
    pub(crate) fn fits(&self, signature: &[u8]) -> bool {
        signature.len() == self.0.size()
    }

    /// Whether this key signed the SHA-1 of the message.
    pub(crate) fn is_sha1_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.pkcs1v15_verify::<Sha1>(message, signature).is_ok()
    }

    /// Whether this key signed the SHA-256 of the message.
    pub(crate) fn is_sha256_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.pkcs1v15_verify::<Sha256>(message, signature).is_ok()
    }

    /// Exponent and modulus: no two keys have the same bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let exponent = self.0.e_bytes();
        let zeros = 4_usize.saturating_sub(exponent.len());
        [
            &vec![0; zeros],
            exponent.as_ref(),
            self.0.n_bytes().as_ref(),
        ]
        .concat()
    }
}

/// Whether a key is neither weak nor slow.
pub(crate) fn is_in_bounds(modulus: &UintRef<'_>, exponent: &UintRef<'_>) -> bool {
    let modulus = modulus.as_bytes();
    let zeros = modulus.first().map_or(0, |byte| byte.leading_zeros());
    let bits = u32::try_from(modulus.len()).map(|bytes| bytes.saturating_mul(u8::BITS));
    let bits = bits.unwrap_or(u32::MAX).saturating_sub(zeros);
    (MIN_BITS..=MAX_BITS).contains(&bits) && exponent.as_bytes().len() <= 4
}
