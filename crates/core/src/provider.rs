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
use crate::signed_url::cloudflare::Cloudflare;

/// One kind of credential, configured.
#[derive(Debug)]
pub enum Provider {
    /// A link signed by the application.
    SignedUrl(Cloudflare),
    /// A personal key that the key service issued.
    AppKey(AppKeys),
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

/// What a requirement comes to.
#[derive(Debug)]
pub enum Finding {
    /// It is met.
    Met(Evidence),
    /// Nobody here knows this key: ask the key service.
    Ask(KeyHash),
    /// It is not met.
    Refused(Refusal),
}

/// By what a requirement is met.
#[derive(Debug, Default)]
pub struct Evidence {
    /// The credentials to take out of the request.
    pub strips: Vec<Strip>,
    /// Who holds it, if it says so.
    pub identity: Option<Identity>,
}

impl Provider {
    /// The parameters of the query in which its credentials stand.
    pub fn parameters(&self) -> Vec<&str> {
        match self {
            Self::SignedUrl(links) => links.parameters().collect(),
            Self::AppKey(app_keys) => app_keys.parameters().collect(),
        }
    }

    /// Whether a 401 on its account asks browsers for user name and password.
    pub fn challenges_basic(&self) -> bool {
        match self {
            Self::SignedUrl(_) => false,
            Self::AppKey(app_keys) => app_keys.challenge_basic,
        }
    }

    /// Looks for this provider's credential in a request and checks it.
    pub fn check(&self, request: &Request<'_>, facts: &Facts<'_>) -> Finding {
        let (scheme, checked) = match self {
            Self::SignedUrl(links) => {
                let strips = links.verify(request, facts.now);
                let evidence = strips.map(|strips| Evidence {
                    strips,
                    identity: None,
                });
                (Scheme::SignedUrl, evidence.map(Finding::Met))
            }
            Self::AppKey(app_keys) => (Scheme::AppKey, app_keys.check(request, facts)),
        };
        checked.unwrap_or_else(|reason| Finding::Refused(Refusal { reason, scheme }))
    }
}

impl AppKeys {
    fn parameters(&self) -> impl Iterator<Item = &str> {
        self.carriers.iter().filter_map(|carrier| match carrier {
            Carrier::Query(name) => Some(name.as_str()),
            Carrier::Bearer | Carrier::Basic | Carrier::Header(_) | Carrier::Cookie(_) => None,
        })
    }

    fn check(&self, request: &Request<'_>, facts: &Facts<'_>) -> Result<Finding, Reason> {
        let found = credential::find(&self.carriers, request)?;
        let found = found.ok_or(Reason::MissingCredential)?;
        if matches!(found.carrier, Carrier::Query(_)) {
            referrer::check(&self.query_referrers, request)?;
        }
        let key = AppKey::parse(found.text.expose(), &self.prefix)
            .map_err(|_| Reason::MalformedCredential)?;
        let hash = self
            .ring
            .authenticate(&key, facts.now)
            .ok_or(Reason::ForgedKey)?;
        let known = match facts.keys.find(&hash, facts.now) {
            Knowledge::Known(known) => known,
            Knowledge::Unknown => return Err(Reason::UnknownKey),
            Knowledge::Unavailable(reason) => return Err(reason),
            Knowledge::NotAsked => return Ok(Finding::Ask(hash)),
        };
        known.check(found.user.as_deref(), facts.client, facts.now)?;
        known.check_referrer(request)?;
        Ok(Finding::Met(Evidence {
            strips: vec![strip(found.carrier)],
            identity: Some(Identity::from(known.as_ref())),
        }))
    }
}

fn strip(carrier: &Carrier) -> Strip {
    match carrier {
        Carrier::Bearer | Carrier::Basic => Strip::Header("authorization".to_owned()),
        Carrier::Header(name) => Strip::Header(name.clone()),
        Carrier::Cookie(name) => Strip::Cookie(name.clone()),
        Carrier::Query(name) => Strip::Parameter(name.clone()),
    }
}
