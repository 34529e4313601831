//! What the written forms of several formats share.

use super::{DEFAULT_SKEW, MAX_LIFETIME, MAX_SKEW};
use crate::config::{Compiler, item, member};
use crate::secret::KeyRing;
use crate::secret::Secret;
use crate::signed_url::parts::hmac_key::{HmacHash, HmacKey};
use crate::signed_url::parts::lifetime::Lifetime;
use crate::text::names::names;

/// Declares `Written`, the written form of a format: its documentation, and its members apart from
/// those that all formats have and none reads. Its name is in its row of `formats!`.
macro_rules! written {
    ($(#[$attribute:meta])* struct { $($members:tt)* }) => {
        $(#[$attribute])*
        #[derive(Debug, serde::Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields, remote = "Self")]
        pub(in crate::config) struct Written {
            #[serde(rename = "type")]
            #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "signed_url")))]
            _kind: $crate::config::read::Elsewhere,
            #[serde(rename = "format")]
            #[cfg_attr(
                feature = "schema",
                schemars(
                    with = "String",
                    extend("const" = <Written as $crate::config::signed_url::Named>::NAME)
                )
            )]
            _format: $crate::config::read::Elsewhere,
            /// Cookie to set for a valid link. Default: none.
            #[serde(default, rename = "exchange")]
            #[cfg_attr(
                feature = "schema",
                schemars(with = "crate::config::signed_url::Exchange")
            )]
            _exchange: $crate::config::read::Elsewhere,
            $($members)*
        }

        $crate::config::read::object!(Written);
    };
}

pub(in crate::config::signed_url) use written;

names! {
    /// Scheme of the signed URLs.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(super) enum UrlScheme {
        /// With TLS.
        #[default]
        Https = "https",
        /// Without TLS.
        Http = "http",
    }
}

impl Compiler<'_> {
    /// The carriers of a token, for a format that has names for them: at least one, each once.
    pub(super) fn each_once<W, C: PartialEq>(
        &mut self,
        path: &str,
        from: &[W],
        carrier: impl Fn(&W) -> C,
    ) -> Vec<C> {
        if from.is_empty() {
            self.wrong_in(path, "from", "must not be empty");
        }
        let mut carriers = Vec::new();
        for (index, place) in from.iter().enumerate() {
            let carrier = carrier(place);
            if carriers.contains(&carrier) {
                self.wrong(
                    &item(&member(path, "from"), index),
                    "is given more than once",
                );
            }
            carriers.push(carrier);
        }
        carriers
    }

    /// How far ahead the links of a provider may end; that must be given.
    pub(super) fn lifetime(
        &mut self,
        path: &str,
        max_lifetime: Option<&str>,
        skew: &Option<String>,
    ) -> Lifetime {
        let at = member(path, "max_lifetime");
        if max_lifetime.is_none() {
            let message = "is required: it limits the lifetime of links";
            self.wrong(&at, message);
        }
        let max_lifetime = max_lifetime.and_then(|it| self.span(&at, it));
        self.at_most(&at, max_lifetime, MAX_LIFETIME);
        let max_lifetime = max_lifetime.unwrap_or(MAX_LIFETIME);
        let skew = self.span_or(&member(path, "skew"), skew, DEFAULT_SKEW, MAX_SKEW);
        Lifetime { max_lifetime, skew }
    }

    /// A ring of secrets under one hash.
    #[inline(never)]
    pub(super) fn hmac_keys(
        &mut self,
        path: &str,
        ring: &str,
        hash: HmacHash,
    ) -> Option<KeyRing<HmacKey>> {
        self.ring_of(path, ring, |_, entry| {
            Some(HmacKey::new(hash, entry.key.expose()))
        })
    }

    /// A ring of secrets as they are.
    #[inline(never)]
    pub(super) fn plain_ring(&mut self, path: &str, ring: &str) -> Option<KeyRing<Secret>> {
        self.ring_of(path, ring, |_, entry| Some(entry.key.clone()))
    }

    /// A format that is no MAC must be asked for by name.
    pub(super) fn is_weak(&mut self, path: &str, allow_weak: bool) {
        if !allow_weak {
            let message = "must be true: this format is a plain MD5 of secret and link, not a \
                           MAC. Use it only if you cannot change the signer";
            self.wrong_in(path, "allow_weak", message);
        }
    }

    /// The path in front of a segment that carries a signature.
    pub(super) fn prefix(&mut self, path: &str, prefix: &Option<String>) -> String {
        let prefix = prefix.clone().unwrap_or_else(|| "/".to_owned());
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        let is_path = prefix.starts_with('/') && prefix.ends_with('/') && !prefix.contains("//");
        if !is_path || !prefix.bytes().all(fits) {
            let message = "must be a path that begins and ends with \"/\", such as \"/images/\"";
            self.wrong_in(path, "prefix", message);
        }
        prefix
    }
}
