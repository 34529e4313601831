//! The carriers of a token: the places that formats share.

use crate::http::cookie::cookie_values;
use crate::http::edit::Strip;
use crate::http::parameter::find_token;
use crate::http::request::Request;
use crate::reason::Reason;

/// Longest token that is looked at; a longer one is malformed.
pub(crate) const MAX_TOKEN: usize = 8 * 1024;

/// A place in which a token may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A query parameter, at any position.
    Query(String),
    /// A header with nothing but the token; its name in lower case.
    Header(String),
    /// A cookie of this name.
    Cookie(String),
    /// A path segment, `/NAME=TOKEN/`.
    Path(String),
    /// A parameter of a path segment, `/a;NAME=TOKEN`.
    PathParameter(String),
}

/// A token as found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carried<'a> {
    /// Its text as sent; in a query it is still percent-encoded.
    pub text: &'a str,
    /// Where it stood.
    pub carrier: &'a Carrier,
}

impl<'a> Carried<'a> {
    /// What takes it out of the request. A path segment is out already.
    #[inline]
    pub(crate) fn strip(&self) -> Option<Strip<'a>> {
        match self.carrier {
            Carrier::Query(name) => Some(Strip::Parameter(name)),
            Carrier::Header(name) => Some(Strip::Header(name)),
            Carrier::Cookie(name) => Some(Strip::Cookie(name)),
            Carrier::Path(_) | Carrier::PathParameter(_) => None,
        }
    }
}

/// Finds the one token in the carriers.
///
/// # Errors
/// [`Reason::MissingCredential`] when there is none; [`Reason::DuplicateCredential`] for a
/// second one anywhere, also an equal one; [`Reason::MalformedCredential`] for one that is
/// no text or longer than [`MAX_TOKEN`].
pub(crate) fn find<'a>(
    carriers: &'a [Carrier],
    request: &Request<'a>,
) -> Result<Carried<'a>, Reason> {
    let mut found = None;
    for carrier in carriers {
        if let Some(text) = carrier.text(request)?
            && found.replace(Carried { text, carrier }).is_some()
        {
            return Err(Reason::DuplicateCredential);
        }
    }
    let found = found.ok_or(Reason::MissingCredential)?;
    if found.text.len() > MAX_TOKEN {
        return Err(Reason::MalformedCredential);
    }
    Ok(found)
}

/// The parameters among the carriers.
pub(crate) fn parameters(carriers: &[Carrier]) -> Vec<&str> {
    let names = carriers.iter().filter_map(|carrier| match carrier {
        Carrier::Query(name) => Some(name.as_str()),
        Carrier::Header(_) | Carrier::Cookie(_) | Carrier::Path(_) | Carrier::PathParameter(_) => {
            None
        }
    });
    names.collect()
}

/// These carriers and the parameters of the query that go with them.
pub(crate) fn all(parameters: Vec<&str>, carriers: &[Carrier]) -> Vec<Carrier> {
    let names = parameters.into_iter();
    let mut all: Vec<Carrier> = names.map(|it| Carrier::Query(it.to_owned())).collect();
    let others = carriers.iter();
    all.extend(
        others
            .filter(|it| matches!(it, Carrier::Header(_) | Carrier::Cookie(_)))
            .cloned(),
    );
    all
}

/// The name of the path segment among the carriers.
pub(crate) fn path_token(carriers: &[Carrier]) -> Option<&str> {
    let mut all = carriers.iter();
    all.find(|it| matches!(it, Carrier::Path(_)))
        .map(Carrier::name)
}

/// The name of the parameter of a path segment among the carriers.
pub(crate) fn path_parameter(carriers: &[Carrier]) -> Option<&str> {
    let mut all = carriers.iter();
    all.find(|it| matches!(it, Carrier::PathParameter(_)))
        .map(Carrier::name)
}

impl Carrier {
    /// What it is called.
    pub fn name(&self) -> &str {
        match self {
            Self::Query(name)
            | Self::Header(name)
            | Self::Cookie(name)
            | Self::Path(name)
            | Self::PathParameter(name) => name,
        }
    }

    fn text<'a>(&self, request: &Request<'a>) -> Result<Option<&'a str>, Reason> {
        match self {
            Self::Query(name) => {
                let found = find_token(&request.target, name)?;
                Ok(found.map(|it| it.value))
            }
            Self::Header(name) => only_token(request.values(name)),
            Self::Cookie(name) => only_token(cookie_values(request, name)),
            Self::Path(name) | Self::PathParameter(name) => {
                let is_parameter = matches!(self, Self::PathParameter(_));
                let token = request
                    .path_token
                    .filter(|it| it.name == name.as_str() && it.is_parameter == is_parameter);
                Ok(token.map(|it| it.value).filter(|it| !it.is_empty()))
            }
        }
    }
}

/// The one token among the values: an empty value is none.
///
/// # Errors
/// As [`only`].
#[inline]
pub(crate) fn only_token<'a>(
    values: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<&'a str>, Reason> {
    only(values.filter(|it| !it.is_empty()))
}

/// The one value, if there is one.
///
/// # Errors
/// [`Reason::DuplicateCredential`] for a second, [`Reason::MalformedCredential`] for bytes
/// that are no text.
#[inline]
pub(crate) fn only<'a>(
    mut values: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<&'a str>, Reason> {
    let first = values.next();
    if values.next().is_some() {
        return Err(Reason::DuplicateCredential);
    }
    first
        .map(|value| std::str::from_utf8(value).map_err(|_| Reason::MalformedCredential))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::{Carrier, find};
    use crate::http::request::{Header, Request};
    use crate::reason::Reason;

    fn headers(path: &str, token: Option<&str>) -> Vec<Header> {
        [
            (":method", "GET"),
            (":authority", "host.example"),
            (":path", path),
        ]
        .into_iter()
        .chain(token.map(|token| ("t", token)))
        .map(|(name, value)| {
            (
                name.as_bytes().to_vec().into(),
                value.as_bytes().to_vec().into(),
            )
        })
        .collect()
    }

    #[test]
    fn a_token_of_8_kib_is_looked_at_and_a_longer_one_nowhere() {
        let carriers = [Carrier::Query("t".into()), Carrier::Header("t".into())];
        for (length, is_read) in [(8192, true), (8193, false)] {
            let token = "t".repeat(length);
            for sent in [
                headers(&format!("/a?t={token}"), None),
                headers("/a", Some(&token)),
            ] {
                let request = Request::read(&sent).unwrap();
                match find(&carriers, &request) {
                    Ok(found) => assert!(is_read && found.text == token, "{length}"),
                    Err(reason) => assert!(!is_read && reason == Reason::MalformedCredential),
                }
            }
        }
    }
}
