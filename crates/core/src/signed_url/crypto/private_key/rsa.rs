//! RSASSA-PKCS1-v1_5 signing (RFC 8017 section 8.2.1), without the shortcut over the
//! primes: it is for a command line, and an error in it would give the key away.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use zeroize::Zeroizing;

use crate::signed_url::crypto::public_key::der::{self, Der};
use crate::signed_url::crypto::public_key::rsa::{Hash, RSA_ENCRYPTION, RsaKey};

/// A private key, with its public one.
pub(super) struct RsaPrivateKey {
    public: RsaKey,
    exponent: Zeroizing<Vec<u8>>,
}

impl RsaPrivateKey {
    /// From PKCS #1 `RSAPrivateKey` in DER (RFC 8017 appendix A.1.2) with two primes.
    pub(super) fn from_pkcs1(bytes: &[u8]) -> Option<Self> {
        let mut outer = Der::new(bytes);
        let mut key = outer.sequence()?;
        outer.end()?;
        if !key.unsigned()?.is_empty() {
            return None;
        }
        let (modulus, public, private) = (key.unsigned()?, key.unsigned()?, key.unsigned()?);
        Some(Self {
            public: RsaKey::new(modulus, public).ok()?,
            exponent: Zeroizing::new(private.to_vec()),
        })
    }

    /// The public key as `SubjectPublicKeyInfo` in DER.
    pub(super) fn to_spki(&self) -> Vec<u8> {
        let modulus = der::unsigned(self.public.modulus());
        let exponent = der::unsigned(&self.public.exponent().to_be_bytes());
        let key = der::element(der::SEQUENCE, &[&modulus, &exponent]);
        let algorithm = der::element(der::SEQUENCE, &[RSA_ENCRYPTION]);
        let bits = der::element(der::BIT_STRING, &[&[0], &key]);
        der::element(der::SEQUENCE, &[&algorithm, &bits])
    }

    /// Signs, in a time that does not depend on the key. `None` when the public key does
    /// not verify it: the key is broken.
    pub(super) fn sign(&self, hash: Hash, message: &[u8]) -> Option<Vec<u8>> {
        let modulus = self.public.modulus();
        let encoded = hash.encode(message, modulus.len())?;
        let odd = Option::from(Odd::new(BoxedUint::from_be_slice_vartime(modulus)))?;
        let params = BoxedMontyParams::new_vartime(odd);
        let number = BoxedUint::from_be_slice(&encoded, params.bits_precision()).ok()?;
        let exponent = BoxedUint::from_be_slice_vartime(&self.exponent);
        let power = BoxedMontyForm::new(number, &params).pow(&exponent);
        let bytes = power.retrieve().to_be_bytes();
        let first = bytes.len().checked_sub(modulus.len())?;
        let signature = bytes.get(first..)?.to_vec();
        let holds = self.public.is_signed(hash, message, &signature);
        holds.then_some(signature)
    }
}
