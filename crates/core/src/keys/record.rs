//! What is known of app keys: checked records, and who can be asked for them.

use std::net::IpAddr;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;

use crate::http::client::Client;
use crate::http::referrer::{self, ReferrerPattern};
use crate::http::request::Request;
use crate::identity::Identity;
use crate::identity::limits::BLOCK;
use crate::identity::limits::{MAX_ALLOWED_IPS, MAX_ALLOWED_REFERRERS, MAX_METADATA, MAX_SCOPES};
use crate::identity::token::is_token;
use crate::keys::app_key::KeyHash;
use crate::keys::wire::{Record, Status};
use crate::reason::Reason;
use crate::time::UnixMillis;

/// A record of the key service that was checked: every text fits into a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// Whose key it is, its public id, and all else that goes to the upstream.
    pub identity: Rc<Identity>,
    status: Status,
    expires_at: Option<UnixMillis>,
    allowed_ips: Vec<IpNet>,
    allowed_referrers: Vec<ReferrerPattern>,
}

/// A key that the key service knows, and the hash under which it is stored.
pub type Found = (KeyHash, Rc<KnownKey>);

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
        if record.allowed_referrers.len() > MAX_ALLOWED_REFERRERS {
            return Err(UnusableRecord("allowed_referrers"));
        }
        let referrers = record.allowed_referrers.iter();
        let referrers: Result<_, _> = referrers.map(|it| ReferrerPattern::parse(it)).collect();
        Ok(Self {
            identity: Rc::new(Identity {
                account: record.account.clone(),
                key_id: Some(record.id.clone()),
                scopes: record.scopes.join(" "),
                metadata: Some(URL_SAFE_NO_PAD.encode(metadata)),
            }),
            status: record.status,
            expires_at: record.expires_at,
            allowed_ips: record
                .allowed_ips
                .iter()
                .map(|it| crate::http::address::canonical(*it))
                .collect(),
            allowed_referrers: referrers.map_err(|_| UnusableRecord("allowed_referrers"))?,
        })
    }
}

impl KnownKey {
    /// The key among these records that is stored under one of its possible hashes; `None` if
    /// the key service knows none of them.
    ///
    /// A key may have been imported twice, as a text and as a digest. Then a revoked or
    /// disabled record decides.
    ///
    /// # Errors
    /// [`UnusableRecord`] for a record of one of these hashes.
    pub fn among(records: &[Record], hashes: &[KeyHash]) -> Result<Option<Found>, UnusableRecord> {
        let of_hash = |hash: &KeyHash| records.iter().find(|it| it.hash == *hash);
        let mut of_key = hashes.iter().filter_map(of_hash);
        let first = of_key.clone().next();
        let dead = of_key.find(|it| it.status != Status::Active);
        let found = |record: &Record| {
            let known = Self::try_from(record)?;
            Ok((record.hash, Rc::new(known)))
        };
        dead.or(first).map(found).transpose()
    }
}

impl KnownKey {
    /// An upper bound of the memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let ips = self
            .allowed_ips
            .capacity()
            .saturating_mul(size_of::<IpNet>());
        let referrers = self.allowed_referrers.iter().map(ReferrerPattern::bytes);
        [size_of::<Self>(), self.identity.bytes(), ips, BLOCK, BLOCK]
            .into_iter()
            .chain(referrers)
            .fold(0, usize::saturating_add)
    }
}

impl KnownKey {
    /// Whether the key may be used now, from here, by this user name of Basic.
    ///
    /// # Errors
    /// The reason why not.
    pub fn check(
        &self,
        user: Option<&[u8]>,
        client: Client<'_>,
        now: UnixMillis,
    ) -> Result<(), Reason> {
        match self.status {
            Status::Active => {}
            Status::Disabled => return Err(Reason::DisabledKey),
            Status::Revoked => return Err(Reason::RevokedKey),
        }
        if user.is_some_and(|user| user != self.identity.account.as_bytes()) {
            return Err(Reason::WrongAccount);
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(Reason::Expired);
        }
        let contains = |client: IpAddr| {
            let client = client.to_canonical();
            self.allowed_ips.iter().any(|net| net.contains(&client))
        };
        if !self.allowed_ips.is_empty() && !client.address().is_some_and(contains) {
            return Err(Reason::AddressNotAllowed);
        }
        Ok(())
    }

    /// Whether the key may be used from the page that the request comes from.
    ///
    /// # Errors
    /// [`Reason::ReferrerNotAllowed`].
    pub fn check_referrer(&self, request: &Request<'_>) -> Result<(), Reason> {
        if self.allowed_referrers.is_empty() {
            return Ok(());
        }
        referrer::check(&self.allowed_referrers, request)
    }
}

/// What is known of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// A key with this record.
    Known(Rc<KnownKey>),
    /// The key service knows no such key.
    Unknown,
    /// The key service was not asked, or too long ago.
    NotAsked,
    /// The question cannot be answered, for this reason, and no outage policy makes up for it.
    Unavailable(Reason),
    /// The key service is away. This is what it said last, if it has said anything.
    Outdated(Option<Rc<KnownKey>>),
}

/// A source of what is known of keys.
pub trait KeyLookup {
    /// What is known at `now` of the key that is stored under one of these hashes. A native
    /// key has one, a key from elsewhere as many as there are ways to have imported it.
    fn find(&self, hashes: &[KeyHash], now: UnixMillis) -> Knowledge;
}

/// One fresh answer, in front of what was known before.
pub struct Answer<'a> {
    /// The hashes that were asked about.
    pub hashes: &'a [KeyHash],
    /// What the key service said.
    pub knowledge: Knowledge,
    /// Asked about any other key.
    pub others: &'a dyn KeyLookup,
}

impl KeyLookup for Answer<'_> {
    fn find(&self, hashes: &[KeyHash], now: UnixMillis) -> Knowledge {
        if hashes == self.hashes {
            self.knowledge.clone()
        } else {
            self.others.find(hashes, now)
        }
    }
}

/// Knows nothing yet.
pub struct NothingKnown;

impl KeyLookup for NothingKnown {
    fn find(&self, _hashes: &[KeyHash], _now: UnixMillis) -> Knowledge {
        Knowledge::NotAsked
    }
}

/// Knows nothing and cannot ask: a decision on it is final.
pub struct NoAnswer(pub Reason);

impl KeyLookup for NoAnswer {
    fn find(&self, _hashes: &[KeyHash], _now: UnixMillis) -> Knowledge {
        Knowledge::Unavailable(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::limits::MAX_NAME;

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

    #[test]
    fn an_ipv4_mapped_range_of_a_key_admits_the_ipv4_client() {
        let mut record = record();
        record.allowed_ips = vec!["::ffff:10.0.0.0/104".parse().unwrap()];
        let known = KnownKey::try_from(&record).unwrap();
        for (client, expected) in [
            ("10.1.2.3", Ok(())),
            ("::ffff:10.1.2.3", Ok(())),
            ("11.1.2.3", Err(Reason::AddressNotAllowed)),
        ] {
            let client = Client::Known(client.parse().ok());
            assert_eq!(known.check(None, client, UnixMillis(0)), expected);
        }
    }

    #[test]
    fn a_record_becomes_header_values() {
        let key = known();
        assert_eq!(key.identity.scopes, "files:read files:write");
        assert_eq!(
            key.identity.metadata.as_deref(),
            Some("eyJwbGFuIjoicHJvIn0")
        );
    }

    #[test]
    fn a_key_is_found_under_any_of_its_hashes_and_a_dead_record_decides() {
        let record = |byte: u8, status| Record {
            hash: hash(byte),
            id: format!("key-{byte}"),
            account: "alice".to_owned(),
            status,
            expires_at: None,
            scopes: Vec::new(),
            allowed_ips: Vec::new(),
            allowed_referrers: Vec::new(),
            metadata: serde_json::from_str("{}").unwrap(),
        };
        let active = |byte| record(byte, Status::Active);
        let revoked = |byte| record(byte, Status::Revoked);
        for (records, found) in [
            (vec![], None),
            (vec![active(3)], None),
            (vec![active(1)], Some(1)),
            (vec![active(3), active(2)], Some(2)),
            (vec![active(2), active(1)], Some(1)),
            (vec![active(1), revoked(2)], Some(2)),
            (vec![active(2), revoked(1)], Some(1)),
        ] {
            let among = KnownKey::among(&records, &[hash(1), hash(2)]).unwrap();
            assert_eq!(among.map(|(it, _)| it), found.map(hash), "{records:?}");
        }
    }

    #[test]
    fn a_record_that_could_break_a_header_is_unusable() {
        let spoil: [fn(&mut Record); 9] = [
            |it| it.allowed_referrers = vec!["https://*.com".into()],
            |it| it.allowed_referrers = vec!["https://a.example".into(); 17],
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
    fn the_largest_record_is_usable_and_none_that_is_larger_by_one() {
        fn metadata(length: usize) -> Box<serde_json::value::RawValue> {
            let text = format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
            serde_json::value::RawValue::from_string(text).unwrap()
        }
        let largest = || Record {
            id: "x".repeat(128),
            account: "x".repeat(128),
            scopes: vec!["x".repeat(128); 64],
            allowed_ips: vec!["10.0.0.0/8".parse().unwrap(); 64],
            allowed_referrers: vec!["https://a.example".to_owned(); 16],
            metadata: metadata(4096),
            ..record()
        };
        assert!(KnownKey::try_from(&largest()).is_ok());
        let enlarge: [fn(&mut Record); 7] = [
            |it| it.id.push('x'),
            |it| it.account.push('x'),
            |it| it.scopes[63].push('x'),
            |it| it.scopes.push("x".to_owned()),
            |it| it.allowed_ips.push("10.0.0.0/8".parse().unwrap()),
            |it| it.allowed_referrers.push("https://a.example".to_owned()),
            |it| it.metadata = metadata(4097),
        ];
        for enlarge in enlarge {
            let mut larger = largest();
            enlarge(&mut larger);
            assert!(KnownKey::try_from(&larger).is_err(), "{larger:?}");
        }
    }

    #[test]
    fn status_expiry_address_and_user_are_checked_on_every_use() {
        let inside = Some("10.1.2.3".parse().unwrap());
        let mapped = Some("::ffff:10.1.2.3".parse().unwrap());
        let outside = Some("11.0.0.1".parse().unwrap());
        let now = UnixMillis(999);
        let key = known();
        assert_eq!(key.check(None, Client::Known(inside), now), Ok(()));
        assert_eq!(
            key.check(Some(b"alice"), Client::Known(mapped), now),
            Ok(())
        );
        assert_eq!(
            key.check(Some(b"bob"), Client::Known(inside), now),
            Err(Reason::WrongAccount)
        );
        assert_eq!(
            key.check(None, Client::Known(outside), now),
            Err(Reason::AddressNotAllowed)
        );
        assert_eq!(
            key.check(None, Client::Known(None), now),
            Err(Reason::AddressNotAllowed)
        );
        assert_eq!(
            key.check(None, Client::Known(inside), UnixMillis(1000)),
            Err(Reason::Expired)
        );
        for (status, reason) in [
            (Status::Revoked, Reason::RevokedKey),
            (Status::Disabled, Reason::DisabledKey),
        ] {
            let record = Record { status, ..record() };
            let key = KnownKey::try_from(&record).unwrap();
            assert_eq!(key.check(None, Client::Known(inside), now), Err(reason));
        }
    }
}
