//! HMAC-SHA256 under a secret, and under what HKDF derives from one.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What one secret gives for one purpose, which the parts of `info` name: 16 or 32 bytes.
pub(crate) fn derived<const N: usize>(master: &Hkdf<Sha256>, info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 8160, "HKDF-SHA256 gives up to 255 times 32 bytes") };
    let mut derived = Zeroizing::new([0; N]);
    #[expect(clippy::expect_used, reason = "HKDF-SHA256 gives up to 8160 bytes")]
    master
        .expand_multi_info(info, derived.as_mut())
        .expect("N is at most 8160");
    derived
}

/// The MAC that one secret gives for one purpose, which `info` names.
pub(crate) fn derived_mac(master: &Hkdf<Sha256>, info: &[u8]) -> Hmac<Sha256> {
    mac(derived::<32>(master, &[info]).as_ref())
}

/// A keyed HMAC-SHA256 (RFC 2104).
pub fn mac(key: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}
