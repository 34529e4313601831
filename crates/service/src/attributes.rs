//! The attributes of a key: as written in a body, and as checked.

use std::collections::HashSet;

use ipnet::IpNet;
use keygate_core::http::{ReferrerPattern, address};
use keygate_core::identity::limits::{
    MAX_ALLOWED_IPS, MAX_ALLOWED_REFERRERS, MAX_NAME, MAX_SCOPES,
};
use keygate_core::{Millis, UnixMillis};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::metadata;
use crate::problem::Problem;

/// 9999-12-31T23:59:59.999Z: RFC 3339 has no later year.
const END_OF_TIME: UnixMillis = UnixMillis(253_402_300_799_999);

/// What an admin or an account says of a key. Every value is one that the edge can carry.
///
/// The store, the API and the rights of a key take this struct apart field by field: one that
/// is added does not compile until each has decided what it means there.
#[derive(Clone, Debug, Serialize)]
pub struct Attributes {
    /// Whose it is: 1 to 128 visible ASCII characters without comma.
    pub account: String,
    /// What its owner calls it: 1 to 128 characters.
    pub name: Option<String>,
    /// What it may do: up to 64 scope tokens, each once.
    pub scopes: Vec<String>,
    /// A JSON object of up to 4096 bytes, as it was sent. A key that is asked for without it gets that of the
    /// key that asks for it, or none.
    #[serde(serialize_with = "metadata::serialize")]
    pub metadata: Option<Box<RawValue>>,
    /// From where it may be used: up to 64 ranges; empty means from anywhere.
    pub allowed_ips: Vec<IpNet>,
    /// From which pages it may be used: up to 16 patterns that the edge can read; empty means
    /// from any, and from none.
    pub allowed_referrers: Vec<String>,
    /// First instant at which it may not be used. RFC 3339 in the API.
    #[serde(serialize_with = "rfc_3339")]
    pub expires_at: Option<UnixMillis>,
}

/// Declares a body: its own fields, and the attributes of a key as they are written.
macro_rules! body {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty,)* }) => {
        body! {
            $(#[$meta])* $name { $($field: $type,)* }
            account: Option<String>,
            name: Option<String>,
            #[serde(default)]
            scopes: Vec<String>,
            metadata: Option<Box<RawValue>>,
            expires_at: Option<String>,
            #[serde(default)]
            allowed_ips: Vec<String>,
            #[serde(default)]
            allowed_referrers: Vec<String>,
        }
    };
    (
        $(#[$meta:meta])* $name:ident { $($field:ident: $type:ty,)* }
        $($(#[$how:meta])* $attribute:ident: $written:ty,)*
    ) => {
        $(#[$meta])*
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $(pub(crate) $field: $type,)*
            $($(#[$how])* $attribute: $written,)*
        }

        impl $name {
            /// The names of its fields, attributes last.
            pub(crate) const FIELDS: &[&str] =
                &[$(stringify!($field),)* $(stringify!($attribute),)*];

            /// Checks every attribute, or names the first that is wrong. `expires_in` is a
            /// span from `now`, in place of `expires_at`.
            fn attributes(
                self,
                expires_in: Option<String>,
                now: UnixMillis,
            ) -> Result<Attributes, Problem> {
                Ok(Attributes {
                    account: account(self.account)?,
                    name: self.name.map(name).transpose()?,
                    scopes: scopes(self.scopes)?,
                    metadata: self.metadata.map(metadata::check).transpose()?,
                    expires_at: expiry(self.expires_at, expires_in, now)?,
                    allowed_ips: allowed_ips(&self.allowed_ips)?,
                    allowed_referrers: allowed_referrers(self.allowed_referrers)?,
                })
            }
        }
    };
}

body! {
    /// `POST /v1/keys` as written.
    CreateBody {
        expires_in: Option<String>,
    }
}

body! {
    /// One key of `POST /v1/keys/import` as written. Its end is an instant, so that importing
    /// the same file again changes nothing.
    ImportItem {
        key: Option<Zeroizing<String>>,
        sha256: Option<Zeroizing<String>>,
    }
}

/// The names of the fields of `POST /v1/keys`: every attribute, and `expires_in`.
pub const CREATE_FIELDS: &[&str] = CreateBody::FIELDS;

/// The fields of [`ImportItem`] that are lists; metadata is any JSON, and all others are strings.
pub(crate) const IMPORT_LISTS: [&str; 3] = ["scopes", "allowed_ips", "allowed_referrers"];

impl CreateBody {
    /// The account that the body names.
    pub(crate) fn account(&mut self) -> &mut Option<String> {
        &mut self.account
    }

    /// Checks every field, or names the first that is wrong.
    pub(crate) fn check(mut self, now: UnixMillis) -> Result<Attributes, Problem> {
        let expires_in = self.expires_in.take();
        self.attributes(expires_in, now)
    }
}

impl ImportItem {
    /// Checks every attribute, or names the first that is wrong.
    pub(crate) fn check(self, now: UnixMillis) -> Result<Attributes, Problem> {
        self.attributes(None, now)
    }
}

impl Attributes {
    /// The text of the metadata.
    pub fn metadata(&self) -> &str {
        self.metadata
            .as_deref()
            .map_or(metadata::EMPTY, RawValue::get)
    }

    /// The names of the attributes that differ.
    pub(crate) fn differences(&self, other: &Self) -> Vec<&'static str> {
        let Self {
            account,
            name,
            scopes,
            metadata: _, // as its text
            allowed_ips,
            allowed_referrers,
            expires_at,
        } = self;
        let fields = [
            ("account", *account == other.account),
            ("name", *name == other.name),
            ("scopes", *scopes == other.scopes),
            ("metadata", self.metadata() == other.metadata()),
            ("expires_at", *expires_at == other.expires_at),
            ("allowed_ips", *allowed_ips == other.allowed_ips),
            (
                "allowed_referrers",
                *allowed_referrers == other.allowed_referrers,
            ),
        ];
        let differ = fields.into_iter().filter(|(_, is_same)| !is_same);
        differ.map(|(name, _)| name).collect()
    }
}

fn rfc_3339<S: Serializer>(at: &Option<UnixMillis>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(|at| at.to_string()).serialize(serializer)
}

/// Free text that is shown to people: no control characters, at most `max` characters.
pub(crate) fn line(field: &str, text: String, max: usize) -> Result<String, Problem> {
    let characters = text.chars().count();
    if !(1..=max).contains(&characters) || text.chars().any(char::is_control) {
        let detail = format!("must be 1 to {max} characters without control characters");
        return Err(Problem::field(field, detail));
    }
    Ok(text)
}

/// Becomes the value of an HTTP header, where a comma would separate two values.
fn account(text: Option<String>) -> Result<String, Problem> {
    let text = text.ok_or_else(|| Problem::field("account", "is required"))?;
    let fits = |byte: u8| byte.is_ascii_graphic() && byte != b',';
    if !(1..=MAX_NAME).contains(&text.len()) || !text.bytes().all(fits) {
        return Err(Problem::field(
            "account",
            "must be 1 to 128 visible ASCII characters without spaces or commas",
        ));
    }
    Ok(text)
}

fn name(text: String) -> Result<String, Problem> {
    line("name", text, MAX_NAME)
}

fn scopes(scopes: Vec<String>) -> Result<Vec<String>, Problem> {
    if scopes.len() > MAX_SCOPES {
        return Err(Problem::field("scopes", "must be at most 64"));
    }
    let mut seen = HashSet::new();
    for (at, scope) in scopes.iter().enumerate() {
        let problem = |detail: &str| Err(Problem::field(format!("scopes[{at}]"), detail));
        if !(1..=MAX_NAME).contains(&scope.len()) || !scope.bytes().all(is_scope_byte) {
            return problem("must be a scope token (RFC 6750 section 3) of 1 to 128 characters");
        }
        if !seen.insert(scope) {
            return problem("is given more than once");
        }
    }
    Ok(scopes)
}

/// RFC 6749 section 3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`.
fn is_scope_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'
}

fn expiry(
    at: Option<String>,
    within: Option<String>,
    now: UnixMillis,
) -> Result<Option<UnixMillis>, Problem> {
    let (field, instant) = match (at, within) {
        (None, None) => return Ok(None),
        (Some(at), None) => ("expires_at", UnixMillis::parse(&at)),
        (None, Some(span)) => (
            "expires_in",
            Millis::parse(&span).map(|span| now.plus(span)),
        ),
        (Some(_), Some(_)) => {
            return Err(Problem::field(
                "expires_in",
                "must not stand beside expires_at",
            ));
        }
    };
    let instant = instant.map_err(|error| Problem::field(field, error.to_string()))?;
    if instant <= now || instant > END_OF_TIME {
        return Err(Problem::field(
            field,
            "must lie in the future, before the year 10000",
        ));
    }
    Ok(Some(instant))
}

fn allowed_ips(texts: &[String]) -> Result<Vec<IpNet>, Problem> {
    if texts.len() > MAX_ALLOWED_IPS {
        return Err(Problem::field("allowed_ips", "must be at most 64"));
    }
    let net = |(at, text): (usize, &String)| {
        range(text).map_err(|detail| Problem::field(format!("allowed_ips[{at}]"), detail))
    };
    texts.iter().enumerate().map(net).collect()
}

/// Kept as written: the edge reads them by the same rules.
fn allowed_referrers(texts: Vec<String>) -> Result<Vec<String>, Problem> {
    if texts.len() > MAX_ALLOWED_REFERRERS {
        return Err(Problem::field("allowed_referrers", "must be at most 16"));
    }
    for (at, text) in texts.iter().enumerate() {
        ReferrerPattern::parse(text).map_err(|error| {
            Problem::field(format!("allowed_referrers[{at}]"), error.to_string())
        })?;
    }
    Ok(texts)
}

/// An address, or a range without host bits: `10.0.0.7/8` is more likely a slip than a wish.
fn range(text: &str) -> Result<IpNet, &'static str> {
    let net = address::range(text).ok_or(
        "must be an IP address or a CIDR range, such as \"10.0.0.0/8\"; a range of IPv4-mapped \
         addresses needs a prefix of at least 96 bits",
    )?;
    if net.addr() != net.network() {
        return Err("must be a CIDR range whose host bits are zero");
    }
    Ok(net)
}
