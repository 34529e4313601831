//! Every carrier of a policy, and which of its values must not leave the edge.
//!
//! A rule removes the credential that it has accepted. [`Carriers`] removes the others: those
//! beside it, those that a rule rejects and lets pass, and those on their way to a rule that
//! requires nothing. An opaque key looks like any text, so only the rule that accepts it
//! removes it.

use std::cell::Cell;
use std::rc::Rc;

use crate::decision::facts::Facts;
use crate::decision::provider::{AppKeys, Provider};
use crate::http::cookie;
use crate::http::credential::{Carrier, lenient_passwords};
use crate::http::edit::Strip;
use crate::http::header_name::reads_as;
use crate::http::path;
use crate::http::query;
use crate::http::request::Request;
use crate::identity::session::Sessions;
use crate::signed_url::carrier::Carrier as LinkCarrier;
use crate::signed_url::keygate;
use crate::time::UnixMillis;

const AUTHORIZATION: &str = "authorization";
const COOKIE: &str = "cookie";

/// Most texts with the form and checksum of our keys that are checked in vain for one request,
/// since each costs a MAC. What is beyond counts as a key, and is removed.
const MAX_FORGED: u8 = 8;

/// The carriers of all providers of a policy.
#[derive(Debug, Default)]
pub struct Carriers {
    places: Vec<Place>,
    /// The providers whose native keys are recognised.
    keys: Vec<Rc<Provider>>,
    /// The sessions whose token may be in `authorization`.
    sessions: Vec<Rc<Provider>>,
    /// The names of all parameters of the query that hold credentials.
    pub parameters: Rc<[String]>,
}

/// A carrier, and what is removed from it.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    carrier: Carrier,
    holds: Holds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// What one of our master secrets made.
    Key,
    /// What has the form of a native link's token.
    Link,
    /// Whatever it is: the policy says that it is the token of a session.
    Session,
}

impl Carriers {
    /// Collects the carriers of these providers.
    pub fn of<'p>(providers: impl Iterator<Item = &'p Rc<Provider>>) -> Self {
        let mut all = Self::default();
        let mut parameters = Vec::new();
        for provider in providers {
            parameters.extend(provider.parameters().into_iter().map(str::to_owned));
            match provider.as_ref() {
                Provider::AppKey(app_keys) => {
                    if app_keys.takes_native {
                        all.keys.push(Rc::clone(provider));
                    }
                    // A client may try this header first, even if the policy does not name it.
                    let carriers = app_keys.carriers.iter().filter(|it| !it.is_authorization());
                    all.add(carriers.cloned().chain([Carrier::Bearer]), Holds::Key);
                }
                Provider::SignedUrl(links) => {
                    let is_native = links.format.has_unmistakable_tokens();
                    all.add(by_name(provider).filter(|_| is_native), Holds::Link);
                }
                Provider::Session(_) => {
                    let (tokens, others): (Vec<_>, Vec<_>) =
                        by_name(provider).partition(Carrier::is_authorization);
                    all.add(others, Holds::Session);
                    if !tokens.is_empty() {
                        all.sessions.push(Rc::clone(provider));
                    }
                }
            }
        }
        parameters.sort_unstable();
        parameters.dedup();
        all.parameters = parameters.into();
        all
    }

    fn add(&mut self, carriers: impl IntoIterator<Item = Carrier>, holds: Holds) {
        for carrier in carriers {
            let place = Place { carrier, holds };
            if !self.places.contains(&place) {
                self.places.push(place);
            }
        }
    }

    /// Adds what removes the credentials of a request that passes. `named` are the carriers
    /// that its rule names, of links and sessions: what is there is removed unread.
    pub fn strip<'a>(
        &'a self,
        named: &'a [Carrier],
        request: &Request<'a>,
        facts: &Facts<'_>,
        strips: &mut Vec<Strip<'a>>,
    ) {
        for carrier in named {
            // Others use this header, too.
            let is_ours = |value: &[u8]| !carrier.is_authorization() || is_bearer_jwt(value);
            take(carrier, false, request, strips, &is_ours);
        }
        let search = Search {
            keys: &self.keys,
            now: facts.now,
            forged: Cell::new(0),
        };
        for Place { carrier, holds } in &self.places {
            let is_ours = |value: &[u8]| match holds {
                Holds::Key => search.has_key(value, carrier),
                Holds::Link => in_any_encoding(value, &has_native_token),
                Holds::Session => true,
            };
            take(carrier, *holds == Holds::Key, request, strips, &is_ours);
        }
        if !self.sessions.is_empty() {
            // The scheme first: a look into a session is a call of the host, about 2 µs.
            let is_verified = || self.sessions().any(|it| it.check(facts.claims).is_ok());
            let is_ours = |value: &[u8]| bearer_token(value).is_some() && is_verified();
            take(&Carrier::Bearer, false, request, strips, &is_ours);
        }
    }

    /// Whether a trailer of this name may hold a credential, of which no sender puts any there
    /// (RFC 9110 section 6.5.1).
    pub fn may_be_in_trailer(&self, name: &[u8]) -> bool {
        let is_header = |ours: &str| reads_as(name, ours);
        let mut places = self.places.iter();
        [AUTHORIZATION, COOKIE].into_iter().any(is_header)
            || places.any(|it| matches!(&it.carrier, Carrier::Header(ours) if is_header(ours)))
    }

    /// The sessions whose token may be in `authorization`.
    pub fn sessions(&self) -> impl Iterator<Item = &Sessions> {
        self.sessions.iter().filter_map(|it| match it.as_ref() {
            Provider::Session(sessions) => Some(sessions),
            Provider::SignedUrl(_) | Provider::AppKey(_) => None,
        })
    }
}

/// The carriers of a provider that a rule names, from which whatever is there is removed. Keys
/// are recognised instead: the same header may contain a key of the upstream.
pub(crate) fn by_name(provider: &Provider) -> impl Iterator<Item = Carrier> + use<> {
    let carriers = match provider {
        Provider::SignedUrl(links) => {
            let carriers = links.format.carriers().into_iter();
            let carriers = carriers.filter_map(|carrier| match carrier {
                LinkCarrier::Query(name) => Some(Carrier::Query(name)),
                LinkCarrier::Header(name) => Some(Carrier::Header(name)),
                LinkCarrier::Cookie(name) => Some(Carrier::Cookie(name)),
                LinkCarrier::Path(_) | LinkCarrier::PathParameter(_) => None,
            });
            carriers.collect()
        }
        Provider::Session(sessions) => sessions.carriers.clone(),
        Provider::AppKey(_) => Vec::new(),
    };
    carriers.into_iter()
}

/// Adds what removes a carrier from a request, if one of its values is a credential.
fn take<'a>(
    carrier: &'a Carrier,
    is_key: bool,
    request: &Request<'a>,
    strips: &mut Vec<Strip<'a>>,
    is_credential: &dyn Fn(&[u8]) -> bool,
) {
    let (strip, is_there) = match carrier {
        Carrier::Bearer | Carrier::Basic => {
            let strip = Strip::Header(AUTHORIZATION);
            let mut values = request.values(AUTHORIZATION);
            (strip, !strips.contains(&strip) && values.any(is_credential))
        }
        Carrier::Cookie(name) => {
            let strip = Strip::Cookie(name);
            let mut values = cookie::lenient_values(request, name);
            (strip, !strips.contains(&strip) && values.any(is_credential))
        }
        Carrier::Query(name) => {
            let strip = match is_key {
                true => Strip::KeyParameter(name),
                false => Strip::Parameter(name),
            };
            let mut values = query::lenient_values(&request.target, name);
            let mut is_there = || values.any(|it| is_credential(it.as_bytes()));
            (strip, !strips.contains(&strip) && is_there())
        }
        Carrier::Header(ours) => {
            for (name, value) in request.headers.iter().filter(|it| reads_as(&it.0, ours)) {
                // Its name as the client spelled it, since that is what the host removes.
                let strip = std::str::from_utf8(name).map(Strip::Header);
                if let Ok(strip) = strip
                    && !strips.contains(&strip)
                    && is_credential(value)
                {
                    strips.push(strip);
                }
            }
            return;
        }
    };
    if is_there {
        strips.push(strip);
    }
}

/// Looks for native keys on behalf of one request.
struct Search<'a> {
    keys: &'a [Rc<Provider>],
    now: UnixMillis,
    /// How many texts looked like keys and were none.
    forged: Cell<u8>,
}

impl Search<'_> {
    fn has_key(&self, value: &[u8], carrier: &Carrier) -> bool {
        let is_key = |text: &[u8]| self.keys.iter().any(|it| self.is_made_by(it, text));
        in_any_encoding(value, &is_key)
            || (carrier.is_authorization() && lenient_passwords(value).any(|it| is_key(&it)))
    }

    fn is_made_by(&self, provider: &Provider, text: &[u8]) -> bool {
        let Provider::AppKey(app_keys) = provider else {
            return false;
        };
        let mut found = app_keys.prefix.find_in(text);
        found.any(|key| self.is_genuine(app_keys, key))
    }

    fn is_genuine(&self, app_keys: &AppKeys, key: &[u8]) -> bool {
        let forged = self.forged.get();
        if forged >= MAX_FORGED {
            return true;
        }
        let is_genuine = app_keys.recognise(key, self.now).is_ok();
        self.forged
            .set(forged.saturating_add(u8::from(!is_genuine)));
        is_genuine
    }
}

/// Whether something holds for a text as it arrived, or percent-decoded.
fn in_any_encoding(value: &[u8], holds: &dyn Fn(&[u8]) -> bool) -> bool {
    if holds(value) {
        return true;
    }
    let is_encoded = value.contains(&b'%');
    let text = std::str::from_utf8(value).ok().filter(|_| is_encoded);
    text.and_then(|it| path::decode(it).ok())
        .is_some_and(|it| holds(&it))
}

/// Whether a text has a token of the native link format in it: the version, fields and a
/// signature of 43 or 86 characters.
fn has_native_token(text: &[u8]) -> bool {
    let version = keygate::VERSION.as_bytes();
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let part = |text: &[u8]| text.iter().take_while(|it| is_part(it)).count();
    memchr::memchr_iter(b'.', text).any(|at| {
        let (before, rest) = text
            .split_at_checked(at.saturating_add(1))
            .unwrap_or_default();
        if !before.ends_with(version) {
            return false;
        }
        let (fields, rest) = rest.split_at_checked(part(rest)).unwrap_or_default();
        let signature = rest.strip_prefix(b".").map_or(0, part);
        !fields.is_empty() && matches!(signature, 43 | 86)
    })
}

/// The bearer token that a value of `authorization` holds (RFC 6750 section 2.1).
fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then_some(token.trim_ascii())
}

/// Whether a value of `authorization` is a JWT (RFC 7519) as a bearer token.
fn is_bearer_jwt(value: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    bearer_token(value).is_some_and(|token| {
        let mut parts = token.split(|&byte| byte == b'.');
        // `{"` in base64url.
        token.starts_with(b"ey")
            && parts.clone().count() == 3
            && parts.all(|it| it.iter().all(is_part))
    })
}
