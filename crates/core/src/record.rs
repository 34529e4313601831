//! What is known of app keys: checked records, and the bounded cache of a worker.

use std::cell::RefCell;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;
use lru::LruCache;

use crate::app_key::KeyHash;
use crate::reason::Reason;
use crate::time::{Millis, UnixMillis};
use crate::wire::{MAX_ALLOWED_IPS, MAX_METADATA, MAX_NAME, MAX_SCOPES, Record, Status};

/// A record of the key service that was checked: every text fits into a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// Public id.
    pub id: String,
    /// Whose key it is.
    pub account: String,
    /// Scopes with a space between, as in RFC 6749 section 3.3.
    pub scopes: String,
    /// The metadata object as JSON in base64url without padding.
    pub metadata: String,
    status: Status,
    expires_at: Option<UnixMillis>,
    allowed_ips: Vec<IpNet>,
}

/// The record holds something that must not reach a header.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record of a key is not usable: {0}")]
pub struct UnusableRecord(&'static str);

impl TryFrom<&Record> for KnownKey {
    type Error = UnusableRecord;

    fn try_from(record: &Record) -> Result<Self, UnusableRecord> {
        let metadata = record.metadata.get();
        if !metadata.starts_with('{') || metadata.len() > MAX_METADATA {
            return Err(UnusableRecord("metadata"));
        }
        if !is_token(&record.id) || !is_token(&record.account) {
            return Err(UnusableRecord("id or account"));
        }
        if record.scopes.len() > MAX_SCOPES || !record.scopes.iter().all(|it| is_token(it)) {
            return Err(UnusableRecord("scopes"));
        }
        if record.allowed_ips.len() > MAX_ALLOWED_IPS {
            return Err(UnusableRecord("allowed_ips"));
        }
        Ok(Self {
            id: record.id.clone(),
            account: record.account.clone(),
            scopes: record.scopes.join(" "),
            metadata: URL_SAFE_NO_PAD.encode(metadata),
            status: record.status,
            expires_at: record.expires_at,
            allowed_ips: record.allowed_ips.clone(),
        })
    }
}

/// Visible ASCII, bounded: what may stand in a header without a second thought.
fn is_token(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl KnownKey {
    /// Whether the key may be used now, from here, by this user name of Basic.
    ///
    /// # Errors
    /// The reason why not.
    pub fn check(
        &self,
        user: Option<&[u8]>,
        client: Option<IpAddr>,
        now: UnixMillis,
    ) -> Result<(), Reason> {
        match self.status {
            Status::Active => {}
            Status::Disabled => return Err(Reason::DisabledKey),
            Status::Revoked => return Err(Reason::RevokedKey),
        }
        if user.is_some_and(|user| user != self.account.as_bytes()) {
            return Err(Reason::WrongAccount);
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(Reason::Expired);
        }
        let contains = |client: IpAddr| {
            let client = client.to_canonical();
            self.allowed_ips.iter().any(|net| net.contains(&client))
        };
        if !self.allowed_ips.is_empty() && !client.is_some_and(contains) {
            return Err(Reason::AddressNotAllowed);
        }
        Ok(())
    }
}

/// What is known of one hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// A key with this record.
    Known(Rc<KnownKey>),
    /// The key service knows no such key.
    Unknown,
    /// Nobody has asked, or it is too long ago.
    NotAsked,
    /// The question cannot be answered, for this reason.
    Unavailable(Reason),
}

/// Whoever can say what is known of a key.
pub trait KeyLookup {
    /// What is known of this hash at `now`.
    fn find(&self, hash: &KeyHash, now: UnixMillis) -> Knowledge;
}

/// The cache of one worker. Known and unknown keys have bounds of their own, so
/// that a flood of unknown ones pushes out no known one.
pub struct KeyCache {
    known: RefCell<LruCache<KeyHash, Rc<KnownKey>>>,
    unknown: RefCell<LruCache<KeyHash, ()>>,
    lease: Millis,
    state: RefCell<Feed>,
}

/// How far this worker has followed the change feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Feed {
    epoch: Option<u64>,
    renewed: Option<UnixMillis>,
}

impl KeyCache {
    /// An empty cache for at most `known` and `unknown` entries, which counts for
    /// `lease` after each successful poll of the change feed.
    pub fn new(known: NonZeroUsize, unknown: NonZeroUsize, lease: Millis) -> Self {
        Self {
            known: RefCell::new(LruCache::new(known)),
            unknown: RefCell::new(LruCache::new(unknown)),
            lease,
            state: RefCell::default(),
        }
    }

    /// The epoch to ask the feed for what comes after; `None` before the first answer.
    pub fn epoch(&self) -> Option<u64> {
        self.state.borrow().epoch
    }

    /// Keeps what the key service said of a hash as of `epoch`. `false` when the feed
    /// has passed that epoch: the answer may be older than a revocation.
    #[must_use]
    pub fn insert(&self, hash: KeyHash, key: Option<Rc<KnownKey>>, epoch: u64) -> bool {
        if self.epoch().is_some_and(|seen| epoch < seen) {
            return false;
        }
        self.forget(&hash);
        match key {
            Some(key) => drop(self.known.borrow_mut().put(hash, key)),
            None => drop(self.unknown.borrow_mut().put(hash, ())),
        }
        true
    }

    /// Takes an answer of the feed that was asked for at `asked_at`: drops what changed
    /// and renews the lease from then. A partial answer renews nothing.
    pub fn follow(&self, changed: &[KeyHash], epoch: u64, is_whole: bool, asked_at: UnixMillis) {
        for hash in changed {
            self.forget(hash);
        }
        let mut state = self.state.borrow_mut();
        state.epoch = Some(epoch);
        if is_whole {
            state.renewed = Some(asked_at);
        }
    }

    /// Forgets everything: the feed cannot say what has changed. The lease goes on
    /// from `asked_at`, with nothing in the cache.
    pub fn reset(&self, epoch: u64, asked_at: UnixMillis) {
        self.known.borrow_mut().clear();
        self.unknown.borrow_mut().clear();
        *self.state.borrow_mut() = Feed {
            epoch: Some(epoch),
            renewed: Some(asked_at),
        };
    }

    fn forget(&self, hash: &KeyHash) {
        self.known.borrow_mut().pop(hash);
        self.unknown.borrow_mut().pop(hash);
    }

    fn is_fresh(&self, now: UnixMillis) -> bool {
        let renewed = self.state.borrow().renewed;
        renewed.is_some_and(|at| now < at.plus(self.lease))
    }
}

impl KeyLookup for KeyCache {
    fn find(&self, hash: &KeyHash, now: UnixMillis) -> Knowledge {
        if !self.is_fresh(now) {
            return Knowledge::NotAsked;
        }
        if let Some(key) = self.known.borrow_mut().get(hash) {
            return Knowledge::Known(Rc::clone(key));
        }
        match self.unknown.borrow_mut().get(hash) {
            Some(()) => Knowledge::Unknown,
            None => Knowledge::NotAsked,
        }
    }
}

/// One fresh answer, in front of what nobody has asked.
pub struct Answer {
    /// The hash that was asked about.
    pub hash: KeyHash,
    /// What the key service said.
    pub knowledge: Knowledge,
}

impl KeyLookup for Answer {
    fn find(&self, hash: &KeyHash, _now: UnixMillis) -> Knowledge {
        if *hash == self.hash {
            self.knowledge.clone()
        } else {
            Knowledge::NotAsked
        }
    }
}

/// Knows nothing and cannot ask: a decision on it is final.
pub struct NoAnswer(pub Reason);

impl KeyLookup for NoAnswer {
    fn find(&self, _hash: &KeyHash, _now: UnixMillis) -> Knowledge {
        Knowledge::Unavailable(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(byte: u8) -> KeyHash {
        KeyHash([byte; 32])
    }

    fn record() -> Record {
        serde_json::from_value(serde_json::json!({
            "hash": hash(1).to_string(), "id": "AbCdEfGhIj", "account": "alice",
            "status": "active", "expires_at": 1000, "scopes": ["files:read", "files:write"],
            "allowed_ips": ["10.0.0.0/8", "2001:db8::/32"], "metadata": {"plan": "pro"}
        }))
        .unwrap()
    }

    fn known() -> Rc<KnownKey> {
        Rc::new(KnownKey::try_from(&record()).unwrap())
    }

    fn cache() -> KeyCache {
        let two = NonZeroUsize::new(2).unwrap();
        let cache = KeyCache::new(two, two, Millis(60));
        cache.follow(&[], 5, true, UnixMillis(100));
        cache
    }

    #[test]
    fn a_record_becomes_header_values() {
        let key = known();
        assert_eq!(key.scopes, "files:read files:write");
        assert_eq!(key.metadata, "eyJwbGFuIjoicHJvIn0");
    }

    #[test]
    fn a_record_that_could_break_a_header_is_unusable() {
        let spoil: [fn(&mut Record); 7] = [
            |it| it.account = "a\r\nb".into(),
            |it| it.account = "caf\u{e9}".into(),
            |it| it.account = String::new(),
            |it| it.id = "x".repeat(MAX_NAME + 1),
            |it| it.scopes = vec!["a b".into()],
            |it| it.metadata = serde_json::value::to_raw_value(&[1]).unwrap(),
            |it| it.metadata = serde_json::value::to_raw_value(&"x".repeat(5000)).unwrap(),
        ];
        for spoil in spoil {
            let mut spoiled = record();
            spoil(&mut spoiled);
            assert!(KnownKey::try_from(&spoiled).is_err(), "{spoiled:?}");
        }
    }

    #[test]
    fn status_expiry_address_and_user_are_checked_on_every_use() {
        let inside = Some("10.1.2.3".parse().unwrap());
        let mapped = Some("::ffff:10.1.2.3".parse().unwrap());
        let outside = Some("11.0.0.1".parse().unwrap());
        let now = UnixMillis(999);
        let key = known();
        assert_eq!(key.check(None, inside, now), Ok(()));
        assert_eq!(key.check(Some(b"alice"), mapped, now), Ok(()));
        assert_eq!(
            key.check(Some(b"bob"), inside, now),
            Err(Reason::WrongAccount)
        );
        assert_eq!(
            key.check(None, outside, now),
            Err(Reason::AddressNotAllowed)
        );
        assert_eq!(key.check(None, None, now), Err(Reason::AddressNotAllowed));
        assert_eq!(
            key.check(None, inside, UnixMillis(1000)),
            Err(Reason::Expired)
        );
        for (status, reason) in [
            (Status::Revoked, Reason::RevokedKey),
            (Status::Disabled, Reason::DisabledKey),
        ] {
            let record = Record { status, ..record() };
            let key = KnownKey::try_from(&record).unwrap();
            assert_eq!(key.check(None, inside, now), Err(reason));
        }
    }

    #[test]
    fn a_cached_key_counts_only_while_the_lease_is_fresh() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), 5));
        let found = |now| cache.find(&hash(1), UnixMillis(now));
        assert_eq!(found(159), Knowledge::Known(known()));
        assert_eq!(found(160), Knowledge::NotAsked);
        cache.follow(&[], 5, false, UnixMillis(150));
        assert_eq!(
            found(160),
            Knowledge::NotAsked,
            "a partial answer renews nothing"
        );
        cache.follow(&[], 5, true, UnixMillis(150));
        assert_eq!(found(160), Knowledge::Known(known()));
    }

    #[test]
    fn an_answer_older_than_the_feed_cannot_resurrect_a_key() {
        let cache = cache();
        cache.follow(&[hash(1)], 6, true, UnixMillis(100));
        assert!(!cache.insert(hash(1), Some(known()), 5));
        assert_eq!(cache.find(&hash(1), UnixMillis(100)), Knowledge::NotAsked);
    }

    #[test]
    fn what_changed_is_dropped_whether_known_or_unknown() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), 5));
        assert!(cache.insert(hash(2), None, 5));
        assert_eq!(cache.find(&hash(2), UnixMillis(100)), Knowledge::Unknown);
        cache.follow(&[hash(1), hash(2)], 7, true, UnixMillis(100));
        for byte in [1, 2] {
            assert_eq!(
                cache.find(&hash(byte), UnixMillis(100)),
                Knowledge::NotAsked
            );
        }
        assert!(cache.insert(hash(1), Some(known()), 7));
        cache.reset(3, UnixMillis(100));
        assert_eq!(cache.epoch(), Some(3));
        assert_eq!(cache.find(&hash(1), UnixMillis(100)), Knowledge::NotAsked);
    }

    #[test]
    fn a_flood_of_unknown_keys_pushes_out_no_known_one() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), 5));
        for byte in 2..200 {
            assert!(cache.insert(hash(byte), None, 5));
        }
        assert_eq!(
            cache.find(&hash(1), UnixMillis(100)),
            Knowledge::Known(known())
        );
        assert_eq!(cache.find(&hash(2), UnixMillis(100)), Knowledge::NotAsked);
        assert_eq!(cache.find(&hash(199), UnixMillis(100)), Knowledge::Unknown);
    }
}
