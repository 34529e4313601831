//! The attributes of a key: as written in a body, and as checked.

use std::collections::HashSet;

use ipnet::IpNet;
use keygate_core::UnixMillis;
use keygate_core::http::{ReferrerPattern, address};
use keygate_core::identity::RateLimit;
use keygate_core::identity::limits::{
    MAX_ALLOWED_IPS, MAX_ALLOWED_REFERRERS, MAX_NAME, MAX_SCOPES,
};
use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::expiry::{end, ends_after, instant};
use crate::json::{AnyJson, Draft};
use crate::metadata::{Metadata, metadata};
use crate::sealed::{Plain, ToSeal};
use crate::shown::is_shown;
use crate::space::{Space, space};
use crate::wrong::{Errors, Pointer, Wrong};

/// Most labels of a key.
pub(crate) const MAX_LABELS: usize = 16;

/// Most characters of the name of a label.
pub(crate) const MAX_LABEL_NAME: usize = 64;

/// Calls a macro with every attribute of a key, one row each: its name in the API and in the store,
/// its type, the check that makes it of what a body has, and the type of that. Rows of one kind
/// can share a check: it gets the name.
///
/// The rights of a key, the record for the edge, and the command `keygate keys create` name every
/// attribute again. One that is added does not compile, or fails a test, until each does.
macro_rules! attributes {
    ($with:ident! $($more:tt)*) => {
        $with! {
            { $($more)* }
            /// The owner of the key: 1 to 128 visible ASCII characters without comma. An admin must
            /// name it; an account has its own.
            account: String = account(Option<String>);
            /// The environment or project that it is for: 1 to 32 letters, digits or `._-`, and
            /// `default` unless given. A key gets that of the key that creates it.
            space: Space = space(Option<String>);
            /// The name of the key for its owner: 1 to 128 characters, none of which is invisible.
            name: Option<String> = title(Option<String>);
            /// What the key may do: up to 64 scope tokens, each once.
            scopes: Vec<String> = scopes(Vec<String>);
            /// A JSON object of up to 4096 bytes for the upstream, as it was sent. A key that is
            /// created without it gets that of the key that creates it, or none.
            metadata: Metadata = metadata(Option<AnyJson>);
            /// Up to 64 addresses or CIDR ranges from which the key may be used; empty means
            /// anywhere.
            allowed_ips: Vec<IpNet> = ranges(Vec<String>);
            /// Up to 16 patterns of pages from which the key may be used; empty means any page, or
            /// none.
            allowed_referrers: Vec<String> = referrers(Vec<String>);
            /// Labels for people and filters: up to 16 of the form `name=value`, each name once.
            labels: Vec<String> = labels(Vec<String>);
            /// How many requests it may make at each worker of Envoy, such as `100/1m`; none means any
            /// number. A key that is created without it gets that of the key that creates it, or none.
            rate_limit: Option<RateLimit> = rate_limit(Option<String>);
            /// When the key expires: in the future, before the year 10000.
            #[serde(serialize_with = "rfc_3339")]
            expires_at: Option<UnixMillis> = instant(Option<String>);
        }
    };
}

pub(crate) use attributes;

macro_rules! declare {
    ({} $($(#[$meta:meta])* $field:ident: $Type:ty = $check:ident($Written:ty);)*) => {
        /// What an admin or an account says of a key. Every value is one that the edge can carry.
        #[derive(Clone, Debug, Serialize)]
        pub struct Attributes {
            $($(#[$meta])* pub $field: $Type,)*
        }

        impl Attributes {
            /// The names of all attributes.
            pub const NAMES: &[&str] = &[$(stringify!($field)),*];

            /// Those of them that never change.
            pub const FIXED: &[&str] = &["account", "space"];

            /// The names of the attributes that differ.
            pub(crate) fn differences(&self, other: &Self) -> Vec<&'static str> {
                let fields = [$((stringify!($field), self.$field == other.$field)),*];
                let differ = fields.into_iter().filter(|(_, is_same)| !is_same);
                differ.map(|(name, _)| name).collect()
            }
        }
    };
}

attributes!(declare!);

/// Declares a body: its own fields, and the attributes of a key as they are written.
macro_rules! body {
    (
        { $(#[$about:meta])* $Body:ident { $($own:ident: $Own:ty,)* } }
        $($(#[$meta:meta])* $field:ident: $Type:ty = $check:ident($Written:ty);)*
    ) => {
        $(#[$about])*
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $Body {
            $(pub(crate) $own: $Own,)*
            $(#[serde(default)] $field: $Written,)*
        }

        impl $Body {
            /// The names of its fields, attributes last.
            #[allow(dead_code, reason = "not every body lists them")]
            pub(crate) const FIELDS: &[&str] = &[$(stringify!($own),)* $(stringify!($field),)*];

            /// Checks every attribute. One that is wrong has no meaning here, and an error.
            fn attributes(self, errors: &mut Errors) -> Attributes {
                Attributes {
                    $(
                        $field: errors
                            .check(stringify!($field), |name| $check(name, self.$field))
                            .unwrap_or_default(),
                    )*
                }
            }
        }
    };
}

attributes! { body!
    /// `POST /v1/keys` as written. `expires_in` is a span from now, in place of `expires_at`.
    CreateBody {
        expires_in: Option<String>,
        sealed: Option<ToSeal>,
        template: Option<String>,
    }
}

attributes! { body!
    /// One key of `POST /v1/keys/import` as written. Its end is an instant, so that importing
    /// the same file again changes nothing.
    ImportItem {
        key: Option<Zeroizing<String>>,
        sha256: Option<Zeroizing<String>>,
    }
}

/// The names of the fields of `POST /v1/keys`, attributes last.
pub const CREATE_FIELDS: &[&str] = CreateBody::FIELDS;

impl CreateBody {
    /// The account that the body names.
    pub(crate) fn account(&mut self) -> &mut Option<String> {
        &mut self.account
    }

    /// The space that the body names.
    pub(crate) fn space(&mut self) -> &mut Option<String> {
        &mut self.space
    }

    /// Checks every field.
    pub(crate) fn check(draft: Draft<Self>, now: UnixMillis) -> Result<Asked, Errors> {
        let (body, mut errors) = (draft.body, draft.errors);
        let Some(mut body) = body else {
            return Err(errors);
        };
        let (span, sealed) = (body.expires_in.take(), body.sealed.take());
        let sealed = errors.of(sealed.map(ToSeal::check).transpose());
        let template = body.template.take();
        let mut attributes = body.attributes(&mut errors);
        let mut written = attributes.expires_at.map(Some);
        end(&mut errors, &mut written, span, now);
        attributes.expires_at = written.flatten();
        let asked = Asked {
            attributes,
            sealed,
            template,
        };
        errors.none().map(|()| asked)
    }
}

/// What a call that creates a key asks for.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What is said of the key.
    pub(crate) attributes: Attributes,
    /// What is to be sealed with it.
    pub(crate) sealed: Option<Plain>,
    /// What has completed it.
    pub(crate) template: Option<String>,
}

impl ImportItem {
    /// The space that the item names.
    pub(crate) fn space(&mut self) -> &mut Option<String> {
        &mut self.space
    }

    /// Checks every attribute.
    pub(crate) fn check(self, errors: &mut Errors, now: UnixMillis) -> Attributes {
        let attributes = self.attributes(errors);
        errors.check("expires_at", |field| {
            ends_after(now, field, attributes.expires_at)
        });
        attributes
    }
}

fn rfc_3339<S: Serializer>(at: &Option<UnixMillis>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(|at| at.to_string()).serialize(serializer)
}

/// Text that people read: 1 to `max` characters that are [shown](is_shown).
pub(crate) fn line(field: &str, text: String, max: usize) -> Result<String, Wrong> {
    let characters = text.chars().count();
    if !(1..=max).contains(&characters) || !text.chars().all(is_shown) {
        let detail = format!(
            "must be 1 to {max} visible characters: no line breaks or bidirectional control \
             characters"
        );
        return Err(Wrong::invalid(field, detail));
    }
    Ok(text)
}

pub(crate) fn account(field: &str, text: Option<String>) -> Result<String, Wrong> {
    token(field, text)?.ok_or_else(|| Wrong::required(field))
}

/// Becomes the value of an HTTP header, where a comma would separate two values.
fn token(field: &str, text: Option<String>) -> Result<Option<String>, Wrong> {
    let fits = |byte: u8| byte.is_ascii_graphic() && byte != b',';
    let is_token = |text: &String| (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(fits);
    if !text.as_ref().is_none_or(is_token) {
        let detail = "must be 1 to 128 visible ASCII characters without spaces or commas";
        return Err(Wrong::invalid(field, detail));
    }
    Ok(text)
}

pub(crate) fn title(field: &str, text: Option<String>) -> Result<Option<String>, Wrong> {
    text.map(|text| line(field, text, MAX_NAME)).transpose()
}

/// Checks each item of a list of at most `max`.
fn each<T>(
    field: &str,
    texts: Vec<String>,
    max: usize,
    mut check: impl FnMut(Pointer, String) -> Result<T, Wrong>,
) -> Result<Vec<T>, Errors> {
    if texts.len() > max {
        let detail = format!("must have at most {max} items");
        return Err(Wrong::invalid(field, detail).into());
    }
    let mut errors = Errors::default();
    let items = texts.into_iter().enumerate();
    let items =
        items.filter_map(|(at, text)| errors.keep(check(Pointer::from(field).item(at), text)));
    let items = items.collect();
    errors.none().map(|()| items)
}

pub(crate) fn scopes(field: &str, scopes: Vec<String>) -> Result<Vec<String>, Errors> {
    let mut seen = HashSet::new();
    each(field, scopes, MAX_SCOPES, |at, scope| {
        if !is_scope(&scope) {
            let detail = "must be one scope (RFC 6750 section 3): 1 to 128 ASCII characters, no \
                          spaces or quotes";
            return Err(Wrong::invalid(at, detail));
        }
        match seen.insert(scope.clone()) {
            true => Ok(scope),
            false => Err(Wrong::duplicate(at)),
        }
    })
}

/// Whether a text is one scope that a key can have.
pub fn is_scope(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(is_scope_byte)
}

/// RFC 6749 section 3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`.
fn is_scope_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'
}

pub(crate) fn rate_limit(field: &str, text: Option<String>) -> Result<Option<RateLimit>, Wrong> {
    let limit = text.map(|text| RateLimit::parse(&text)).transpose();
    limit.map_err(|error| Wrong::invalid(field, error.to_string()))
}

pub(crate) fn ranges(field: &str, texts: Vec<String>) -> Result<Vec<IpNet>, Errors> {
    each(field, texts, MAX_ALLOWED_IPS, |at, text| {
        range(&text).map_err(|detail| Wrong::invalid(at, detail))
    })
}

/// Kept as written: the edge reads them by the same rules.
pub(crate) fn referrers(field: &str, texts: Vec<String>) -> Result<Vec<String>, Errors> {
    each(field, texts, MAX_ALLOWED_REFERRERS, |at, text| {
        let pattern = ReferrerPattern::parse(&text);
        let pattern = pattern.map(|_| ());
        pattern.map_err(|error| Wrong::invalid(at, error.to_string()))?;
        Ok(text)
    })
}

/// For people alone, and never sent to the edge.
pub(crate) fn labels(field: &str, texts: Vec<String>) -> Result<Vec<String>, Errors> {
    let mut seen = HashSet::new();
    each(field, texts, MAX_LABELS, |at, text| {
        let text = label(at.clone(), text)?;
        let name = text.split('=').next().unwrap_or_default();
        match seen.insert(name.to_owned()) {
            true => Ok(text),
            false => Err(Wrong::duplicate(at)),
        }
    })
}

/// One label: no quotes, so that a list of them can be searched as JSON.
pub(crate) fn label(at: impl Into<Pointer>, text: String) -> Result<String, Wrong> {
    let is_name =
        |name: &str| (1..=MAX_LABEL_NAME).contains(&name.len()) && name.bytes().all(is_label_byte);
    let is_value = |value: &str| {
        let mut characters = value.chars();
        let fits = |it: char| is_shown(it) && it != '"' && it != '\\';
        value.chars().count() <= MAX_NAME && characters.all(fits)
    };
    match text.split_once('=') {
        Some((name, value)) if is_name(name) && is_value(value) => Ok(text),
        _ => {
            let detail = "must be name=value: the name 1 to 64 letters, digits or ._-/, the value \
                          at most 128 visible characters without quotes and backslashes";
            Err(Wrong::invalid(at, detail))
        }
    }
}

fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-/".contains(&byte)
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
