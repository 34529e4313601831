//! What a request shows: good, revoked, forged, unknown, or nothing.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use keygate_core::Secret;
use keygate_core::keys::{KeyRingId, MasterSecret, Prefix};

use super::oracle::{Revocation, Right};
use crate::client::{self, Request};
use crate::service::{APP_KEYS, CreatedKey, MEDIA, keygate};

/// A key that was issued.
#[derive(Debug)]
pub struct Key {
    pub id: String,
    pub text: String,
    revocation: Mutex<Revocation>,
}

impl Key {
    pub fn issued(created: CreatedKey) -> Arc<Self> {
        Arc::new(Self {
            id: created.id,
            text: created.key,
            revocation: Mutex::new(Revocation::No),
        })
    }

    pub fn revocation(&self) -> Revocation {
        *self.lock()
    }

    pub fn set_revocation(&self, now: Revocation) {
        *self.lock() = now;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Revocation> {
        self.revocation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one request shows.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A key that every worker has used.
    Warm(Arc<Key>),
    /// Any other key that was issued.
    Issued(Arc<Key>),
    /// A signed link: path and query.
    Link(String),
    /// A key that was never issued.
    NoKey(String),
    /// A link that was never signed.
    NoLink(String),
    /// Nothing.
    Nothing,
}

impl Credential {
    /// What it is worth now.
    #[must_use]
    pub fn right(&self) -> Right {
        let (key, warm) = match self {
            Self::Warm(key) => (key, true),
            Self::Issued(key) => (key, false),
            Self::Link(_) => return Right::Link,
            Self::NoKey(_) | Self::NoLink(_) | Self::Nothing => return Right::Never,
        };
        Right::Key {
            warm,
            revocation: key.revocation(),
        }
    }

    /// When its revocation was acknowledged.
    #[must_use]
    pub fn revoked(&self) -> Option<Instant> {
        match self.right() {
            Right::Key {
                revocation: Revocation::Done(at),
                ..
            } => Some(at),
            _ => None,
        }
    }

    /// The request that shows it.
    #[must_use]
    pub fn request(&self, port: u16) -> Request {
        let key = match self {
            Self::Warm(key) | Self::Issued(key) => &key.text,
            Self::NoKey(text) => text,
            Self::Link(path) | Self::NoLink(path) => return client::get(port, path),
            Self::Nothing => return client::get(port, "/api/x"),
        };
        client::get(port, "/api/x").header("authorization", format!("Bearer {key}"))
    }

    /// Its kind, in a word.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match (self, self.right()) {
            (Self::Warm(_), _) => "a warm key",
            (
                _,
                Right::Key {
                    revocation: Revocation::No,
                    ..
                },
            ) => "a key",
            (_, Right::Key { .. }) => "a revoked key",
            (Self::NoKey(_), _) => "a key that was never issued",
            (Self::NoLink(_), _) => "a wrong link",
            (Self::Nothing, _) => "nothing",
            (_, _) => "a link",
        }
    }
}

/// Makes credentials that were never issued, each once, and signs links.
pub struct Forge {
    ours: MasterSecret,
    other: MasterSecret,
    links: Vec<String>,
    count: AtomicU64,
}

impl Forge {
    /// Signs a few links, as a user would.
    ///
    /// # Panics
    /// When the command line does not.
    #[must_use]
    pub fn new() -> Self {
        let master = |text: &str| {
            let derived = MasterSecret::derive(&Secret::new(text.into()));
            derived.expect("the secret is long enough")
        };
        Self {
            ours: master(APP_KEYS),
            other: master("the-secret-of-somebody-else-0123456789abcdef"),
            links: (0..8).map(|it| sign(&format!("/media/{it}.jpg"))).collect(),
            count: AtomicU64::new(0),
        }
    }

    /// A signed link.
    #[must_use]
    pub fn link(&self) -> Credential {
        Credential::Link(self.any_link().to_owned())
    }

    /// A link whose MAC is another each time.
    #[must_use]
    pub fn wrong_link(&self) -> Credential {
        let link = self.any_link();
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        // The MAC comes last, in base64url: its last letter stands for four bits.
        let (before, _) = link.rsplit_once('.').expect("fields and a MAC");
        Credential::NoLink(format!("{before}.{number:042x}A"))
    }

    /// A key with a good checksum that our secret has not made.
    #[must_use]
    pub fn forged(&self) -> Credential {
        Credential::NoKey(self.key(&self.other))
    }

    /// A key that our secret has made, and that the key service does not know.
    #[must_use]
    pub fn unknown(&self) -> Credential {
        Credential::NoKey(self.key(&self.ours))
    }

    /// A key of no form of ours, as if it had been imported.
    #[must_use]
    pub fn opaque(&self) -> Credential {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        Credential::NoKey(format!("elsewhere:nobody:{number:020}"))
    }

    fn any_link(&self) -> &str {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let place = usize::try_from(number).unwrap_or(0) % self.links.len();
        &self.links[place]
    }

    fn key(&self, master: &MasterSecret) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        // Another sequence for each number; it need not be unpredictable.
        let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut fill = |bytes: &mut [u8]| {
            for byte in bytes {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *byte = state.to_be_bytes()[3];
            }
        };
        let prefix = Prefix::parse("kg").expect("a prefix");
        let kid = KeyRingId::parse("01").expect("an id");
        master.generate(&prefix, kid, &mut fill).text.to_string()
    }
}

impl Default for Forge {
    fn default() -> Self {
        Self::new()
    }
}

fn sign(path: &str) -> String {
    let signed = Command::new(keygate())
        .args(["sign", path, "--key-id", "demo"])
        .args(["--option", "host=*", "--expires-in", "1d"])
        .env("KEYGATE_MEDIA", MEDIA)
        .output()
        .expect("the command line runs");
    let link = String::from_utf8_lossy(&signed.stdout).trim().to_owned();
    assert!(signed.status.success() && link.starts_with(path), "{link}");
    link
}
