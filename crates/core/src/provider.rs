//! Providers: the kinds of credential that a rule may require.

use crate::answer::{Refusal, Scheme};
use crate::app_key::{AppKey, KeyHash, MasterSecret, Prefix};
use crate::credential::{self, Carrier};
use crate::grant::Strip;
use crate::identity::Identity;
use crate::policy::Facts;
use crate::reason::Reason;
use crate::record::Knowledge;
use crate::referrer::{self, ReferrerPattern};
use crate::request::Request;
use crate::secret::KeyRing;
use crate::session::Sessions;
use crate::signed_url::SignedUrl;

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
#[derive(Debug)]
pub struct AppKeys {
    /// The master secrets that made the keys.
    pub ring: KeyRing<MasterSecret>,
    /// The word in front of each key.
    pub prefix: Prefix,
    /// Where a key may stand.
    pub carriers: Vec<Carrier>,
    /// Whether a 401 asks browsers for user name and password as well.
    pub challenge_basic: bool,
    /// From which pages a key in the query may come; there is at least one then.
    pub query_referrers: Vec<ReferrerPattern>,
}

/// What a requirement comes to, and the genuine credentials that it saw, which must not
/// reach the upstream whatever is decided.
#[derive(Debug)]
pub struct Finding<'a> {
    /// What it comes to.
    pub conclusion: Conclusion,
    /// The credentials to take out of the request.
    pub strips: Vec<Strip<'a>>,
}

/// Whether a requirement is met.
#[derive(Debug)]
pub enum Conclusion {
    /// It is, and perhaps known by whom.
    Met(Option<Identity>),
    /// Nobody here knows this key: ask the key service.
    Ask(KeyHash),
    /// It is not.
    Refused(Refusal),
}

impl Finding<'_> {
    /// A refusal for which no genuine credential was seen.
    pub fn refused(reason: Reason, scheme: Scheme) -> Self {
        Self {
            conclusion: Conclusion::Refused(Refusal { reason, scheme }),
            strips: Vec::new(),
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

    /// The parameters of the query in which its credentials stand.
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
            Self::SignedUrl(links) => match links.format.verify(request, facts) {
                // Until the key service consumes it, nobody can say that it is the first use.
                Ok(link) if link.once.is_some() => Finding {
                    strips: link.strips.to_vec(),
                    ..Finding::refused(Reason::KeyServiceUnavailable, Scheme::SignedUrl)
                },
                Ok(link) => Finding {
                    conclusion: Conclusion::Met(link.identity),
                    strips: link.strips.to_vec(),
                },
                Err(reason) => Finding::refused(reason, Scheme::SignedUrl),
            },
            Self::AppKey(app_keys) => app_keys
                .check(request, facts)
                .unwrap_or_else(|reason| Finding::refused(reason, Scheme::AppKey)),
            Self::Session(sessions) => match sessions.check(facts.claims) {
                Ok(identity) => Finding {
                    conclusion: Conclusion::Met(Some(identity)),
                    strips: sessions.carriers.iter().map(strip).collect(),
                },
                Err(reason) => Finding::refused(reason, Scheme::AppKey),
            },
        }
    }
}

impl AppKeys {
    fn parameters(&self) -> impl Iterator<Item = &str> {
        self.carriers.iter().filter_map(|carrier| match carrier {
            Carrier::Query(name) => Some(name.as_str()),
            Carrier::Bearer | Carrier::Basic | Carrier::Header(_) | Carrier::Cookie(_) => None,
        })
    }

    fn check<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &Facts<'_>,
    ) -> Result<Finding<'a>, Reason> {
        let found = credential::find(&self.carriers, request)?;
        let found = found.ok_or(Reason::MissingCredential)?;
        let key = AppKey::parse(found.text.expose(), &self.prefix)
            .map_err(|_| Reason::MalformedCredential)?;
        let hash = self
            .ring
            .authenticate(&key, facts.now)
            .ok_or(Reason::ForgedKey)?;
        // From here on it is a key of ours, which stays at the edge.
        let refused = |reason| {
            let scheme = Scheme::AppKey;
            Conclusion::Refused(Refusal { reason, scheme })
        };
        let is_tied = matches!(found.carrier, Carrier::Query(_));
        if is_tied && let Err(reason) = referrer::check(&self.query_referrers, request) {
            return Ok(Finding {
                conclusion: refused(reason),
                strips: vec![strip(found.carrier)],
            });
        }
        let conclusion = match facts.keys.find(&hash, facts.now) {
            Knowledge::Known(known) => {
                let usable = known.check(found.user.as_deref(), facts.client, facts.now);
                match usable.and_then(|()| known.check_referrer(request)) {
                    Ok(()) => Conclusion::Met(Some(Identity::from(known.as_ref()))),
                    Err(reason) => refused(reason),
                }
            }
            Knowledge::Unknown => refused(Reason::UnknownKey),
            Knowledge::Unavailable(reason) => refused(reason),
            Knowledge::NotAsked => Conclusion::Ask(hash),
        };
        Ok(Finding {
            conclusion,
            strips: vec![strip(found.carrier)],
        })
    }
}

/// What takes the credential of a carrier out of a request.
fn strip(carrier: &Carrier) -> Strip<'_> {
    match carrier {
        Carrier::Bearer | Carrier::Basic => Strip::Header("authorization"),
        Carrier::Header(name) => Strip::Header(name),
        Carrier::Cookie(name) => Strip::Cookie(name),
        Carrier::Query(name) => Strip::KeyParameter(name),
    }
}
