//! RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2), verification only.
//!
//! What the signature opens is compared in full with what it must open. It is never
//! parsed: that is where implementations have been fooled.

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::PublicKeyError;
use super::der::Der;
use super::modulus::Modulus;

/// The algorithm identifier `rsaEncryption` with its NULL (RFC 3279 section 2.3.1).
pub(crate) const RSA_ENCRYPTION: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];

/// `DigestInfo` up to the digest (RFC 8017 section 9.2, note 1).
const SHA1_INFO: &[u8] = &[
    0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14,
];
const SHA256_INFO: &[u8] = &[
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// The hash that is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    /// FIPS 180-4. Collisions can be made.
    Sha1,
    /// FIPS 180-4.
    Sha256,
}

impl Hash {
    /// Of a message.
    pub(crate) fn of(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(message).to_vec(),
            Self::Sha256 => Sha256::digest(message).to_vec(),
        }
    }

    /// EMSA-PKCS1-v1_5 in `size` bytes (RFC 8017 section 9.2).
    pub(crate) fn encode(self, message: &[u8], size: usize) -> Option<Vec<u8>> {
        let info = match self {
            Self::Sha1 => SHA1_INFO,
            Self::Sha256 => SHA256_INFO,
        };
        let digest = self.of(message);
        let filling = size
            .checked_sub(info.len())?
            .checked_sub(digest.len())?
            .checked_sub(3)
            .filter(|it| *it >= 8)?;
        Some([&[0, 1], vec![0xff; filling].as_slice(), &[0], info, &digest].concat())
    }
}

/// A modulus of 2048 to 4096 bits, and an odd exponent from 3 to 2³² - 1.
#[derive(Clone)]
pub(crate) struct RsaKey {
    modulus: Modulus,
    exponent: u32,
    /// The modulus, big-endian without leading zeros.
    bytes: Vec<u8>,
}

impl RsaKey {
    /// From PKCS #1 `RSAPublicKey` in DER (RFC 8017 appendix A.1.1).
    ///
    /// # Errors
    /// [`PublicKeyError::Form`] for what is none, [`PublicKeyError::Rsa`] for a key that is
    /// weak or too slow.
    pub(crate) fn from_pkcs1(der: &[u8]) -> Result<Self, PublicKeyError> {
        let read = || {
            let mut outer = Der::new(der);
            let mut key = outer.sequence()?;
            let parts = (key.unsigned()?, key.unsigned()?);
            key.end()?;
            outer.end()?;
            Some(parts)
        };
        let (modulus, exponent) = read().ok_or(PublicKeyError::Form)?;
        Self::new(modulus, exponent)
    }

    /// From modulus and exponent, big-endian without leading zeros.
    ///
    /// # Errors
    /// [`PublicKeyError::Rsa`] when they are not in bounds.
    pub(crate) fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, PublicKeyError> {
        let zeros = modulus.first().map_or(8, |it| it.leading_zeros());
        let bits = modulus.len().saturating_mul(8);
        let bits = bits.saturating_sub(usize::try_from(zeros).unwrap_or(8));
        if !(2048..=4096).contains(&bits) || exponent.len() > 4 {
            return Err(PublicKeyError::Rsa);
        }
        let exponent = exponent
            .iter()
            .fold(0_u32, |all, byte| (all << 8) | u32::from(*byte));
        if exponent < 3 || exponent % 2 == 0 {
            return Err(PublicKeyError::Rsa);
        }
        Ok(Self {
            modulus: Modulus::new(modulus).ok_or(PublicKeyError::Rsa)?,
            exponent,
            bytes: modulus.to_vec(),
        })
    }

    /// Whether bytes are as long as the signatures of this key.
    pub(crate) fn fits(&self, signature: &[u8]) -> bool {
        signature.len() == self.bytes.len()
    }

    /// Whether this key signed the message.
    pub(crate) fn is_signed(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        let size = self.bytes.len();
        let opened = (signature.len() == size)
            .then(|| self.modulus.power(signature, self.exponent))
            .flatten();
        let (Some(opened), Some(expected)) = (opened, hash.encode(message, size)) else {
            return false;
        };
        is_whole(&opened, &expected)
    }

    /// Exponent and modulus: no two keys have the same bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [&self.exponent.to_be_bytes(), self.bytes.as_slice()].concat()
    }

    /// The modulus, big-endian. Every signature is as long.
    #[cfg(feature = "tools")]
    pub(crate) fn modulus(&self) -> &[u8] {
        &self.bytes
    }

    /// The exponent.
    #[cfg(feature = "tools")]
    pub(crate) fn exponent(&self) -> u32 {
        self.exponent
    }
}

/// Whether these are all the bytes that are expected, perhaps with zeros in front: a power
/// is as long as whole limbs.
pub(super) fn is_whole(opened: &[u8], expected: &[u8]) -> bool {
    let zeros = opened.len().checked_sub(expected.len());
    zeros
        .and_then(|it| opened.split_at_checked(it))
        .is_some_and(|(zeros, rest)| zeros.iter().all(|it| *it == 0) && rest == expected)
}
