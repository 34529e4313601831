//! What is known of app keys: checked records, and who can be asked for them.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;

use crate::http::address;
use crate::http::client::Client;
use crate::http::referrer::{self, ReferrerPattern};
use crate::http::request::Request;
use crate::identity::Identity;
use crate::identity::limits::BLOCK;
use crate::identity::limits::{MAX_ALLOWED_IPS, MAX_ALLOWED_REFERRERS, MAX_METADATA, MAX_SCOPES};
use crate::identity::token::is_token;
use crate::keys::app_key::KeyHash;
use crate::keys::sealed::Sealed;
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
    /// Where its uses are counted.
    pub place: CountPlace,
    /// What only the text of the key opens.
    pub(crate) sealed: Option<Rc<Sealed>>,
}

/// A number for the code that counts the uses of a key, kept with the record so that a use costs no
/// search. It says nothing about the key: all are equal.
#[derive(Clone, Debug, Default)]
pub struct CountPlace(Cell<u64>);

impl CountPlace {
    /// The number that was set last; 0 before.
    pub fn get(&self) -> u64 {
        self.0.get()
    }

    /// Keeps another number.
    pub fn set(&self, number: u64) {
        self.0.set(number);
    }
}

impl PartialEq for CountPlace {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for CountPlace {}

/// A key that the key service knows, and the hash under which it is stored.
pub type Found = (KeyHash, Rc<KnownKey>);

/// The record holds something that must not reach a header.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record of a key is invalid: {0}")]
pub struct UnusableRecord(&'static str);

impl TryFrom<&Record> for KnownKey {
    type Error = UnusableRecord;

    /// Each field is named: one that is added does not compile until it is checked here.
    fn try_from(record: &Record) -> Result<Self, UnusableRecord> {
        let Record {
            hash: _, // under which it was found
            id,
            account,
            status,
            expires_at,
            scopes,
            allowed_ips,
            allowed_referrers,
            rate_limit,
            metadata,
            sealed,
        } = record;
        let are_tokens = scopes.len() <= MAX_SCOPES && scopes.iter().all(|it| is_token(it));
        let are_few_ips = allowed_ips.len() <= MAX_ALLOWED_IPS;
        let are_few_pages = allowed_referrers.len() <= MAX_ALLOWED_REFERRERS;
        let json = metadata.get();
        let is_object = json.starts_with('{') && json.len() <= MAX_METADATA;
        let ips = checked("allowed_ips", allowed_ips, are_few_ips)?.iter();
        let pages = checked("allowed_referrers", allowed_referrers, are_few_pages)?.iter();
        let pages: Result<_, _> = pages.map(|it| ReferrerPattern::parse_stored(it)).collect();
        Ok(Self {
            identity: Rc::new(Identity {
                account: checked("account", account, is_token(account))?.clone(),
                key_id: Some(checked("id", id, is_token(id))?.clone()),
                scopes: checked("scopes", scopes, are_tokens)?.join(" "),
                metadata: Some(URL_SAFE_NO_PAD.encode(checked("metadata", json, is_object)?)),
                rate_limit: *rate_limit,
            }),
            status: *status,
            expires_at: *expires_at,
            allowed_ips: ips.map(|it| address::canonical(*it)).collect(),
            allowed_referrers: pages.map_err(|_| UnusableRecord("allowed_referrers"))?,
            place: CountPlace::default(),
            // Data that does not open rejects a request where it is wanted, and nowhere else.
            sealed: sealed.as_deref().map(|it| Rc::new(Sealed::stored(it))),
        })
    }
}

fn checked<T>(field: &'static str, value: T, fits: bool) -> Result<T, UnusableRecord> {
    match fits {
        true => Ok(value),
        false => Err(UnusableRecord(field)),
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
        let sealed = self.sealed.as_ref().map_or(0, |it| it.bytes());
        [
            size_of::<Self>(),
            self.identity.bytes(),
            ips,
            sealed,
            BLOCK,
            BLOCK,
        ]
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

    /// Called for each known key that a request presents, with the reason why this key may not be
    /// used, if there is one. The request may still be rejected, for lack of a scope for example.
    fn presented(&self, _key: &Rc<KnownKey>, _usable: Result<(), Reason>) {}
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

    fn presented(&self, key: &Rc<KnownKey>, usable: Result<(), Reason>) {
        self.others.presented(key, usable);
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
mod tests;
