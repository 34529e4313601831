//! What `secure_link_md5` signs: text and variables in a row.
//!
//! A template in which one variable runs into the next signs two different requests alike.
//! Such a template is rejected, but for the one of nginx's own example, `$uri$remote_addr`:
//! there the requests are rejected that could be two.

use std::net::IpAddr;

use crate::http::client::Client;
use crate::http::cookie::cookie_values;
use crate::http::parameter::find_parameter;
use crate::http::path::decode;
use crate::http::request::Request;
use crate::reason::Reason;
use crate::signed_url::carrier::only;

/// Longest text of an address, in characters.
const MAX_ADDRESS: usize = 45;

/// A template, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(super) parts: Vec<Part>,
    /// `$uri` runs into `$remote_addr`.
    is_shiftable: bool,
}

/// A piece of a template, in nginx's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Text.
    Literal(String),
    /// `$secure_link_expires`: ten digits.
    Expires,
    /// `$uri`: the path, decoded.
    Uri,
    /// `$remote_addr`: the client's address.
    RemoteAddr,
    /// `$host`: the host in lower case, without a port.
    Host,
    /// `$arg_NAME`: a parameter as sent, or nothing.
    Arg(String),
    /// `$http_NAME`: a header, or nothing.
    Http(String),
    /// `$cookie_NAME`: a cookie, or nothing.
    Cookie(String),
    /// `$secret`: the secret of the ring. In nginx the secret itself is in the template.
    Secret,
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// Nothing that Keygate knows.
    #[error(
        "has an unknown variable: ${0} (known are $secure_link_expires, $uri, $remote_addr, \
         $host, $arg_NAME, $http_NAME, $cookie_NAME and $secret)"
    )]
    Unknown(String),
    /// The secret is missing, or the path is.
    #[error("must contain ${0}")]
    Missing(&'static str),
    /// Two requests would be signed alike.
    #[error(
        "signs different requests alike: put a delimiter between ${0} and ${1} that neither can \
         contain, such as a space"
    )]
    RunsInto(String, String),
}

impl Template {
    /// Reads a template such as `$secure_link_expires$uri $remote_addr $secret`.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut pieces = text.split('$');
        let literal = |text: &str| Part::Literal(text.to_owned());
        parts.push(literal(pieces.next().unwrap_or_default()));
        for piece in pieces {
            let braced = piece.strip_prefix('{').and_then(|it| it.split_once('}'));
            let fits = |it: char| it.is_ascii_alphanumeric() || it == '_';
            let plain = piece.split_at(piece.find(|it| !fits(it)).unwrap_or(piece.len()));
            let (name, rest) = braced.unwrap_or(plain);
            parts.push(Part::parse(name).ok_or_else(|| TemplateError::Unknown(name.to_owned()))?);
            parts.push(literal(rest));
        }
        parts.retain(|it| !matches!(it, Part::Literal(text) if text.is_empty()));
        for (needed, name) in [(Part::Secret, "secret"), (Part::Uri, "uri")] {
            if !parts.contains(&needed) {
                return Err(TemplateError::Missing(name));
            }
        }
        let mut is_shiftable = false;
        // An attacker cannot put the secret into a path, so nothing runs over it.
        for group in parts.split(|it| *it == Part::Secret) {
            is_shiftable |= runs_together(group)?;
        }
        Ok(Self {
            parts,
            is_shiftable,
        })
    }

    /// Whether it signs when a link ends.
    pub(crate) fn has_expires(&self) -> bool {
        self.parts.contains(&Part::Expires)
    }

    /// Whether it signs a parameter of the query.
    pub(crate) fn signs_parameter(&self, name: &str) -> bool {
        let is_it = |part: &Part| matches!(part, Part::Arg(it) if it == name);
        self.parts.iter().any(is_it)
    }

    /// What is signed; `None` represents the secret.
    ///
    /// # Errors
    /// [`Reason::AddressNotAllowed`] when the address is signed and not known;
    /// [`Reason::AmbiguousPath`] when a part of the path could be one of the address;
    /// [`Reason::DuplicateCredential`] for a parameter, header or cookie that is given more than once.
    pub(super) fn text(
        &self,
        request: &Request<'_>,
        client: Client<'_>,
        digits: &str,
    ) -> Result<super::Text, Reason> {
        let uri = decode(request.target.path).map_err(|_| Reason::AmbiguousPath)?;
        let is_bound = self.parts.contains(&Part::RemoteAddr);
        let address = is_bound.then(|| client.address()).flatten();
        let address = address.map(|it| it.to_canonical().to_string());
        if self.is_shiftable && address.as_ref().is_some_and(|it| can_shift(&uri, it)) {
            return Err(Reason::AmbiguousPath);
        }
        let value = |part: &Part| {
            Ok(Some(match part {
                Part::Secret => return Ok(None),
                Part::Literal(text) => text.as_bytes().to_vec(),
                Part::Expires => digits.as_bytes().to_vec(),
                Part::Uri => uri.to_vec(),
                Part::RemoteAddr => {
                    let address = address.as_ref().ok_or(Reason::AddressNotAllowed)?;
                    address.as_bytes().to_vec()
                }
                Part::Host => request.authority.host().to_ascii_lowercase().into_bytes(),
                Part::Arg(name) => {
                    let found = find_parameter(&request.target, name)?;
                    found.map(|it| it.value).unwrap_or_default().into()
                }
                Part::Http(name) => only(request.values(name))?.unwrap_or_default().into(),
                Part::Cookie(name) => {
                    let value = only(cookie_values(request, name))?;
                    value.unwrap_or_default().into()
                }
            }))
        };
        self.parts.iter().map(value).collect()
    }
}

impl Part {
    fn parse(name: &str) -> Option<Self> {
        let after = |prefix| name.strip_prefix(prefix).filter(|it: &&str| !it.is_empty());
        Some(match name {
            "secure_link_expires" => Self::Expires,
            "uri" => Self::Uri,
            "remote_addr" => Self::RemoteAddr,
            "host" => Self::Host,
            "secret" => Self::Secret,
            _ => {
                let arg = after("arg_").map(|it| Self::Arg(it.to_owned()));
                let header = |it: &str| it.to_ascii_lowercase().replace('_', "-");
                let http = || after("http_").map(|it| Self::Http(header(it)));
                let cookie = || after("cookie_").map(|it| Self::Cookie(it.to_owned()));
                arg.or_else(http).or_else(cookie)?
            }
        })
    }

    fn name(&self) -> String {
        match self {
            Self::Literal(text) => text.clone(),
            Self::Expires => "secure_link_expires".to_owned(),
            Self::Uri => "uri".to_owned(),
            Self::RemoteAddr => "remote_addr".to_owned(),
            Self::Host => "host".to_owned(),
            Self::Arg(name) => format!("arg_{name}"),
            Self::Http(name) => format!("http_{}", name.replace('-', "_")),
            Self::Cookie(name) => format!("cookie_{name}"),
            Self::Secret => "secret".to_owned(),
        }
    }

    /// Whether its length is not known beforehand.
    fn is_open(&self) -> bool {
        !matches!(self, Self::Literal(_) | Self::Expires | Self::Secret)
    }

    fn may_hold(&self, byte: u8) -> bool {
        match self {
            Self::RemoteAddr => byte.is_ascii_hexdigit() || b".:".contains(&byte),
            Self::Host => byte.is_ascii_alphanumeric() || b"-_.[]:".contains(&byte),
            Self::Arg(_) => byte.is_ascii_graphic() && !b"&#".contains(&byte),
            Self::Uri => !byte.is_ascii_control() && byte != b'\\',
            Self::Cookie(_) => byte != b';',
            Self::Literal(_) | Self::Expires | Self::Http(_) | Self::Secret => true,
        }
    }
}

/// Whether a row of parts runs together only where `$uri` meets `$remote_addr`.
///
/// A part is separable if the text after or before it contains a character that the part
/// cannot contain. Parts are removed from the left and from the right until one is left.
fn runs_together(row: &[Part]) -> Result<bool, TemplateError> {
    let mut is_shiftable = false;
    let mut open: Vec<(&Part, Vec<u8>, bool)> = Vec::new();
    for part in row {
        match (part, open.last_mut()) {
            (part, _) if part.is_open() => open.push((part, Vec::new(), true)),
            (Part::Literal(text), Some((_, behind, is_next))) => {
                behind.extend(text.as_bytes());
                *is_next = false;
            }
            (_, Some((_, _, is_next))) => *is_next = false,
            (_, None) => {}
        }
    }
    let mut row = open.as_slice();
    while let [(first, behind, _), (second, ..), ..] = row {
        let [.., (before, between, is_next), (last, ..)] = row else {
            break;
        };
        let begins = (**second == Part::Uri).then_some(b'/');
        let is_told = |part: &Part, text: &[u8]| text.iter().any(|it| !part.may_hold(*it));
        if is_told(first, behind) || begins.is_some_and(|it| !first.may_hold(it)) {
            row = row.get(1..).unwrap_or_default();
            continue;
        }
        let is_example = *is_next && **before == Part::Uri && **last == Part::RemoteAddr;
        if !is_told(last, between) && !is_example {
            return Err(TemplateError::RunsInto(before.name(), last.name()));
        }
        is_shiftable |= !is_told(last, between);
        row = row.split_last().map(|(_, rest)| rest).unwrap_or_default();
    }
    Ok(is_shiftable)
}

/// Whether the end of a path and an address make up another address: then the same text
/// was signed for a shorter path and that one.
fn can_shift(uri: &[u8], address: &str) -> bool {
    let fits = |it: &&u8| it.is_ascii_hexdigit() || b".:".contains(it);
    let most = uri.iter().rev().take(MAX_ADDRESS).take_while(fits).count();
    (1..=most).any(|length| {
        let tail = uri.get(uri.len().saturating_sub(length)..);
        let tail = std::str::from_utf8(tail.unwrap_or_default()).unwrap_or_default();
        let longer = format!("{tail}{address}");
        let parsed = longer.parse::<IpAddr>();
        parsed.is_ok_and(|it| it.to_string() == longer)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_without_delimiters_is_rejected_where_one_variable_runs_into_another() {
        for (template, expected) in [
            ("$secure_link_expires$uri$remote_addr $secret", Ok(true)),
            ("$secure_link_expires$uri $remote_addr $secret", Ok(false)),
            (
                "$secure_link_expires${uri}${remote_addr}${secret}",
                Ok(true),
            ),
            ("$secure_link_expires$uri $secret", Ok(false)),
            ("$uri$secure_link_expires$secret", Ok(false)),
            ("$uri$secret$secure_link_expires", Ok(false)),
            ("$secret$uri$secure_link_expires", Ok(false)),
            ("$remote_addr$uri$secret", Ok(false)),
            ("$host$uri$secret", Ok(false)),
            ("$uri$secret$remote_addr$secret$arg_u", Ok(false)),
            ("$uri|$arg_u $secret", Err(("uri", "arg_u"))),
            ("$uri $arg_u $secret", Ok(false)),
            ("$uri $arg_u $remote_addr $secret", Ok(false)),
            ("$uri $http_x $secret", Err(("uri", "http_x"))),
            ("$http_x $uri$secret", Err(("http_x", "uri"))),
            ("$uri$arg_u$secret", Err(("uri", "arg_u"))),
            ("$arg_u$uri$secret", Err(("arg_u", "uri"))),
            ("$uri$host$secret", Err(("uri", "host"))),
            (
                "$uri$secure_link_expires$remote_addr$secret",
                Err(("uri", "remote_addr")),
            ),
            ("$arg_a$arg_b$uri$secret", Err(("arg_b", "uri"))),
        ] {
            let parsed = Template::parse(template).map(|it| it.is_shiftable);
            let expected = expected.map_err(|(one, other): (&str, &str)| {
                TemplateError::RunsInto(one.to_owned(), other.to_owned())
            });
            assert_eq!(parsed, expected, "{template}");
        }
    }

    #[test]
    fn a_template_needs_the_secret_and_the_path_and_has_no_unknown_variable() {
        for (template, expected) in [
            ("$uri", TemplateError::Missing("secret")),
            (
                "$secure_link_expires $secret",
                TemplateError::Missing("uri"),
            ),
            (
                "$uri$request_uri$secret",
                TemplateError::Unknown("request_uri".into()),
            ),
            ("$uri$ $secret", TemplateError::Unknown(String::new())),
            ("$uri$arg_ $secret", TemplateError::Unknown("arg_".into())),
        ] {
            assert_eq!(Template::parse(template), Err(expected), "{template}");
        }
    }

    #[test]
    fn a_path_that_could_contain_part_of_the_address_is_reported() {
        for (uri, address, expected) in [
            ("/s/link", "127.0.0.1", false),
            ("/s/link1", "27.0.0.1", true),
            ("/s/link12", "7.0.0.1", true),
            ("/s/link1", "127.0.0.1", false),
            ("/video.mp4", "192.0.2.1", false),
            ("/video.mp4", "1.0.2.1", true),
            ("/a.pdf", "::1", true),
            ("/a.jpg", "::1", false),
            ("/1.2.3.", "4.5.6.7", false),
            ("/1234:5678", "::1", true),
        ] {
            assert_eq!(
                can_shift(uri.as_bytes(), address),
                expected,
                "{uri} {address}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn untrusted_text_never_panics(text: String, uri: Vec<u8>) {
            let _ = Template::parse(&text);
            let _ = can_shift(&uri, &text);
        }
    }
}
