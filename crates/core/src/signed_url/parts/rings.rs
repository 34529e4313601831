//! The secrets of a ring, as several formats use them.

use crate::secret::KeyRing;
use crate::time::UnixMillis;

/// The secrets of a ring, for `explain`: their ids, and which are valid now.
#[cfg(feature = "tools")]
pub(crate) fn ring<K>(ring: &KeyRing<K>, now: UnixMillis) -> String {
    let ids = ring.0.iter().map(|it| match it.is_current(now) {
        true => format!("\"{}\"", it.id),
        false => format!("\"{}\" (is not valid now)", it.id),
    });
    format!("secrets: {}", ids.collect::<Vec<_>>().join(", "))
}

/// The id of the secret that made a MAC, if a secret that is valid now did. A token that names
/// one is tried with that; an unknown name costs a check as a known one does.
pub(crate) fn signer<'r, K>(
    ring: &'r KeyRing<K>,
    named: Option<&str>,
    now: UnixMillis,
    signed: impl Fn(&K) -> bool,
) -> Option<&'r str> {
    let Some(id) = named else {
        let mut all = ring.current(now);
        return all.find(|it| signed(&it.key)).map(|it| it.id.as_str());
    };
    let named = ring.current(now).find(|it| it.id == id);
    let holds = signed(&named.or(ring.0.first())?.key);
    named.filter(|_| holds).map(|it| it.id.as_str())
}
