//! ECDSA on P-256 (FIPS 186-5), verification only.

use p256::AffinePoint;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::point::AffineCoordinates as _;

use super::der::Der;

/// `id-ecPublicKey` with the curve `secp256r1` (RFC 5480 section 2.1.1).
pub(crate) const EC_P256: &[u8] = &[
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
    0x03, 0x01, 0x07,
];

/// A key from its point with both coordinates (SEC 1 section 2.3.4), as all tools write it.
pub(crate) fn key(point: &[u8]) -> Option<VerifyingKey> {
    // Square roots, for the form with one coordinate, would be a hundredth of the filter.
    let (x, y) = point.strip_prefix(&[4])?.split_at_checked(32)?;
    let (x, y) = (x.try_into().ok()?, y.try_into().ok()?);
    let point = Option::from(AffinePoint::from_coordinates(&x, &y))?;
    VerifyingKey::from_affine(point).ok()
}

/// Whether bytes are a signature r ‖ s with both numbers in their range.
pub(crate) fn fits(signature: &[u8]) -> bool {
    Signature::from_slice(signature).is_ok()
}

/// Whether the key signed this hash; the signature is r ‖ s, 32 bytes each (RFC 7518
/// section 3.4).
pub(crate) fn is_signed(key: &VerifyingKey, hash: &[u8], signature: &[u8]) -> bool {
    Signature::from_slice(signature)
        .is_ok_and(|signature| key.verify_prehash(hash, &signature).is_ok())
}

/// r ‖ s of an `Ecdsa-Sig-Value` in DER (RFC 3279 section 2.2.3).
pub(crate) fn from_der(signature: &[u8]) -> Option<[u8; 64]> {
    let mut outer = Der::new(signature);
    let mut both = outer.sequence()?;
    let (r, s) = (both.unsigned()?, both.unsigned()?);
    both.end()?;
    outer.end()?;
    let mut plain = [0; 64];
    let (left, right) = plain.split_at_mut(32);
    for (half, number) in [(left, r), (right, s)] {
        let zeros = half.len().checked_sub(number.len())?;
        half.get_mut(zeros..)?.copy_from_slice(number);
    }
    Some(plain)
}

/// The same the other way.
#[cfg(feature = "tools")]
pub(crate) fn to_der(signature: &[u8]) -> Vec<u8> {
    use super::der::{SEQUENCE, element, unsigned};
    let (r, s) = signature.split_at_checked(32).unwrap_or_default();
    element(SEQUENCE, &[&unsigned(r), &unsigned(s)])
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
