//! ECDSA on P-256 (FIPS 186-5), verification only.

use p256::AffinePoint;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::point::AffineCoordinates as _;
use spki::ObjectIdentifier;

/// `id-ecPublicKey` (RFC 5480 section 2.1.1).
pub(crate) const EC_PUBLIC_KEY: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// The curve `secp256r1` (RFC 5480 section 2.1.1.1).
pub(crate) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// Reads a key from its point with both coordinates (SEC 1 section 2.3.4), as all tools write it.
pub(crate) fn key(point: &[u8]) -> Option<VerifyingKey> {
    // Square roots, for the form with one coordinate, would be a hundredth of the filter.
    let (x, y) = point.strip_prefix(&[4])?.split_at_checked(32)?;
    let (x, y) = (x.try_into().ok()?, y.try_into().ok()?);
    let point = Option::from(AffinePoint::from_coordinates(&x, &y))?;
    VerifyingKey::from_affine(point).ok()
}

/// Reads r ‖ s, 32 bytes each (RFC 7518 section 3.4), with both numbers in their range.
pub(crate) fn from_bytes(signature: &[u8]) -> Option<Signature> {
    Signature::from_slice(signature).ok()
}

/// Reads an `Ecdsa-Sig-Value` in DER (RFC 3279 section 2.2.3), with both numbers in their range.
pub(crate) fn from_der(signature: &[u8]) -> Option<Signature> {
    Signature::from_der(signature).ok()
}

/// Whether the key signed this hash.
pub(crate) fn is_signed(key: &VerifyingKey, hash: &[u8], signature: Option<Signature>) -> bool {
    signature.is_some_and(|signature| key.verify_prehash(hash, &signature).is_ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_point_has_both_coordinates_and_lies_on_the_curve() {
        let point = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        let point = *point.verifying_key();
        let whole = point.to_sec1_point(false);
        assert_eq!(key(whole.as_bytes()), Some(point));
        assert_eq!(key(point.to_sec1_point(true).as_bytes()), None);
        let mut wrong = whole.as_bytes().to_vec();
        *wrong.last_mut().unwrap() ^= 1;
        assert_eq!(key(&wrong), None);
        assert_eq!(key(&[4; 64]), None);
        assert_eq!(key(&[0]), None);
        assert_eq!(key(&[&[4][..], &[0; 64]].concat()), None);
    }
}
