//! Service SAS of Azure Blob Storage for reading, of the versions from 2018-11-09 on.
//!
//! Source: Microsoft's "Create a service SAS". Each field of the token is a parameter of
//! the query; the MAC is HMAC-SHA256 with the account key over all of them, a line each,
//! and the name of the resource. What the original leaves open is closed here: the query
//! holds nothing that is not signed, no value holds a control character, and a stored
//! access policy, which only Azure can look up, rejects the link.

#[cfg(feature = "tools")]
mod explain;
#[cfg(feature = "tools")]
mod sign;
mod value;

use std::net::IpAddr;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::http::edit::Strip;
use crate::http::parameter::{find_parameter, find_token};
use crate::http::path::decode;
use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::signed_url::facts::LinkFacts;
#[cfg(feature = "tools")]
use crate::signed_url::format::FieldRemark;
use crate::signed_url::format::{Covers, Format, Link, Strips};
use crate::time::{Millis, UnixMillis};
use value::{in_range, parse_range, parse_time, text};

/// What the token is made of, in the order of the text that is signed.
const TOKEN: [&str; 8] = ["sp", "st", "se", "sip", "spr", "sv", "sr", "sig"];

/// Signed too, and meant for the upstream: the encryption scope, and the headers of the
/// answer. They are forwarded.
const FORWARDED: [&str; 6] = ["ses", "rscc", "rscd", "rsce", "rscl", "rsct"];

/// Permissions that there are; `r` is to read.
const PERMISSIONS: &str = "racwdxyltmeopif";

/// The first version whose text has the resource and the snapshot in it, and the first
/// that has the encryption scope.
const VERSIONS: [&str; 2] = ["2018-11-09", "2020-12-06"];

/// How links of one provider are checked and made.
#[derive(Clone, Debug)]
pub(crate) struct AzureSas {
    /// The account keys.
    pub ring: KeyRing<Hmac<Sha256>>,
    /// The storage account.
    pub account: String,
    /// The container that links must be for, if it is to be one.
    pub container: Option<String>,
    /// How far ahead a link may end.
    pub max_lifetime: Millis,
    /// How far the signer's clock may be ahead of ours.
    pub skew: Millis,
}

/// What a token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    /// `sr=b`: the blob of the path.
    Blob,
    /// `sr=c`: every blob of its container.
    Container,
}

/// A token as found: its fields as they are signed, empty where they are not given.
struct Token<'a> {
    permissions: String,
    start: String,
    expiry: String,
    range: String,
    protocol: String,
    version: String,
    resource: Resource,
    /// In the order of [`FORWARDED`].
    forwarded: [String; 6],
    mac: [u8; 32],
    strips: Strips<'a>,
}

impl Format for AzureSas {
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let token = Token::find(request)?;
        let starts = match token.start.as_str() {
            "" => None,
            start => Some(parse_time(start)?),
        };
        let ends = parse_time(&token.expiry)?;
        let range = match token.range.as_str() {
            "" => None,
            range => Some(parse_range(range)?),
        };
        let (container, path) = split(request.target.path)?;
        let signed = token.string_to_sign(&self.resource(token.resource, &container, &path));
        let mut current = self.ring.current(facts.now);
        if !current.any(|entry| signs(&entry.key, &signed, &token.mac))
            || self.container.as_ref().is_some_and(|it| *it != container)
        {
            return Err(Reason::WrongSignature);
        }
        self.check_times(starts, ends, facts.now)?;
        if let Some(range) = range {
            is_from(facts.client.address(), range)?;
        }
        let is_read = ["GET", "HEAD"].contains(&request.method);
        if !is_read || !token.permissions.contains('r') || !token.fits_scheme(request) {
            return Err(Reason::InsufficientScope);
        }
        let mut link = Link::new(token.strips, Some(ends));
        if token.resource == Resource::Container {
            let path = request.target.path;
            let end = path.get(1..).and_then(|it| it.find('/'));
            let prefix = end.and_then(|it| path.get(..it.saturating_add(2)));
            link.covers = prefix.map_or(Covers::Path, Covers::Prefix);
        }
        Ok(link)
    }

    /// Those that are taken out; what is meant for the upstream stays.
    fn parameters(&self) -> Vec<&str> {
        TOKEN.to_vec()
    }

    fn reads_method(&self) -> bool {
        true
    }

    #[cfg(feature = "tools")]
    fn remarks(&self) -> Vec<FieldRemark> {
        Vec::new()
    }

    #[cfg(feature = "tools")]
    fn sign(
        &self,
        order: &crate::signed_url::sign::Order<'_>,
    ) -> Result<crate::signed_url::sign::Signed, crate::signed_url::sign::SignError> {
        sign::signed(self, order)
    }

    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
        explain::lines(self, request, facts)
    }
}

impl AzureSas {
    /// The canonicalized resource.
    fn resource(&self, resource: Resource, container: &str, path: &str) -> String {
        let account = &self.account;
        match resource {
            Resource::Blob => format!("/blob/{account}{path}"),
            Resource::Container => format!("/blob/{account}/{container}"),
        }
    }

    /// Valid from `st` on, and while `now < se`: "the time at which it becomes invalid".
    fn check_times(
        &self,
        starts: Option<UnixMillis>,
        ends: UnixMillis,
        now: UnixMillis,
    ) -> Result<(), Reason> {
        if starts.is_some_and(|it| it > now.plus(self.skew)) {
            return Err(Reason::NotYetValid);
        }
        if now >= ends {
            return Err(Reason::Expired);
        }
        if ends > now.plus(self.max_lifetime).plus(self.skew) {
            return Err(Reason::LifetimeTooLong);
        }
        Ok(())
    }
}

impl<'a> Token<'a> {
    fn find(request: &Request<'a>) -> Result<Self, Reason> {
        let mut strips = Strips::new();
        for name in TOKEN {
            let found = match name {
                "sig" => find_token(&request.target, name)?,
                name => find_parameter(&request.target, name)?,
            };
            if found.is_some() {
                strips.push(Strip::Parameter(name));
            }
        }
        if find_token(&request.target, "sig")?.is_none() {
            return Err(Reason::MissingCredential);
        }
        // What is not signed could be anything, also the name of another operation.
        let query = request.target.query.unwrap_or_default();
        let mut names = query
            .split('&')
            .map(|it| it.split('=').next().unwrap_or(it));
        if !names.all(|it| TOKEN.contains(&it) || FORWARDED.contains(&it)) {
            return Err(Reason::MalformedCredential);
        }
        let value = |name: &str| match find_parameter(&request.target, name)? {
            Some(found) => text(found.value).map(Some),
            None => Ok(None),
        };
        let optional = |name: &str| value(name).map(Option::unwrap_or_default);
        let needed = |name: &str| {
            let value = value(name)?.filter(|it| !it.is_empty());
            value.ok_or(Reason::MalformedCredential)
        };
        let mut forwarded = [const { String::new() }; 6];
        for (slot, name) in forwarded.iter_mut().zip(FORWARDED) {
            *slot = optional(name)?;
        }
        let resource = match needed("sr")?.as_str() {
            "b" => Resource::Blob,
            "c" => Resource::Container,
            _ => return Err(Reason::MalformedCredential),
        };
        let sig = find_token(&request.target, "sig")?.map(|it| it.value);
        let token = Self {
            permissions: needed("sp")?,
            start: optional("st")?,
            expiry: needed("se")?,
            range: optional("sip")?,
            protocol: optional("spr")?,
            version: needed("sv")?,
            resource,
            forwarded,
            mac: value::parse_mac(sig.unwrap_or_default())?,
            strips,
        };
        if token.is_formed() {
            Ok(token)
        } else {
            Err(Reason::MalformedCredential)
        }
    }

    fn is_formed(&self) -> bool {
        let version = self.version.as_bytes();
        let is_dash = |at: usize| at == 4 || at == 7;
        let is_version = version.len() == 10
            && version.iter().enumerate().all(|(at, byte)| match byte {
                b'-' => is_dash(at),
                byte => byte.is_ascii_digit() && !is_dash(at),
            });
        let [oldest, scoped] = VERSIONS;
        let [scope, ..] = &self.forwarded;
        let letters = &self.permissions;
        let are_permissions = letters.chars().all(|it| {
            PERMISSIONS.contains(it) && letters.chars().filter(|other| *other == it).count() == 1
        });
        is_version
            && self.version.as_str() >= oldest
            && (scope.is_empty() || self.version.as_str() >= scoped)
            && are_permissions
            && ["", "https", "https,http"].contains(&self.protocol.as_str())
    }

    /// "String-to-sign" of the version of the token. There is no stored access policy in
    /// it, and no snapshot.
    fn string_to_sign(&self, resource: &str) -> String {
        let letter = match self.resource {
            Resource::Blob => "b",
            Resource::Container => "c",
        };
        let [_, scoped] = VERSIONS;
        let [scope, answer @ ..] = &self.forwarded;
        let fields = [
            &self.permissions,
            &self.start,
            &self.expiry,
            resource,
            "",
            &self.range,
            &self.protocol,
            &self.version,
            letter,
            "",
        ];
        let scope = (self.version.as_str() >= scoped).then_some(scope.as_str());
        let all = fields.into_iter().chain(scope);
        let all = all.chain(answer.iter().map(String::as_str));
        all.collect::<Vec<_>>().join("\n")
    }

    /// Whether the request came over a protocol of `spr`.
    fn fits_scheme(&self, request: &Request<'_>) -> bool {
        let mut schemes = request.values(":scheme");
        self.protocol != "https"
            || (schemes.next() == Some(b"https".as_slice()) && schemes.next().is_none())
    }
}

fn signs(key: &Hmac<Sha256>, text: &str, mac: &[u8; 32]) -> bool {
    let mut expected = key.clone();
    expected.update(text.as_bytes());
    expected.verify_slice(mac).is_ok()
}

fn is_from(client: Option<IpAddr>, range: (IpAddr, IpAddr)) -> Result<(), Reason> {
    match client {
        Some(client) if in_range(client, range) => Ok(()),
        _ => Err(Reason::AddressNotAllowed),
    }
}

/// The container and the path, both decoded: the name of a blob is signed as it is called.
///
/// # Errors
/// [`Reason::WrongSignature`] for a path that is none of a blob in a container, and for a
/// container in more than one segment.
fn split(path: &str) -> Result<(String, String), Reason> {
    let wrong = Reason::WrongSignature;
    let decoded = decode(path).map_err(|_| wrong)?;
    let decoded = String::from_utf8(decoded.into_owned()).map_err(|_| wrong)?;
    let raw = path.get(1..).and_then(|it| it.split_once('/'));
    let (raw, _) = raw.filter(|(_, blob)| !blob.is_empty()).ok_or(wrong)?;
    let container = decode(raw).map_err(|_| wrong)?;
    let container = String::from_utf8(container.into_owned()).map_err(|_| wrong)?;
    if container.is_empty() || container.contains('/') {
        return Err(wrong);
    }
    Ok((container, decoded))
}
