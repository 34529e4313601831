//! Secrets of links that are asked for again and again: a MAC that held is found again.

use std::fmt;
use std::rc::Rc;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::secret::Fingerprint;
use crate::secret::mac::mac;
use crate::secret::memo::{DigestKey, Keyed, Memo};

/// A secret under HMAC-SHA256 (RFC 2104), and what it made of late. It cannot be printed.
#[derive(Clone)]
pub struct MacKey {
    mac: Hmac<Sha256>,
    digest: DigestKey,
    fingerprint: Fingerprint,
    held: Rc<Memo<()>>,
}

impl MacKey {
    /// `held` is for all secrets of a policy: each has digests of its own.
    pub fn new(secret: &[u8], held: &Rc<Memo<()>>) -> Self {
        let mac = mac(secret);
        // Signed texts begin with a path or a domain, so none equals one of these labels.
        let derive = |label: &[u8]| -> [u8; 32] {
            let labelled = mac.clone().chain_update(label);
            labelled.finalize().into_bytes().into()
        };
        let digest = derive(b"keygate/v1/link/digest");
        let (digest, _) = digest.split_first_chunk().unwrap_or((&[0; 16], &[]));
        Self {
            digest: DigestKey::new(*digest),
            fingerprint: Fingerprint::of(&derive(b"keygate/v1/link/fingerprint")),
            mac,
            held: Rc::clone(held),
        }
    }

    /// Names the secret without revealing it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Begins a MAC.
    pub fn mac(&self) -> Hmac<Sha256> {
        self.mac.clone()
    }

    /// Whether `mac` is the whole MAC of `text`, put together from its parts; compared in
    /// constant time. What held is recalled from then on.
    #[inline]
    pub fn holds(&self, text: &[&[u8]], mac: &[u8]) -> bool {
        let digest = self.digest_of(text, mac);
        self.held.get(digest).is_some() || self.made_it(text, mac, digest)
    }

    /// [`MacKey::holds`], where that is known already: `false` says nothing.
    #[inline]
    pub fn recalls(&self, text: &[&[u8]], mac: &[u8]) -> bool {
        self.held.get(self.digest_of(text, mac)).is_some()
    }

    fn made_it(&self, text: &[&[u8]], mac: &[u8], digest: Keyed) -> bool {
        let mut expected = self.mac();
        text.iter().for_each(|part| expected.update(part));
        let holds = expected.verify_slice(mac).is_ok();
        if holds {
            self.held.put(digest, ());
        }
        holds
    }

    #[inline]
    fn digest_of(&self, text: &[&[u8]], mac: &[u8]) -> Keyed {
        self.digest.digest(text.iter().copied().chain([mac]))
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &MacKey, text: &str) -> Vec<u8> {
        let mac = key.mac().chain_update(text);
        mac.finalize().into_bytes().to_vec()
    }

    #[test]
    fn only_verified_links_are_remembered() {
        let held = Rc::default();
        let (one, other) = (MacKey::new(b"one", &held), MacKey::new(b"other", &held));
        let mac = of(&one, "/a?b");
        let text: [&[u8]; 2] = [b"/a", b"?b"];
        assert!(!one.recalls(&text, &mac));
        assert!(one.holds(&text, &mac));
        assert!(one.recalls(&text, &mac));

        assert!(!other.holds(&text, &mac) && !other.recalls(&text, &mac));
        let (short, _) = mac.split_at(31);
        for wrong in [short, &of(&other, "/a?b"), &of(&one, "/a"), b""] {
            assert!(!one.holds(&text, wrong), "{wrong:?}");
            assert!(!one.recalls(&text, wrong), "{wrong:?}");
        }
        for wrong in [[&b"/a"[..], b"?c"], [b"/", b"?b"], [b"/a?b", b"c"]] {
            assert!(!one.holds(&wrong, &mac), "{wrong:?}");
        }
    }

    #[test]
    fn a_fingerprint_is_of_the_secret_alone() {
        let of = |secret: &[u8]| {
            MacKey::new(secret, &Rc::default())
                .fingerprint()
                .to_string()
        };
        assert_eq!(of(b"one"), of(b"one"));
        assert_ne!(of(b"one"), of(b"other"));
        assert_eq!(of(b"one").len(), 22);
    }

    #[test]
    fn a_secret_is_not_printed() {
        let key = MacKey::new(b"secret", &Rc::default());
        assert_eq!(format!("{key:?}"), "MacKey(..)");
    }
}
