//! The check of a link, in its order: find, read, signature, then what it permits.

use arrayvec::ArrayVec;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::fields::Fields;
use super::text::{self, Subject, name_of};
use super::token::{MAX_TOKEN, Token};
use super::{Algorithm, Keygate, Keys, covers};
use crate::http::address::range;
use crate::http::cookie::cookie_values;
use crate::http::parameter::decode_token;
use crate::http::request::Request;
use crate::identity::Identity;
use crate::reason::Reason;
use crate::secret::{Fingerprint, KeyRing, RingEntry};
use crate::signed_url::carrier::{self, Carried, Carrier};
#[cfg(feature = "tools")]
use crate::signed_url::crypto::public_key::PublicKey;
use crate::signed_url::crypto::public_key::Scheme;
use crate::signed_url::facts::LinkFacts;
use crate::signed_url::format::{Covers, Link};
use crate::signed_url::once_link::OnceLink;
use crate::signed_url::parts::mac_key::MacKey;
use crate::text::cut::parts;
use crate::time::UnixMillis;

impl Keygate {
    pub(super) fn check<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let found = carrier::find(&self.carriers, request)?;
        let token = self.decode(&found)?;
        let fields = Fields::parse(&token.fields).map_err(|_| Reason::MalformedCredential)?;
        let subject = subject(request, &fields, found.carrier)?;
        // Before a signature that costs a public-key operation; a MAC costs little.
        if matches!(self.keys, Keys::EdDsa(_)) {
            self.time(&fields, facts.now)?;
        }
        self.keys
            .check(&fields, &subject, token.signature(), facts)?;
        let covers = self.scope(request, &fields, found.carrier)?;
        self.time(&fields, facts.now)?;
        from_here(&fields, facts)?;
        Ok(Link {
            identity: fields.account.map(|account| Identity {
                account: account.to_owned(),
                ..Identity::default()
            }),
            covers,
            once: self.once(&fields, facts.now)?,
            ..Link::new(found.strip(), Some(fields.expires))
        })
    }

    pub(super) fn decode(&self, found: &Carried<'_>) -> Result<Token, Reason> {
        if found.text.len() > MAX_TOKEN {
            return Err(Reason::MalformedCredential);
        }
        // Only a URL is percent-encoded on its way.
        let decoded = match found.carrier {
            Carrier::Query(_) | Carrier::Path(_) | Carrier::PathParameter(_) => {
                decode_token(found.text)?
            }
            Carrier::Header(_) | Carrier::Cookie(_) => found.text.as_bytes().into(),
        };
        Token::decode(&decoded, self.keys.algorithm().signature_length())
            .ok_or(Reason::MalformedCredential)
    }

    /// What the key service keeps of a link that works once.
    fn once(&self, fields: &Fields<'_>, now: UnixMillis) -> Result<Option<OnceLink>, Reason> {
        let Some(once) = fields.once else {
            return Ok(None);
        };
        // The key that signed it was found a moment ago.
        let key = self.keys.fingerprint(fields.key_id, now);
        let key = key.ok_or(Reason::WrongSignature)?;
        Ok(Some(OnceLink {
            id: format!("{key}.{once}"),
            expires: fields.expires,
            is_for_head: fields.method == Some("HEAD"),
        }))
    }

    /// Whether the request is what the link is for, where that is not in the signed text.
    /// It looks like a wrong signature, as it does for a link with the exact path.
    fn scope<'a>(
        &self,
        request: &Request<'a>,
        fields: &Fields<'_>,
        carrier: &Carrier,
    ) -> Result<Covers<'a>, Reason> {
        let method = fields.method.unwrap_or("GET");
        let is_method = request.method == method || (method == "GET" && request.method == "HEAD");
        let ignored = |name| self.query_ignore.iter().any(|it| it.0 == name);
        if !is_method
            || !fields.values('i').all(ignored)
            || !self.has_query(request, Some(fields), Some(carrier))
        {
            return Err(Reason::WrongSignature);
        }
        let path = request.target.path;
        if let Some(prefix) = fields.prefix {
            let prefix = covers::prefix(prefix, path).ok_or(Reason::WrongSignature)?;
            return Ok(Covers::Prefix(prefix));
        }
        if fields.has('g') && !fields.values('g').any(|it| covers::glob(it, path)) {
            return Err(Reason::WrongSignature);
        }
        Ok(Covers::Path)
    }

    /// Whether the query has no other parameters than the token and the configuration
    /// permit. To some programs a `;` begins a parameter, too: none hides behind one in a
    /// parameter that is let pass for its name, and not for its signature.
    pub(super) fn has_query(
        &self,
        request: &Request<'_>,
        fields: Option<&Fields<'_>>,
        carrier: Option<&Carrier>,
    ) -> bool {
        let is_token = |name: &str| matches!(carrier, Some(Carrier::Query(token)) if token == name);
        let allowed = self.query_allow.as_deref();
        // Most links: no list, and nothing that could hide.
        if allowed.is_none() && !request.target.query.is_some_and(|it| it.contains(';')) {
            return true;
        }
        // Without fields, as with a cookie, no query is signed.
        let signed = fields.filter(|it| !it.any_query);
        let is_named_only = |name: &str| match signed {
            None => allowed.is_some(),
            Some(fields) => fields.values('i').any(|it| text::means(it, name)),
        };
        let mut all = request.target.query.iter().flat_map(|it| parts(it, b'&'));
        all.all(|parameter| {
            let name = name_of(parameter);
            let mut known = allowed.into_iter().flatten().chain(&self.query_ignore);
            let is_known = allowed.is_none() || known.any(|it| it.means(name));
            let hides = || parameter.contains(';') && is_named_only(name);
            is_token(name) || ((name.is_empty() || is_known) && !hides())
        })
    }

    #[inline]
    fn time(&self, fields: &Fields<'_>, now: UnixMillis) -> Result<(), Reason> {
        let (begin, end) = (fields.not_before, fields.expires);
        if begin.is_some_and(|begin| begin > now.plus(self.skew)) {
            return Err(Reason::NotYetValid);
        }
        if now >= end {
            return Err(Reason::Expired);
        }
        if end > now.plus(self.max_lifetime).plus(self.skew) {
            return Err(Reason::LifetimeTooLong);
        }
        Ok(())
    }
}

impl Keys {
    /// Checks that the key that the token names signed this. Another key is never tried. An
    /// unknown secret costs as much as a wrong MAC; an unknown public key costs nothing.
    pub(super) fn check(
        &self,
        fields: &Fields<'_>,
        subject: &Subject<'_>,
        signature: &[u8],
        facts: &LinkFacts<'_>,
    ) -> Result<(), Reason> {
        match self {
            Self::Hs256(ring) => {
                let picked = pick(ring, fields, facts.now);
                let holds = picked.is_some_and(|(entry, is_named)| {
                    hs256(&entry.key, fields, subject, signature) && is_named
                });
                if holds {
                    Ok(())
                } else {
                    Err(Reason::WrongSignature)
                }
            }
            Self::EdDsa(ring) => {
                let key = &ring.meant(Some(fields.key_id), facts.now)?.key;
                let message = message(fields, subject).ok_or(Reason::WrongSignature)?;
                key.check(Scheme::Ed25519, &[&message], signature, facts)
            }
        }
    }

    /// Returns the value of the key that has this id and is valid now.
    fn fingerprint(&self, id: &str, now: UnixMillis) -> Option<Fingerprint> {
        match self {
            Self::Hs256(ring) => {
                let mut current = ring.current(now);
                current
                    .find(|it| it.id == id)
                    .map(|it| it.key.fingerprint())
            }
            Self::EdDsa(ring) => {
                let mut current = ring.current(now);
                current
                    .find(|it| it.id == id)
                    .map(|it| it.key.fingerprint())
            }
        }
    }

    /// Whether any key signed this, independent of its id and validity.
    #[cfg(feature = "tools")]
    pub(super) fn any_signed(
        &self,
        fields: &Fields<'_>,
        subject: &Subject<'_>,
        signature: &[u8],
    ) -> bool {
        match self {
            Self::Hs256(ring) => {
                let mut all = ring.0.iter();
                all.any(|it| hs256(&it.key, fields, subject, signature))
            }
            Self::EdDsa(ring) => {
                let mut all = ring.0.iter();
                all.any(|it| eddsa(&it.key, fields, subject, signature))
            }
        }
    }

    /// Whether the key with this id is valid now.
    #[cfg(feature = "tools")]
    pub(super) fn counts(&self, id: &str, now: UnixMillis) -> bool {
        match self {
            Self::Hs256(ring) => ring.current(now).any(|it| it.id == id),
            Self::EdDsa(ring) => ring.current(now).any(|it| it.id == id),
        }
    }
}

fn hs256(key: &MacKey, fields: &Fields<'_>, subject: &Subject<'_>, signature: &[u8]) -> bool {
    let mut room = ArrayVec::<u8, 512>::new();
    let mut longer = None;
    let put = |piece: &[u8]| {
        if room.try_extend_from_slice(piece).is_err() {
            spill(longer.get_or_insert_with(|| key.mac()), &mut room, piece);
        }
    };
    let written = text::write(Algorithm::Hs256, fields, subject, put);
    let holds = match longer {
        None => key.holds(&[&room], signature),
        Some(mac) => mac.chain_update(&room).verify_slice(signature).is_ok(),
    };
    holds && written.is_ok()
}

/// A text with more than room for: the MAC takes what is there. It is not recalled.
#[cold]
fn spill(mac: &mut Hmac<Sha256>, room: &mut ArrayVec<u8, 512>, piece: &[u8]) {
    mac.update(room);
    room.clear();
    if room.try_extend_from_slice(piece).is_err() {
        mac.update(piece);
    }
}

#[cfg(feature = "tools")]
fn eddsa(key: &PublicKey, fields: &Fields<'_>, subject: &Subject<'_>, signature: &[u8]) -> bool {
    message(fields, subject).is_some_and(|it| key.verify(&[&it], signature))
}

/// What a token of Ed25519 signs, if the request has it all.
fn message(fields: &Fields<'_>, subject: &Subject<'_>) -> Option<Vec<u8>> {
    let mut message = Vec::with_capacity(512);
    let extend = |piece: &[u8]| message.extend_from_slice(piece);
    let written = text::write(Algorithm::EdDsa, fields, subject, extend);
    written.is_ok().then_some(message)
}

/// The entry that the token names, if it is valid now; or any other, and that it is not the
/// one.
#[inline]
fn pick<'r, K>(
    ring: &'r KeyRing<K>,
    fields: &Fields<'_>,
    now: UnixMillis,
) -> Option<(&'r RingEntry<K>, bool)> {
    let named = ring.current(now).find(|it| it.id == fields.key_id);
    let stand_in = || ring.0.first().map(|it| (it, false));
    named.map(|it| (it, true)).or_else(stand_in)
}

/// What the request contributes to the signed text.
///
/// # Errors
/// [`Reason::WrongSignature`] when a signed header or cookie is missing,
/// [`Reason::DuplicateCredential`] when it is there twice.
pub(super) fn subject<'a>(
    request: &Request<'a>,
    fields: &Fields<'_>,
    carrier: &'a Carrier,
) -> Result<Subject<'a>, Reason> {
    let mut subject = Subject {
        host: request.signed_authority(),
        #[cfg(feature = "tools")]
        keeps_case: false,
        path: request.target.path,
        query: request.target.query,
        token_parameter: match carrier {
            Carrier::Query(name) => Some(name),
            Carrier::Header(_)
            | Carrier::Cookie(_)
            | Carrier::Path(_)
            | Carrier::PathParameter(_) => None,
        },
        headers: Default::default(),
        cookies: Default::default(),
    };
    for name in fields.values('r') {
        let value = once(request.values(name))?;
        let room = subject.headers.try_push(value);
        room.map_err(|_| Reason::MalformedCredential)?;
    }
    for name in fields.values('c') {
        let value = once(cookie_values(request, name))?;
        let room = subject.cookies.try_push(value);
        room.map_err(|_| Reason::MalformedCredential)?;
    }
    Ok(subject)
}

#[inline]
fn once<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Result<&'a [u8], Reason> {
    let first = values.next().ok_or(Reason::WrongSignature)?;
    match values.next() {
        None => Ok(first),
        Some(_) => Err(Reason::DuplicateCredential),
    }
}

/// Whether the client is where the link permits.
#[inline]
fn from_here(fields: &Fields<'_>, facts: &LinkFacts<'_>) -> Result<(), Reason> {
    let mut ranges = fields.values('a').filter_map(range).peekable();
    if ranges.peek().is_none() {
        return Ok(());
    }
    let client = facts.client.address().ok_or(Reason::AddressNotAllowed)?;
    let client = client.to_canonical();
    match ranges.any(|range| range.contains(&client)) {
        true => Ok(()),
        false => Err(Reason::AddressNotAllowed),
    }
}
