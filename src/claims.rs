//! What Envoy's `jwt_authn`, or another filter in front of this one, has verified: its
//! dynamic metadata.

use keygate_core::identity::Claims;

use crate::host;

/// The metadata of the request whose context is the current one. What cannot be read is
/// absent, and absent is unauthenticated.
pub struct VerifiedClaims;

impl Claims for VerifiedClaims {
    fn text(&self, path: &[&str]) -> Option<Vec<u8>> {
        let path = [&["metadata", "filter_metadata"], path].concat();
        let found = host::property(&path).ok();
        found.or_else(|| is_empty_item(&path).then(Vec::new))
    }
}

/// Whether this is an item of a list, and an empty text. The SDK tells one from the end of the
/// list as little as any empty property from one that is not there, and a list with such a
/// scope rejects its session. Envoy gives a list as a whole as a count, two sizes for each
/// item (its own, and that of nothing), and then the texts.
fn is_empty_item(path: &[&str]) -> bool {
    let empty = || {
        let (item, list) = path.split_last()?;
        let item: usize = item.parse().ok()?;
        let whole = host::property(list).ok()?;
        let (count, sizes) = whole.split_first_chunk::<4>()?;
        let (sizes, _) = sizes.as_chunks::<8>();
        let is_there = usize::try_from(u32::from_le_bytes(*count)).ok()? > item;
        Some(is_there && sizes.get(item)? == &[0; 8])
    };
    empty().unwrap_or(false)
}
