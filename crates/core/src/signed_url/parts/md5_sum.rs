//! MD5 over a secret, for the formats that have nothing better. Not a MAC: such a provider
//! must set `allow_weak`.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

/// The MD5 sum (RFC 1321) of all parts in a row.
pub(crate) fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Md5::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// Whether two sums are equal, in constant time.
pub(crate) fn is_equal(one: &[u8; 16], other: &[u8; 16]) -> bool {
    one.ct_eq(other).into()
}
