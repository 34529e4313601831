//! Providers as they are written.

use crate::config::form::form;
use crate::config::tree::{Elsewhere, Error, Read, Shape, Start, Tree};

/// Only the discriminator of a provider; everything else is read by its own type.
#[derive(Debug)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct ProviderType {
    #[cfg_attr(test, serde(rename = "type"))]
    pub kind: String,
    pub format: Option<String>,
}

impl Read for ProviderType {
    fn read(&mut self, tree: &Tree) -> Result<(), Error> {
        static SHAPE: Shape = Shape {
            expected: "struct ProviderType",
            names: &["type", "format"],
            needed: &[true, false],
            is_open: true,
        };
        tree.fields(&SHAPE, &mut [&mut self.kind, &mut self.format])
    }
}

impl Start for ProviderType {
    fn start() -> Self {
        Self {
            kind: String::new(),
            format: None,
        }
    }
}

form! {
    /// A personal key that the key service issued.
    pub struct AppKeyProvider {
        #[serde(rename = "type")]
        #[schemars(with = "String", extend("const" = "app_key"))]
        _kind: Elsewhere,
        /// The ring of master secrets that make the keys, 32 bytes at least each.
        pub secrets: String,
        /// The word in front of each key. Default: kg.
        #[serde(default = "default_prefix")]
        #[schemars(extend("pattern" = "^[a-z0-9]{1,16}$"))]
        pub prefix: String = default_prefix(),
        /// Which keys are taken: those that the key service made, and those that were imported
        /// into it. Default: native.
        #[serde(default = "default_accept")]
        #[schemars(length(min = 1))]
        pub accept: Vec<KeyForm> = default_accept(),
        /// Where a key may stand. Default: bearer.
        #[serde(default = "default_from")]
        #[schemars(length(min = 1))]
        pub from: Vec<Carrier> = default_from(),
        /// Whether a 401 asks browsers for user name and password too. Default: false.
        #[serde(default)]
        pub challenge_basic: bool,
        /// With a key in the query: the pages from which it may come.
        pub query_referrers: Option<Vec<String>>,
        /// What becomes of a genuine key while the key service is away. Default: deny.
        #[serde(default)]
        pub outage: Outage,
    }
}

form! {
    /// What becomes of a genuine key while the key service is away.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum Outage {
        /// It is refused.
        #[default]
        Deny = "deny",
        /// It passes, also one that was revoked if the proxy does not remember it.
        Allow = "allow",
    }
}

impl From<Outage> for crate::decision::provider::Outage {
    fn from(written: Outage) -> Self {
        match written {
            Outage::Deny => Self::Deny,
            Outage::Allow => Self::Allow,
        }
    }
}

fn default_prefix() -> String {
    "kg".to_owned()
}

fn default_accept() -> Vec<KeyForm> {
    vec![KeyForm::Native]
}

fn default_from() -> Vec<Carrier> {
    vec![Carrier::Bearer]
}

form! {
    /// Where a key comes from.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum KeyForm {
        /// The key service made it: a forged one is recognised at once.
        Native = "native",
        /// It was imported, and may be any text: an unknown one has to be asked about.
        Opaque = "opaque",
    }
}

form! {
    /// A place in which a key may stand.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Carrier {
        /// `Authorization: Bearer KEY`.
        Bearer = "bearer",
        /// `Authorization: Basic`, with the account as user name and the key as password.
        Basic = "basic",
        /// A header of this name with nothing but the key.
        Header(String) = "header",
        /// A cookie of this name.
        Cookie(String) = "cookie",
        /// A parameter of the query; needs `query_referrers`.
        Query(String) = "query",
    }
}
