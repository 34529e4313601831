//! App keys: their text form, the local check, and the hash that leaves the edge.
//!
//! `<prefix>_<kid 2><id 10>_<secret 32><tag 8><crc 6>`, all base62, so that a double click
//! selects the whole key. The tag is keyed, so an attacker cannot make one. The CRC-32 is not
//! keyed; it is for secret scanners.

mod digest;
mod opaque;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crc::{CRC_32_ISO_HDLC, Crc, Table};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use zeroize::Zeroizing;

pub use digest::{KeyDigest, MalformedDigest, looks_like_digest};
pub(crate) use opaque::MAX_CANDIDATES;
pub use opaque::{MalformedOpaqueKey, OpaqueKey};

use crate::secret::mac::{derived, derived_mac};
use crate::secret::memo::DigestKey;
use crate::secret::{KeyRing, RingEntry, Secret};
use crate::text::base62;
use crate::time::UnixMillis;

const KID: usize = 2;
const ID: usize = 10;
const SECRET: usize = 32;
const TAG: usize = 8;
const CRC: usize = 6;
const MAX_PREFIX: usize = 16;

/// Least number of bytes of a master secret.
pub(crate) const MIN_MASTER_SECRET: usize = 32;

/// The word in front of every key, such as `kg`: 1 to 16 lower-case letters or digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

/// The keys derived from one master secret (HKDF-SHA256, RFC 5869, without salt).
#[derive(Clone)]
pub struct MasterSecret {
    tag: Hmac<Sha256>,
    pepper: Hmac<Sha256>,
    digest_pepper: Hmac<Sha256>,
    digest: DigestKey,
}

/// Names a master secret inside a key: two base62 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRingId([u8; KID]);

/// `HMAC-SHA256(pepper, whole key)`: all that a cache, the network or a disk sees of a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyHash(pub [u8; 32]);

/// A key whose form holds; whether it is genuine is for [`KeyRing::authenticate`].
#[derive(Clone, Copy)]
pub struct AppKey<'a> {
    text: &'a [u8],
    kid: KeyRingId,
    id: &'a [u8],
    tag: &'a [u8],
    before_tag: &'a [u8],
}

/// A key just made. It is shown once and kept nowhere.
pub struct NewAppKey {
    /// The whole key.
    pub text: Zeroizing<String>,
    /// The public id inside it.
    pub id: String,
    /// What to store.
    pub hash: KeyHash,
}

/// The text is not a key of this prefix.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an app key: its prefix, length, alphabet or checksum is invalid")]
pub struct MalformedKey;

/// Why a secret or a name cannot serve for app keys.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppKeyError {
    /// A prefix of another form.
    #[error("must be 1 to 16 lower-case letters or digits")]
    Prefix,
    /// An id of another form.
    #[error("must be 2 letters or digits, because it is part of every key")]
    Kid,
    /// Too little to derive keys from.
    #[error("has fewer than 32 bytes: make one with `openssl rand -hex 32`")]
    Short,
}

impl Prefix {
    /// Checks a prefix.
    ///
    /// # Errors
    /// [`AppKeyError::Prefix`].
    pub fn parse(text: &str) -> Result<Self, AppKeyError> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if (1..=MAX_PREFIX).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(AppKeyError::Prefix)
        }
    }

    /// Finds the texts that have the form and the checksum of one of our keys, wherever they
    /// are in a longer text. Each byte is looked at a fixed number of times.
    pub fn find_in<'a>(&self, text: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        const BEHIND: usize = 1 + KID + ID + 1 + SECRET + TAG + CRC;
        memchr::memchr_iter(b'_', text).filter_map(move |at| {
            let start = at.checked_sub(self.0.len())?;
            let key = text.get(start..at.checked_add(BEHIND)?)?;
            AppKey::parse(key, self).is_ok().then_some(key)
        })
    }

    /// Whether a text begins as the keys that we make: it is one of them, or forged.
    pub fn is_of(&self, text: &[u8]) -> bool {
        let rest = text.strip_prefix(self.0.as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b"_"))
    }
}

impl KeyRingId {
    /// Checks the id of a master secret.
    ///
    /// # Errors
    /// [`AppKeyError::Kid`].
    pub fn parse(text: &str) -> Result<Self, AppKeyError> {
        match <[u8; KID]>::try_from(text.as_bytes()) {
            Ok(kid) if kid.iter().all(u8::is_ascii_alphanumeric) => Ok(Self(kid)),
            _ => Err(AppKeyError::Kid),
        }
    }
}

impl fmt::Display for KeyRingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|&byte| write!(f, "{}", char::from(byte)))
    }
}

impl MasterSecret {
    /// Derives the tag key and the peppers.
    ///
    /// # Errors
    /// [`AppKeyError::Short`] under 32 bytes.
    pub fn derive(secret: &Secret) -> Result<Self, AppKeyError> {
        if secret.expose().len() < MIN_MASTER_SECRET {
            return Err(AppKeyError::Short);
        }
        let master = Hkdf::<Sha256>::new(None, secret.expose());
        Ok(Self {
            tag: derived_mac(&master, b"keygate/v1/app-key/tag"),
            pepper: derived_mac(&master, b"keygate/v1/app-key/pepper"),
            digest_pepper: derived_mac(&master, b"keygate/v1/app-key/sha256"),
            digest: derived_digest(&master, b"keygate/v1/app-key/digest"),
        })
    }

    /// The key of the digests that distinguish app keys in a
    /// [`Memo`](crate::secret::memo::Memo).
    pub fn digest_key(&self) -> DigestKey {
        self.digest.clone()
    }

    /// The hash under which a genuine key is stored and looked up.
    fn hash(&self, key: &[u8]) -> KeyHash {
        let mut mac = self.pepper.clone();
        mac.update(key);
        KeyHash(mac.finalize().into_bytes().into())
    }

    fn tag_of(&self, before_tag: &[u8]) -> [u8; TAG] {
        let mut mac = self.tag.clone();
        mac.update(before_tag);
        let bytes: [u8; 32] = mac.finalize().into_bytes().into();
        let [a, b, c, d, e, f, g, h, ..] = bytes;
        base62::encode(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    /// Makes a new key from a source of random bytes, which overwrites its argument.
    pub fn generate(
        &self,
        prefix: &Prefix,
        kid: KeyRingId,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> NewAppKey {
        let id = ascii(&base62::random::<ID>(fill));
        let secret = Zeroizing::new(base62::random::<SECRET>(fill));
        let mut text = Zeroizing::new(String::with_capacity(80));
        text.push_str(&prefix.0);
        text.push('_');
        text.push_str(&ascii(&kid.0));
        text.push_str(&id);
        text.push('_');
        text.extend(secret.iter().copied().map(char::from));
        let tag = self.tag_of(text.as_bytes());
        text.push_str(&ascii(&tag));
        let crc = checksum(text.as_bytes());
        text.push_str(&ascii(&crc));
        let hash = self.hash(text.as_bytes());
        NewAppKey { text, id, hash }
    }
}

impl fmt::Debug for MasterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterSecret(..)")
    }
}

impl KeyRing<MasterSecret> {
    /// The hash of a key that one of our master secrets made; `None` for a forgery.
    ///
    /// A key that names an unknown master secret costs one MAC too, and looks the same.
    pub fn authenticate(&self, key: &AppKey<'_>, now: UnixMillis) -> Option<KeyHash> {
        let named = self.named(key.kid, now);
        let master = &named.or(self.0.first())?.key;
        let genuine = constant_time_eq(&master.tag_of(key.before_tag), key.tag);
        (genuine && named.is_some()).then(|| master.hash(key.text))
    }

    /// Whether the master secret of this name counts at `now`.
    pub fn counts(&self, kid: KeyRingId, now: UnixMillis) -> bool {
        self.named(kid, now).is_some()
    }

    fn named(&self, kid: KeyRingId, now: UnixMillis) -> Option<&RingEntry<MasterSecret>> {
        self.current(now).find(|it| it.id.as_bytes() == kid.0)
    }
}

impl<'a> AppKey<'a> {
    /// Checks prefix, length, alphabet and checksum.
    ///
    /// # Errors
    /// [`MalformedKey`], whatever is wrong.
    pub fn parse(text: &'a [u8], prefix: &Prefix) -> Result<Self, MalformedKey> {
        let rest = text
            .strip_prefix(prefix.0.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"_"))
            .ok_or(MalformedKey)?;
        if rest.len() != KID + ID + 1 + SECRET + TAG + CRC {
            return Err(MalformedKey);
        }
        let (public, hidden) = rest.split_at_checked(KID + ID).ok_or(MalformedKey)?;
        let hidden = hidden.strip_prefix(b"_").ok_or(MalformedKey)?;
        if !public.iter().chain(hidden).all(u8::is_ascii_alphanumeric) {
            return Err(MalformedKey);
        }
        let (before_crc, crc) = split_end(text, CRC).ok_or(MalformedKey)?;
        if checksum(before_crc) != crc {
            return Err(MalformedKey);
        }
        let (before_tag, tag) = split_end(before_crc, TAG).ok_or(MalformedKey)?;
        let (kid, id) = public.split_first_chunk().ok_or(MalformedKey)?;
        Ok(Self {
            text,
            kid: KeyRingId(*kid),
            id,
            tag,
            before_tag,
        })
    }
}

impl AppKey<'_> {
    /// The name of the master secret that it claims to be of.
    pub fn kid(&self) -> KeyRingId {
        self.kid
    }

    /// Its public id.
    pub fn id(&self) -> String {
        ascii(self.id)
    }

    /// The public id in a text of which it is known that it is a key of this prefix; `None` for an
    /// imported key.
    pub(crate) fn id_in<'t>(text: &'t [u8], prefix: &Prefix) -> Option<&'t [u8]> {
        let rest = text.strip_prefix(prefix.0.as_bytes())?;
        rest.strip_prefix(b"_")?.get(KID..)?.get(..ID)
    }

    /// The whole text, to derive a key from and for nothing else.
    pub(crate) fn text(&self) -> &[u8] {
        self.text
    }
}

impl fmt::Debug for AppKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppKey(..)")
    }
}

impl KeyHash {
    /// Reads the 43 characters that [`Display`](fmt::Display) writes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

/// base64url without padding (RFC 4648 section 5).
impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// The hash is no credential, but it has no place in a log either.
impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(..)")
    }
}

impl Serialize for KeyHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom("must be 32 bytes in base64url without padding")
        })
    }
}

/// What tells keys apart in memory, of one secret.
fn derived_digest(master: &Hkdf<Sha256>, info: &[u8]) -> DigestKey {
    DigestKey::new(*derived(master, &[info]))
}

/// As in Ethernet and zip; a kilobyte of table, and a step for each byte.
static CRC_32: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// GitHub's convention for token checksums: CRC-32 in six base62 digits.
fn checksum(text: &[u8]) -> [u8; CRC] {
    base62::encode(u64::from(CRC_32.checksum(text)))
}

fn split_end(text: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    text.split_at_checked(text.len().checked_sub(length)?)
}

fn ascii(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    use subtle::ConstantTimeEq as _;
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests;
