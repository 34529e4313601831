//! Providers from their written form.

use std::rc::Rc;

use hmac::Hmac;
use sha2::Sha256;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::read;
use super::written::KeyForm;
use super::{Compiler, Material, member, written};
use crate::decision::problem::Wrong;
use crate::decision::provider::{AppKeys, Provider};
use crate::http::credential::Carrier;
use crate::identity::has_identity_prefix;
use crate::keys::app_key::{KeyRingId, MAX_CANDIDATES, MasterSecret, Prefix};
use crate::secret::mac::mac;
use crate::secret::{KeyRing, RingEntry, Secret};
use crate::signed_url::crypto::public_key::{KeyKind, PublicKey};

impl Compiler<'_> {
    pub(super) fn provider(&mut self, name: &str, text: &RawValue, has_key_service: bool) {
        let path = format!("providers.{name}");
        if name == "nothing" || !super::is_name(name) {
            self.wrong(
                &path,
                format!("its name {}, and not \"nothing\"", super::NAME),
            );
        }
        self.providers.insert(name.to_owned(), None);
        let Some(kind) = self.part::<written::ProviderType<'_>>(&path, text) else {
            return;
        };
        let provider = match (kind.kind.as_str(), kind.format.as_deref()) {
            ("signed_url", Some(format)) => self
                .signed_url(&path, format, text, &kind)
                .map(Provider::SignedUrl),
            ("signed_url", None) => {
                self.wrong(&path, "missing field `format`");
                None
            }
            ("app_key", _) => {
                if !has_key_service {
                    self.wrong("key_service", "is required by providers of app keys");
                }
                self.part(&path, text)
                    .and_then(|it| self.app_key(&path, &it))
                    .map(Provider::AppKey)
            }
            ("jwt", _) => self
                .part(&path, text)
                .and_then(|it| self.sessions(&path, &it))
                .map(Provider::Session),
            _ => {
                self.wrong_in(
                    &path,
                    "type",
                    "must be \"signed_url\", \"app_key\" or \"jwt\"",
                );
                None
            }
        };
        self.providers
            .insert(name.to_owned(), provider.map(Rc::new));
    }

    pub(super) fn part<'de, T: Deserialize<'de>>(
        &mut self,
        path: &str,
        text: &'de RawValue,
    ) -> Option<T> {
        match read::read(path, text.get()) {
            Ok(parsed) => Some(parsed),
            Err(mut problem) => {
                let start = read::place_in(self.text, text);
                problem.place = problem.place.map(|it| start.plus(it.line, it.column));
                self.problems.push(problem);
                None
            }
        }
    }

    /// The ring that a provider or a challenge names, each secret made into what verifies.
    pub(super) fn ring_of<K>(
        &mut self,
        path: &str,
        name: &str,
        mut make: impl FnMut(&mut Self, &RingEntry<Secret>) -> Option<K>,
    ) -> Option<KeyRing<K>> {
        let mut made = Vec::new();
        for entry in self.secrets_of(path, name)? {
            let key = make(self, &entry);
            made.extend(key.map(|key| entry.with(key)));
        }
        Some(KeyRing(made))
    }

    /// The ring of this name, which stands in the field at `path`.
    #[inline(never)]
    pub(super) fn ring_named(&mut self, path: &str, name: &str) -> Option<KeyRing<Material>> {
        let ring = self.secrets.get(name).cloned();
        if ring.is_none() {
            self.wrong_as(path, Wrong::NoRing(name.to_owned()));
        }
        ring
    }

    // Apart from its generic part, which exists for each kind of key.
    #[inline(never)]
    fn secrets_of(&mut self, path: &str, name: &str) -> Option<Vec<RingEntry<Secret>>> {
        self.used_rings.push(name.to_owned());
        let ring = self.ring_named(&member(path, "secrets"), name)?;
        let mut secrets = Vec::new();
        for entry in &ring.0 {
            let Material::Secret(key) = &entry.key else {
                let id = entry.id.clone();
                self.wrong_as(&format!("secrets.{name}"), Wrong::NoSecret { id });
                continue;
            };
            secrets.push(entry.with(key.clone()));
        }
        Some(secrets)
    }

    /// A ring of secrets for HMAC-SHA256.
    #[inline(never)]
    pub(super) fn mac_ring(&mut self, path: &str, name: &str) -> Option<KeyRing<Hmac<Sha256>>> {
        self.ring_of(path, name, |_, entry| Some(mac(entry.key.expose())))
    }

    /// The ring of public keys that a provider names, all of one of these kinds.
    pub(super) fn public_ring_of(
        &mut self,
        path: &str,
        name: &str,
        kinds: &[KeyKind],
    ) -> Option<KeyRing<PublicKey>> {
        let ring = self.ring_named(&member(path, "secrets"), name)?;
        let mut made = Vec::new();
        for entry in &ring.0 {
            match &entry.key {
                Material::Public(key) if kinds.contains(&key.kind()) => {
                    made.push(entry.with(PublicKey::clone(key)));
                }
                Material::Public(_) | Material::Secret(_) => {
                    let kinds: Vec<_> = kinds.iter().map(|it| it.name()).collect();
                    let wrong = Wrong::NoPublicKey {
                        id: entry.id.clone(),
                        kinds: kinds.join(" or "),
                    };
                    self.wrong_as(&format!("secrets.{name}"), wrong);
                }
            }
        }
        Some(KeyRing(made))
    }

    pub(super) fn parameter(&mut self, path: &str, name: &str) {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if name.is_empty() || !name.bytes().all(fits) {
            let message = "must be letters, digits, \"-\", \".\", \"_\" or \"~\"";
            self.wrong(path, message);
        }
    }

    /// The name of a header, in lower case as it arrives. Some names are reserved.
    pub(super) fn header(&mut self, path: &str, name: &str) -> String {
        let lower = name.to_ascii_lowercase();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if lower.is_empty() || !lower.bytes().all(fits) {
            self.wrong(path, "must be the name of a header");
        }
        let taken = [
            "host",
            "cookie",
            "content-length",
            "content-type",
            "transfer-encoding",
        ];
        if has_identity_prefix(lower.as_bytes()) || taken.contains(&lower.as_str()) {
            self.wrong(path, "this header cannot carry a credential");
        }
        lower
    }

    fn app_key(&mut self, path: &str, written: &written::AppKeyProvider) -> Option<AppKeys> {
        let secrets = written.secrets.clone();
        let ring = self.ring_of(path, &secrets, |this, entry| {
            let path = format!("secrets.{secrets}");
            let id = KeyRingId::parse(&entry.id).map_err(|error| format!("the id {error}"));
            this.checked(&path, id)?;
            let master = MasterSecret::derive(&entry.key);
            let named = |error| format!("the secret \"{}\" {error}", entry.id);
            this.checked(&path, master.map_err(named))
        });
        let prefix = self.checked(&member(path, "prefix"), Prefix::parse(&written.prefix));
        let takes = |form| written.accept.contains(&form);
        let (takes_native, takes_opaque) = (takes(KeyForm::Native), takes(KeyForm::Opaque));
        if written.accept.is_empty() {
            self.wrong_in(path, "accept", "must not be empty");
        }
        // Each secret of the ring is a hash more to ask about.
        if takes_opaque && ring.as_ref().is_some_and(|it| it.0.len() > MAX_CANDIDATES) {
            let message = format!("\"opaque\" allows at most {MAX_CANDIDATES} secrets in the ring");
            self.wrong_in(path, "accept", message);
        }
        if written.from.is_empty() {
            self.wrong_in(path, "from", "must not be empty");
        }
        let mut carriers = Vec::new();
        for (index, carrier) in written.from.iter().enumerate() {
            let path = format!("{path}.from[{index}]");
            let carrier = self.carrier(&path, carrier);
            if carriers.contains(&carrier) {
                self.wrong(&path, "is given more than once");
            }
            carriers.push(carrier);
        }
        let at = member(path, "query_referrers");
        let query_referrers = self.referrers(&at, &written.query_referrers);
        let has_query = carriers.iter().any(|it| matches!(it, Carrier::Query(_)));
        match &written.query_referrers {
            None if has_query => {
                self.wrong(
                    &at,
                    "is required with a query carrier: list the pages that may send \
                                 the key",
                );
            }
            Some(_) if !has_query => self.wrong(&at, "requires {\"query\": …} in from"),
            None | Some(_) => {}
        }
        if written.challenge_basic && !carriers.contains(&Carrier::Basic) {
            self.wrong_in(path, "challenge_basic", "requires \"basic\" in from");
        }
        let ring = ring?;
        let digest = ring.0.first().map(|it| it.key.digest_key())?;
        Some(AppKeys {
            digest,
            genuine: Rc::default(),
            ring,
            prefix: prefix?,
            takes_native,
            takes_opaque,
            carriers,
            challenge_basic: written.challenge_basic,
            query_referrers,
            outage: written.outage.into(),
        })
    }

    pub(super) fn carrier(&mut self, path: &str, written: &written::Carrier) -> Carrier {
        match written {
            written::Carrier::Bearer => Carrier::Bearer,
            written::Carrier::Basic => Carrier::Basic,
            written::Carrier::Header(name) => {
                let name = self.header(&member(path, "header"), name);
                if name == "authorization" {
                    self.wrong_in(path, "header", "use \"bearer\" or \"basic\"");
                }
                Carrier::Header(name)
            }
            written::Carrier::Cookie(name) => {
                self.cookie(&member(path, "cookie"), name);
                Carrier::Cookie(name.clone())
            }
            written::Carrier::Query(name) => {
                self.parameter(&member(path, "query"), name);
                Carrier::Query(name.clone())
            }
        }
    }

    /// RFC 6265 section 4.1.1: a cookie's name is a token.
    pub(super) fn cookie(&mut self, path: &str, name: &str) {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(fits) {
            self.wrong(path, "must be the name of a cookie");
        }
    }
}
