//! Providers from their written form.

use std::rc::Rc;

use serde_json::value::RawValue;

use super::{Compiler, parse_part, written};
use crate::app_key::{KeyRingId, MasterSecret, Prefix, mac};
use crate::credential::Carrier;
use crate::identity::IDENTITY_PREFIX;
use crate::provider::{AppKeys, Provider};
use crate::secret::{KeyRing, RingEntry, Secret};
use crate::signed_url::cloudflare::{Alphabet, Cloudflare, LinkCarrier, Stamp};
use crate::time::Millis;

/// How far a signer's clock may be ahead, when the configuration does not say.
const DEFAULT_SKEW: Millis = Millis::from_secs(30);

/// More than this is no clock that is ahead, but a broken one.
const MAX_SKEW: Millis = Millis::from_secs(600);

/// A year and a day: what is to live for longer needs no link that expires.
const MAX_LIFETIME: Millis = Millis::from_secs(367 * 24 * 3600);

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
        let text = text.get().as_bytes();
        let Some(kind) = self.part::<written::ProviderType>(&path, text) else {
            return;
        };
        let provider = match (kind.kind.as_str(), kind.format.as_deref()) {
            ("signed_url", Some("cloudflare")) => self
                .part(&path, text)
                .and_then(|it| self.cloudflare(&path, &it))
                .map(Provider::SignedUrl),
            ("signed_url", Some(_)) => {
                self.wrong(&format!("{path}.format"), "must be \"cloudflare\"");
                None
            }
            ("signed_url", None) => {
                self.wrong(&path, "missing field `format`");
                None
            }
            ("app_key", _) => {
                if !has_key_service {
                    self.wrong("key_service", "must be given: app keys are looked up there");
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
                self.wrong(
                    &format!("{path}.type"),
                    "must be \"signed_url\", \"app_key\" or \"jwt\"",
                );
                None
            }
        };
        self.providers
            .insert(name.to_owned(), provider.map(Rc::new));
    }

    fn part<T: serde::de::DeserializeOwned>(&mut self, path: &str, text: &[u8]) -> Option<T> {
        match parse_part(path, text) {
            Ok(parsed) => Some(parsed),
            Err(problem) => {
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
        let found = self.secrets.get(name).cloned();
        let missing = format!("there is no ring \"{name}\" in secrets");
        let ring = self.checked(&format!("{path}.secrets"), found.ok_or(missing))?;
        let made = ring.0.iter().filter_map(|entry| {
            Some(RingEntry {
                id: entry.id.clone(),
                key: make(self, entry)?,
                not_before: entry.not_before,
                not_after: entry.not_after,
            })
        });
        Some(KeyRing(made.collect()))
    }

    fn cloudflare(
        &mut self,
        path: &str,
        written: &written::CloudflareProvider,
    ) -> Option<Cloudflare> {
        let at = |field: &str| format!("{path}.{field}");
        let ring = self.ring_of(path, &written.secrets, |_, entry| {
            Some(mac(entry.key.expose()))
        });
        let carriers = self.link_carriers(path, written);
        let span = |this: &mut Self, field: &str, text: &Option<String>| {
            text.as_deref().and_then(|text| this.span(&at(field), text))
        };
        let ttl = span(self, "ttl", &written.ttl);
        let max_lifetime = span(self, "max_lifetime", &written.max_lifetime);
        let skew = span(self, "skew", &written.skew).unwrap_or(DEFAULT_SKEW);
        self.at_most(&at("skew"), Some(skew), MAX_SKEW);
        for (field, span) in [("ttl", ttl), ("max_lifetime", max_lifetime)] {
            self.at_most(&at(field), span, MAX_LIFETIME);
        }
        self.one_scope_a_ring(path, written);
        let (needed, other) = match written.stamp {
            written::StampMeaning::Issued => ("ttl", "max_lifetime"),
            written::StampMeaning::Expires => ("max_lifetime", "ttl"),
        };
        let is_given = |field| match field {
            "ttl" => written.ttl.is_some(),
            _ => written.max_lifetime.is_some(),
        };
        if !is_given(needed) {
            self.wrong(
                &at(needed),
                "must be given: a link without an end is no signed link",
            );
        }
        if is_given(other) {
            self.wrong(
                &at(other),
                format!("does not go with this meaning of stamp: use {needed}"),
            );
        }
        if written.directory_length.is_some_and(|length| length < 2) {
            self.wrong(
                &at("directory_length"),
                "must be at least 2: \"/\" would be everything",
            );
        }
        let stamp = match written.stamp {
            written::StampMeaning::Issued => Stamp::Issued { ttl: ttl? },
            written::StampMeaning::Expires => Stamp::Expires {
                max_lifetime: max_lifetime?,
            },
        };
        Some(Cloudflare {
            ring: ring?,
            carriers,
            alphabet: match written.base64 {
                written::Base64::Standard => Alphabet::Standard,
                written::Base64::Url => Alphabet::UrlSafe,
            },
            stamp,
            skew,
            directory_length: written.directory_length,
        })
    }

    /// A link for the path `/a/` and one for the directory `/a/` have the same MAC: a ring
    /// that served both would turn the one into the other.
    fn one_scope_a_ring(&mut self, path: &str, written: &written::CloudflareProvider) {
        let length = written.directory_length;
        let used = self
            .link_scopes
            .entry(written.secrets.clone())
            .or_insert(length);
        if *used != length {
            self.wrong(
                &format!("{path}.secrets"),
                "this ring is used with another directory_length already: take one of its own",
            );
        }
    }

    fn link_carriers(
        &mut self,
        path: &str,
        written: &written::CloudflareProvider,
    ) -> Vec<LinkCarrier> {
        let mut carriers = Vec::new();
        if let Some(name) = &written.header {
            carriers.push(LinkCarrier::Header(
                self.header(&format!("{path}.header"), name),
            ));
        }
        if let Some(names) = &written.headers {
            let timestamp = self.header(&format!("{path}.headers.timestamp"), &names.timestamp);
            let mac = self.header(&format!("{path}.headers.mac"), &names.mac);
            if timestamp == mac {
                self.wrong(
                    &format!("{path}.headers.mac"),
                    "must not be the header of the stamp",
                );
            }
            carriers.push(LinkCarrier::Headers { timestamp, mac });
        }
        match &written.parameter {
            Some(name) => {
                self.parameter(&format!("{path}.parameter"), name);
                carriers.push(LinkCarrier::Parameter(name.clone()));
            }
            None if carriers.is_empty() => {
                carriers.push(LinkCarrier::Parameter("verify".to_owned()));
            }
            None => {}
        }
        carriers
    }

    fn parameter(&mut self, path: &str, name: &str) {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if name.is_empty() || !name.bytes().all(fits) {
            let message = "must be letters, digits, \"-\", \".\", \"_\" or \"~\"";
            self.wrong(path, message);
        }
    }

    /// The name of a header, in lower case as it arrives. Some are not to be had.
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
        if lower.starts_with(IDENTITY_PREFIX) || taken.contains(&lower.as_str()) {
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
        let prefix = self.checked(&format!("{path}.prefix"), Prefix::parse(&written.prefix));
        if written.from.is_empty() {
            self.wrong(&format!("{path}.from"), "must not be empty");
        }
        let mut carriers = Vec::new();
        for (index, carrier) in written.from.iter().enumerate() {
            let path = format!("{path}.from[{index}]");
            let carrier = self.carrier(&path, carrier);
            if carriers.contains(&carrier) {
                self.wrong(&path, "stands twice");
            }
            carriers.push(carrier);
        }
        let at = format!("{path}.query_referrers");
        let query_referrers = self.referrers(&at, &written.query_referrers);
        let has_query = carriers.iter().any(|it| matches!(it, Carrier::Query(_)));
        match &written.query_referrers {
            None if has_query => {
                self.wrong(&at, "must be given: a key in a URL is tied to its pages");
            }
            Some(_) if !has_query => self.wrong(&at, "needs {\"query\": …} in from"),
            None | Some(_) => {}
        }
        if written.challenge_basic && !carriers.contains(&Carrier::Basic) {
            self.wrong(
                &format!("{path}.challenge_basic"),
                "needs \"basic\" in from: nobody would take the password",
            );
        }
        Some(AppKeys {
            ring: ring?,
            prefix: prefix?,
            carriers,
            challenge_basic: written.challenge_basic,
            query_referrers,
        })
    }

    pub(super) fn carrier(&mut self, path: &str, written: &written::Carrier) -> Carrier {
        match written {
            written::Carrier::Bearer => Carrier::Bearer,
            written::Carrier::Basic => Carrier::Basic,
            written::Carrier::Header(name) => {
                let name = self.header(&format!("{path}.header"), name);
                if name == "authorization" {
                    self.wrong(&format!("{path}.header"), "use \"bearer\" or \"basic\"");
                }
                Carrier::Header(name)
            }
            written::Carrier::Cookie(name) => {
                self.cookie(&format!("{path}.cookie"), name);
                Carrier::Cookie(name.clone())
            }
            written::Carrier::Query(name) => {
                self.parameter(&format!("{path}.query"), name);
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
