//! `"format": "cloudflare"` from its written form.

use serde::Deserialize;

use super::{DEFAULT_SKEW, MAX_LIFETIME, MAX_SKEW};
use crate::config::read::object;
use crate::config::signed_url::parts::written;
use crate::config::{Compiler, member};
use crate::signed_url::cloudflare::{Alphabet, Cloudflare, Directory, LinkCarrier, Signs, Stamp};
use crate::signed_url::parts::mac_key::MacKey;
use crate::text::names::names;

written! {
    /// A link in Cloudflare's format.
    struct {
        /// The ring that signs the links.
        secrets: String,
        /// Query parameter with the token. It must be the last one, unless `message` is `path`.
        /// Default: verify.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[A-Za-z0-9._~-]+$")))]
        parameter: Option<String>,
        /// Header with the token.
        header: Option<String>,
        /// Two headers, one for each part of the token.
        headers: Option<LinkHeaders>,
        /// Base64 variant of the MAC. Default: standard.
        #[serde(default)]
        base64: Base64,
        /// Meaning of the time in the link. Default: issued.
        #[serde(default)]
        stamp: StampMeaning,
        /// With `stamp: issued`: how long a link is valid, such as 3h. At most 367d.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        ttl: Option<String>,
        /// With `stamp: expires`: how far in the future a link may expire, such as 7d. At most
        /// 367d.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        max_lifetime: Option<String>,
        /// How far the signer's clock may be ahead, at most 10m. Default: 30s.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        skew: Option<String>,
        /// Length in bytes of the directory that a link covers, with its last slash; at least 2.
        #[cfg_attr(feature = "schema", schemars(range(min = 2)))]
        directory_length: Option<usize>,
        /// Whether links cover a directory of any length, with its last slash. Default: false.
        #[serde(default)]
        directory: bool,
        /// What the MAC covers. With `path`, a link is valid with every query. Default: uri.
        #[serde(default)]
        message: Message,
    }
}

names! {
    /// The part of the URL that the MAC covers.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Message {
        /// Path and query, `http.request.uri`.
        #[default]
        Uri = "uri",
        /// The path alone, `http.request.uri.path`.
        Path = "path",
    }
}

/// The headers of a token in two parts.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct LinkHeaders {
    /// Header with the time: ten digits, in seconds since 1970.
    timestamp: String,
    /// Header with the MAC.
    mac: String,
}

object!(LinkHeaders);

names! {
    /// Base64 variant of a MAC.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Base64 {
        /// RFC 4648 section 4, with padding.
        #[default]
        Standard = "standard",
        /// RFC 4648 section 5, without padding.
        Url = "url",
    }
}

names! {
    /// Meaning of the time in a link.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum StampMeaning {
        /// When the link was made.
        #[default]
        Issued = "issued",
        /// When the link expires.
        Expires = "expires",
    }
}

/// What the links of a ring must agree on, since their MACs cannot tell it.
pub(in crate::config) type LinkScope = (Option<Directory>, bool, Signs);

impl Compiler<'_> {
    pub(super) fn cloudflare(&mut self, path: &str, written: &Written) -> Option<Cloudflare> {
        let at = |field: &str| member(path, field);
        let ring = self.ring_of(path, &written.secrets, |this, entry| {
            Some(MacKey::new(entry.key.expose(), &this.held))
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
        let directory = match (written.directory_length, written.directory) {
            (Some(length), _) => Some(Directory::Length(length)),
            (None, true) => Some(Directory::Any),
            (None, false) => None,
        };
        let is_end = matches!(written.stamp, StampMeaning::Expires);
        let signs = match written.message {
            Message::Uri => Signs::Uri,
            Message::Path => Signs::Path,
        };
        self.one_scope_a_ring(path, &written.secrets, (directory, is_end, signs));
        let (needed, other) = match written.stamp {
            StampMeaning::Issued => ("ttl", "max_lifetime"),
            StampMeaning::Expires => ("max_lifetime", "ttl"),
        };
        let is_given = |field| match field {
            "ttl" => written.ttl.is_some(),
            _ => written.max_lifetime.is_some(),
        };
        if !is_given(needed) {
            self.wrong_in(path, needed, "is required: without it, links never expire");
        }
        if is_given(other) {
            self.wrong_in(
                path,
                other,
                format!("cannot be combined with this stamp: use {needed}"),
            );
        }
        if written.directory && written.directory_length.is_some() {
            let message = "cannot be combined with directory";
            self.wrong_in(path, "directory_length", message);
        }
        if written.directory_length.is_some_and(|length| length < 2) {
            self.wrong_in(
                path,
                "directory_length",
                "must be at least 2: \"/\" covers everything",
            );
        }
        let stamp = match written.stamp {
            StampMeaning::Issued => Stamp::Issued { ttl: ttl? },
            StampMeaning::Expires => Stamp::Expires {
                max_lifetime: max_lifetime?,
            },
        };
        Some(Cloudflare {
            ring: ring?,
            carriers,
            alphabet: match written.base64 {
                Base64::Standard => Alphabet::Standard,
                Base64::Url => Alphabet::UrlSafe,
            },
            stamp,
            skew,
            directory,
            signs,
        })
    }

    /// A link for the path `/a/` and one for the directory `/a/` have the same MAC, and so
    /// have one that begins and one that ends at the same time, and one for a path without a
    /// query and one for that path with every query: a ring that served both would turn the
    /// one into the other.
    fn one_scope_a_ring(&mut self, path: &str, ring: &str, scope: LinkScope) {
        let used = *self.link_scopes.entry(ring.to_owned()).or_insert(scope);
        let (directory, is_end, signs) = scope;
        if used.0 != directory {
            self.wrong_in(
                path,
                "secrets",
                "this ring is already used with another directory or directory_length: use a \
                 separate ring",
            );
        }
        if used.2 != signs {
            self.wrong_in(
                path,
                "secrets",
                "this ring is already used with another message: use a separate ring",
            );
        }
        if used.1 != is_end {
            self.wrong(
                &format!("{path}.secrets"),
                "this ring is already used with another stamp: use a separate ring",
            );
        }
    }

    fn link_carriers(&mut self, path: &str, written: &Written) -> Vec<LinkCarrier> {
        let mut carriers = Vec::new();
        if let Some(name) = &written.header {
            carriers.push(LinkCarrier::Header(
                self.header(&member(path, "header"), name),
            ));
        }
        if let Some(names) = &written.headers {
            let timestamp = self.header(&member(path, "headers.timestamp"), &names.timestamp);
            let mac = self.header(&member(path, "headers.mac"), &names.mac);
            if timestamp == mac {
                self.wrong_in(path, "headers.mac", "must differ from headers.timestamp");
            }
            carriers.push(LinkCarrier::Headers { timestamp, mac });
        }
        match &written.parameter {
            Some(name) => {
                self.parameter(&member(path, "parameter"), name);
                carriers.push(LinkCarrier::Parameter(name.clone()));
            }
            None if carriers.is_empty() => {
                carriers.push(LinkCarrier::Parameter("verify".to_owned()));
            }
            None => {}
        }
        carriers
    }
}
