//! `exchange`, which the providers of every format of links may have.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{DEFAULT_SKEW, MAX_LIFETIME};
use crate::config::read::object;
use crate::config::{Compiler, member};
use crate::signed_url::carrier::Carrier;
use crate::signed_url::exchange::{self, Exchange};
use crate::signed_url::keygate::{Keygate, Keys};
use crate::signed_url::parts::mac_key::MacKey;
use crate::text::names::names;

/// A cookie that a valid link sets for the files that it covers, such as the parts of a
/// playlist.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Exchange"))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Written {
    /// The ring that signs the cookies. Each secret has at least 16 bytes. Nothing else may
    /// use this ring.
    secrets: String,
    /// Name of the cookie. Default: keygate_link.
    cookie: Option<String>,
    /// Maximum lifetime of a cookie, such as 6h, at most 367d. A cookie never outlives its
    /// link.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    max_session: String,
    /// `SameSite` of the cookie: on which requests from other sites browsers send it. Default:
    /// lax.
    #[serde(default)]
    same_site: SameSite,
    /// What the cookie opens. Default: link.
    #[serde(default)]
    covers: Covers,
}

object!(Written);

names! {
    /// On which requests from other sites a browser sends the cookie.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum SameSite {
        /// When a user follows a link.
        #[default]
        Lax = "lax",
        /// On none.
        Strict = "strict",
        /// On all: for a player that is embedded in other sites.
        None = "none",
    }
}

names! {
    /// What the cookie opens.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Covers {
        /// The prefix of the link. A link for a single path sets no cookie.
        #[default]
        Link = "link",
        /// The prefix of the link, or the directory of its single path.
        Directory = "directory",
    }
}

impl Compiler<'_> {
    pub(super) fn exchange(&mut self, provider: &str, text: &RawValue) -> Option<Exchange> {
        let path = &format!("{provider}.exchange");
        let written: Written = self.part(path, text)?;
        let ring = self.ring_of(path, &written.secrets, |this, entry| {
            let at = format!("secrets.{}", written.secrets);
            this.long_enough(&at, entry);
            Some(MacKey::new(entry.key.expose(), &this.held))
        });
        self.exchanges
            .push((member(path, "secrets"), written.secrets.clone()));
        let cookie = written.cookie.unwrap_or_else(|| "keygate_link".to_owned());
        let at = member(path, "cookie");
        self.cookie(&at, &cookie);
        // RFC 6265bis section 4.1.3.2: browsers take such a cookie for the whole host only.
        if cookie.to_ascii_lowercase().starts_with("__host-") {
            let message = "must not start with \"__Host-\": such a cookie must have the path \"/\"";
            self.wrong(&at, message);
        }
        let at = member(path, "max_session");
        let max_session = self.span(&at, &written.max_session);
        self.at_most(&at, max_session, MAX_LIFETIME);
        let (ring, max_session) = (ring?, max_session?);
        Some(Exchange {
            ring: ring.spans(),
            tokens: Keygate {
                keys: Keys::Hs256(ring),
                carriers: vec![Carrier::Cookie(cookie.clone())],
                max_lifetime: max_session,
                skew: DEFAULT_SKEW,
                query_ignore: Vec::new(),
                query_allow: None,
            },
            cookie,
            max_session,
            same_site: match written.same_site {
                SameSite::Lax => exchange::SameSite::Lax,
                SameSite::Strict => exchange::SameSite::Strict,
                SameSite::None => exchange::SameSite::None,
            },
            widens: written.covers == Covers::Directory,
        })
    }

    /// A ring that signs cookies signs nothing else: the cookie of one provider would open
    /// what another protects, and a link could be used as a cookie.
    pub(in crate::config) fn exchange_rings(&mut self) {
        for (path, ring) in std::mem::take(&mut self.exchanges) {
            if self.used_rings.iter().filter(|it| **it == ring).count() > 1 {
                self.wrong(&path, "this ring is used elsewhere: use a separate ring");
            }
        }
    }
}
