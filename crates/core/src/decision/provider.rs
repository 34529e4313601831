//! Providers: the kinds of credential that a rule may require.

use std::rc::Rc;

use crate::answer::{Rejection, Scheme};
use crate::decision::facts::Facts;
use crate::http::credential::{self, Carrier};
use crate::http::edit::{Edit, Strip};
use crate::http::referrer::{self, ReferrerPattern};
use crate::http::request::Request;
use crate::identity::Identity;
use crate::identity::session::Sessions;
use crate::keys::app_key::{AppKey, KeyHash, KeyRingId, MasterSecret, OpaqueKey, Prefix};
use crate::keys::record::{Knowledge, KnownKey};
use crate::keys::sealed::{Locked, SealKey, Sealed};
use crate::keys::service::Lookup;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::secret::memo::{DigestKey, Memo};
use crate::signed_url::SignedUrl;
use crate::signed_url::once_link::OnceLink;
use crate::time::UnixMillis;

/// One kind of credential, configured.
#[derive(Debug)]
pub enum Provider {
    /// A link signed by the application.
    SignedUrl(SignedUrl),
    /// A personal key that the key service issued.
    AppKey(AppKeys),
    /// A session that another filter has verified.
    Session(Sessions),
}

/// How app keys are taken from a request and checked.
#[derive(Clone, Debug)]
pub struct AppKeys {
    /// The master secrets that made the keys.
    pub ring: KeyRing<MasterSecret>,
    /// Tells keys apart in `genuine`.
    pub digest: DigestKey,
    /// The genuine keys of late, each with its secret.
    pub genuine: Rc<Memo<(KeyRingId, KeyHash)>>,
    /// The word in front of each key that we make.
    pub prefix: Prefix,
    /// Whether keys that we made are taken.
    pub takes_native: bool,
    /// Whether keys from elsewhere are taken.
    pub takes_opaque: bool,
    /// The carriers of a key.
    pub carriers: Vec<Carrier>,
    /// Whether a 401 asks browsers for user name and password as well.
    pub challenge_basic: bool,
    /// From which pages a key in the query may come; there is at least one then.
    pub query_referrers: Vec<ReferrerPattern>,
    /// What becomes of a genuine key that cannot be looked up.
    pub outage: Outage,
}

/// What becomes of a genuine key while the key service is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// It is rejected.
    Deny,
    /// The key passes without an identity, unless its last known record rules it out.
    Allow,
}

/// What a requirement comes to, and the genuine credentials that it saw, which must not
/// reach the upstream whatever is decided.
#[derive(Debug)]
pub struct Finding<'a> {
    /// What it comes to.
    pub conclusion: Conclusion,
    /// The credentials to take out of the request.
    pub strips: Vec<Strip<'a>>,
    /// A link among them that works once.
    pub once: Option<OnceLink>,
    /// What is to be done to the answer, if the request passes on account of this.
    pub response_edits: Vec<Edit>,
}

/// Whether a requirement is met.
#[derive(Debug)]
pub enum Conclusion {
    /// It is, and perhaps known by whom.
    Met(Holder),
    /// The key is not cached: ask the key service.
    Ask(Lookup),
    /// A genuine key that cannot be looked up, and [`Outage::Allow`] holds. Whose it is, is
    /// not known.
    Unchecked,
    /// It is not.
    Rejected(Rejection),
}

/// Who calls, as far as a credential says, and what came with it.
#[derive(Debug, Default)]
pub struct Holder {
    /// Whose the credential is.
    pub identity: Option<Rc<Identity>>,
    /// What is sealed with it.
    pub sealed: Option<Box<Held>>,
}

/// What is sealed with a key, before and after its rule has opened it.
#[derive(Debug)]
pub enum Held {
    /// The data, and the key that opens it.
    Locked(Locked),
    /// The edits that add its headers.
    Opened(Vec<Edit>),
}

impl Holder {
    fn new(identity: Option<Identity>) -> Self {
        Self {
            identity: identity.map(Rc::new),
            sealed: None,
        }
    }
}

impl Finding<'_> {
    /// A rejection for which no genuine credential was seen.
    #[inline]
    pub fn rejected(reason: Reason, scheme: Scheme) -> Self {
        Self {
            response_edits: Vec::new(),
            conclusion: Conclusion::Rejected(Rejection { reason, scheme }),
            strips: Vec::new(),
            once: None,
        }
    }
}

impl Provider {
    /// Whether its credentials say whose they are.
    pub fn has_identity(&self) -> bool {
        match self {
            Self::SignedUrl(links) => links.format.has_identity(),
            Self::AppKey(_) | Self::Session(_) => true,
        }
    }

    /// Whether one of its credentials may be valid for one method and not for another.
    pub fn reads_method(&self) -> bool {
        match self {
            Self::SignedUrl(links) => links.exchange.is_some() || links.format.reads_method(),
            Self::AppKey(_) | Self::Session(_) => false,
        }
    }

    /// The query parameters that carry its credentials.
    pub fn parameters(&self) -> Vec<&str> {
        match self {
            Self::SignedUrl(links) => links.format.parameters(),
            Self::AppKey(app_keys) => app_keys.parameters().collect(),
            Self::Session(_) => Vec::new(),
        }
    }

    /// Whether a 401 on its account asks browsers for user name and password.
    pub fn challenges_basic(&self) -> bool {
        match self {
            Self::SignedUrl(_) | Self::Session(_) => false,
            Self::AppKey(app_keys) => app_keys.challenge_basic,
        }
    }

    /// Looks for this provider's credential in a request and checks it.
    pub fn check<'a>(&'a self, request: &Request<'a>, facts: &Facts<'_>) -> Finding<'a> {
        match self {
            Self::SignedUrl(links) => match links.check(request, &facts.of_link()) {
                Ok((link, response_edits)) => Finding {
                    conclusion: Conclusion::Met(Holder::new(link.identity)),
                    strips: link.strips.to_vec(),
                    once: link.once,
                    response_edits,
                },
                Err(reason) => Finding::rejected(reason, Scheme::SignedUrl),
            },
            Self::AppKey(app_keys) => app_keys
                .check(request, facts)
                .unwrap_or_else(|reason| Finding::rejected(reason, Scheme::AppKey)),
            Self::Session(sessions) => match sessions.check(facts.claims) {
                Ok(identity) => Finding {
                    conclusion: Conclusion::Met(Holder::new(Some(identity))),
                    strips: sessions.carriers.iter().map(strip).collect(),
                    once: None,
                    response_edits: Vec::new(),
                },
                Err(reason) => Finding::rejected(reason, Scheme::AppKey),
            },
        }
    }
}

impl AppKeys {
    /// The hash of a key that one of our master secrets made. A repeated key costs only a
    /// digest. Whether its master secret is still valid is checked each time.
    #[inline]
    pub(crate) fn recognise(&self, text: &[u8], now: UnixMillis) -> Result<KeyHash, Reason> {
        let digest = self.digest.digest([text]);
        if let Some((kid, hash)) = self.genuine.get(digest)
            && self.ring.counts(kid, now)
        {
            return Ok(hash);
        }
        let key = AppKey::parse(text, &self.prefix).map_err(|_| Reason::MalformedCredential)?;
        let hash = self.ring.authenticate(&key, now);
        let hash = hash.ok_or_else(|| self.ring.reason(Reason::ForgedKey, now))?;
        self.genuine.put(digest, (key.kid(), hash));
        Ok(hash)
    }

    fn parameters(&self) -> impl Iterator<Item = &str> {
        self.carriers.iter().filter_map(|carrier| match carrier {
            Carrier::Query(name) => Some(name.as_str()),
            Carrier::Bearer | Carrier::Basic | Carrier::Header(_) | Carrier::Cookie(_) => None,
        })
    }

    /// The hash of a key, or those under one of which it may be stored.
    ///
    /// # Errors
    /// The reason for which it is no key.
    #[inline]
    pub fn hashes(&self, text: &[u8], now: UnixMillis) -> Result<Hashes, Reason> {
        // What looks like one of our own is one, or forged: it is not asked about as if it
        // had come from elsewhere.
        if self.takes_native && (!self.takes_opaque || self.prefix.is_of(text)) {
            return self.recognise(text, now).map(Hashes::Native);
        }
        let key = OpaqueKey::parse(text).map_err(|_| Reason::MalformedCredential)?;
        let candidates = self.ring.candidates(&key, now);
        if candidates.is_empty() {
            return Err(self.ring.reason(Reason::UnknownKey, now));
        }
        Ok(Hashes::Opaque(candidates))
    }

    /// What is sealed with a key, for later: most rules do not open it. Only a native key has the
    /// length that withstands guessing.
    // Apart, and without `AppKey::parse`: what has one caller is compiled into it.
    #[cold]
    #[inline(never)]
    fn locked(&self, data: &Rc<Sealed>, text: &[u8]) -> Option<Box<Held>> {
        let data = Rc::clone(data);
        let key = SealKey::of_text(text, &self.prefix)?;
        Some(Box::new(Held::Locked(Locked { data, key })))
    }

    fn check<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &Facts<'_>,
    ) -> Result<Finding<'a>, Reason> {
        let found = credential::find(&self.carriers, request)?;
        let found = found.ok_or(Reason::MissingCredential)?;
        let hashes = self.hashes(found.text.expose(), facts.now)?;
        // From here on it is a key of ours, or may be one, which stays at the edge.
        let rejected = |reason| {
            let scheme = Scheme::AppKey;
            Conclusion::Rejected(Rejection { reason, scheme })
        };
        let concluded = |conclusion| Finding {
            conclusion,
            strips: vec![strip(found.carrier)],
            once: None,
            response_edits: Vec::new(),
        };
        let is_tied = matches!(found.carrier, Carrier::Query(_));
        if is_tied && let Err(reason) = referrer::check(&self.query_referrers, request) {
            return Ok(concluded(rejected(reason)));
        }
        let usable = |known: &Rc<KnownKey>| {
            let usable = known.check(found.user.as_deref(), facts.client, facts.now);
            let usable = usable.and_then(|()| known.check_referrer(request));
            facts.keys.presented(known, usable);
            usable
        };
        let known = facts.keys.find(hashes.as_slice(), facts.now);
        Ok(concluded(match (known, hashes) {
            (Knowledge::Known(known), _) => match usable(&known) {
                Ok(()) => Conclusion::Met(Holder {
                    identity: Some(Rc::clone(&known.identity)),
                    sealed: known
                        .sealed
                        .as_ref()
                        .and_then(|data| self.locked(data, found.text.expose())),
                }),
                Err(reason) => rejected(reason),
            },
            // No key of ours: it may be a credential for the upstream.
            (Knowledge::Unknown, Hashes::Opaque(_)) => return Err(Reason::UnknownKey),
            (Knowledge::Unknown, Hashes::Native(_)) => rejected(Reason::UnknownKey),
            (Knowledge::Unavailable(reason), _) => rejected(reason),
            (Knowledge::NotAsked, Hashes::Native(hash)) => Conclusion::Ask(Lookup::of(hash)),
            (Knowledge::NotAsked, Hashes::Opaque(hashes)) => Conclusion::Ask(Lookup {
                hashes,
                is_opaque: true,
            }),
            (Knowledge::Outdated(last), Hashes::Native(_)) if self.outage == Outage::Allow => {
                match last.map_or(Ok(()), |known| usable(&known)) {
                    Ok(()) => Conclusion::Unchecked,
                    Err(reason) => rejected(reason),
                }
            }
            (Knowledge::Outdated(_), _) => rejected(Reason::KeyServiceUnavailable),
        }))
    }
}

/// The hashes under which a key may be stored.
pub enum Hashes {
    /// The hash of a native key, under the secret that it names.
    Native(KeyHash),
    /// The hashes of a key from elsewhere: any secret of the ring may have hashed it, as a text
    /// or as a digest.
    Opaque(Vec<KeyHash>),
}

impl Hashes {
    /// The hashes.
    #[inline]
    pub fn as_slice(&self) -> &[KeyHash] {
        match self {
            Self::Native(hash) => std::slice::from_ref(hash),
            Self::Opaque(candidates) => candidates,
        }
    }
}

/// What takes the credential of a carrier out of a request.
#[inline]
fn strip(carrier: &Carrier) -> Strip<'_> {
    match carrier {
        Carrier::Bearer | Carrier::Basic => Strip::Header("authorization"),
        Carrier::Header(name) => Strip::Header(name),
        Carrier::Cookie(name) => Strip::Cookie(name),
        Carrier::Query(name) => Strip::KeyParameter(name),
    }
}
