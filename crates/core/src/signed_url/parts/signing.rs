//! The key that signs an order: a secret of a ring, or the private key to a public one.

use crate::secret::{KeyRing, RingEntry};
use crate::signed_url::crypto::private_key::PrivateKey;
use crate::signed_url::crypto::public_key::PublicKey;
use crate::signed_url::parts::told;
use crate::signed_url::sign::{Order, SignError};
use crate::time::UnixMillis;

/// The secret that signs: the first that is valid now.
///
/// # Errors
/// When none is.
pub(crate) fn first<K>(ring: &KeyRing<K>, now: UnixMillis) -> Result<&RingEntry<K>, SignError> {
    ring.current(now).next().ok_or_else(told::no_key)
}

/// The private key of an order, and the entry of its public key.
///
/// # Errors
/// Without a private key, and when no valid entry has its public key.
pub(crate) fn of_private<'r, 'o>(
    ring: &'r KeyRing<PublicKey>,
    order: &Order<'o>,
) -> Result<(&'r RingEntry<PublicKey>, &'o PrivateKey), SignError> {
    let private = order.private_key.ok_or_else(told::no_private_key)?;
    let public = PublicKey::parse(&private.public_key(), &Default::default())
        .map_err(|error| SignError::new(format!("the private key {error}")))?;
    let mut entries = ring.current(order.now);
    let entry = entries.find(|entry| entry.key.is(&public));
    let unmatched = "the private key matches no valid public key of the ring";
    let entry = entry.ok_or_else(|| SignError::new(unmatched))?;
    Ok((entry, private))
}
