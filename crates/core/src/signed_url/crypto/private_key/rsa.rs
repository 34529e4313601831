//! RSASSA-PKCS1-v1_5 signing (RFC 8017 section 8.2.1) through the crate `rsa`.
//!
//! Its advisory RUSTSEC-2023-0071 (Marvin) is about observers who can time many private
//! operations over a network, and calls local use safe. Only the command line and tests sign
//! here, each with an operator's own key and link. The crate also verifies each signature that it
//! makes: one with an error in it would give the key away.

use rsa::pkcs1::RsaPrivateKeyRef;
use rsa::pkcs8::EncodePublicKey as _;
use sha1::Sha1;
use sha2::Sha256;
use spki::der::Decode as _;

use crate::signed_url::crypto::public_key::rsa::is_in_bounds;

/// A private key, with its public one.
pub(crate) struct RsaPrivateKey(Box<rsa::PrivateKey>);

impl RsaPrivateKey {
    /// Reads PKCS #1 `RSAPrivateKey` in DER (RFC 8017 appendix A.1.2) with two primes, within the
    /// bounds of public keys.
    pub(crate) fn from_pkcs1(bytes: &[u8]) -> Option<Self> {
        let key = RsaPrivateKeyRef::from_der(bytes).ok()?;
        if !is_in_bounds(&key.modulus, &key.public_exponent) {
            return None;
        }
        let key = rsa::PrivateKey::try_from(key).ok()?;
        Some(Self(Box::new(key)))
    }

    /// Returns the public key as PEM of `SubjectPublicKeyInfo`.
    pub(crate) fn to_spki(&self) -> Option<String> {
        let public = self.0.as_public_key();
        public.to_public_key_pem(rsa::pkcs8::LineEnding::LF).ok()
    }

    /// Signs the SHA-1 of a message. `None` when the key is broken.
    pub(crate) fn sign_sha1(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.0.pkcs1v15_sign::<Sha1>(message).ok()
    }

    /// Signs the SHA-256 of a message. `None` when the key is broken.
    pub(crate) fn sign_sha256(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.0.pkcs1v15_sign::<Sha256>(message).ok()
    }
}
