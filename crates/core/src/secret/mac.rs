//! HMAC-SHA256 under a secret, and under what HKDF derives from one.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The MAC that one secret gives for one purpose, which `info` names.
pub(crate) fn derived_mac(master: &Hkdf<Sha256>, info: &[u8]) -> Hmac<Sha256> {
    let mut derived = Zeroizing::new([0_u8; 32]);
    #[expect(clippy::expect_used, reason = "HKDF-SHA256 gives up to 8160 bytes")]
    master
        .expand(info, derived.as_mut())
        .expect("32 bytes are fewer than 8160");
    mac(derived.as_ref())
}

/// A keyed HMAC-SHA256 (RFC 2104).
pub fn mac(key: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}
