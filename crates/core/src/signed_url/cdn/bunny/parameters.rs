//! The parameters of a link, in the query or in a path segment.

use std::borrow::Cow;

use super::{OWN, SEGMENT};
use crate::http::parameter::decode_token;
use crate::reason::Reason;
use crate::signed_url::carrier::MAX_TOKEN;

/// All parameters, decoded, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameters<'a> {
    all: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    ignores_others: bool,
}

impl<'a> Parameters<'a> {
    /// Reads those of a segment, without its name, and of a query, together.
    ///
    /// # Errors
    /// [`Reason::DuplicateCredential`] for a second token or a second of Bunny's own
    /// parameters; [`Reason::MalformedCredential`] for any other that is given more than once, and for
    /// what cannot be read or would make the text that is signed mean two things.
    pub(super) fn read(segment: Option<&'a str>, query: Option<&'a str>) -> Result<Self, Reason> {
        let mut all: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        let mut parts = segment.into_iter().flat_map(|it| it.split('&'));
        if let Some(token) = parts.next() {
            all.push((Cow::Borrowed("token"), text(token)?));
        }
        let from_query = query.into_iter().flat_map(|it| it.split('&'));
        for part in parts.chain(from_query) {
            if part.is_empty() {
                continue;
            }
            let (spelled, value) = part.split_once('=').unwrap_or((part, ""));
            let name = text(spelled)?;
            // Without a value it is no token.
            if name == "token" && value.is_empty() {
                continue;
            }
            let is_own = OWN.contains(&name.as_ref()) || name == SEGMENT;
            if is_own && name != spelled {
                return Err(Reason::MalformedCredential);
            }
            if is_own && all.iter().any(|(it, _)| *it == name) {
                return Err(Reason::DuplicateCredential);
            }
            all.push((name, text(value)?));
        }
        if all.iter().any(|(name, _)| name == SEGMENT) {
            return Err(Reason::MalformedCredential);
        }
        if segment.unwrap_or_default().len() > MAX_TOKEN {
            return Err(Reason::MalformedCredential);
        }
        all.sort_unstable();
        let ignores_others = match value(&all, "token_ignore_params") {
            Some("true") => true,
            None => false,
            Some(_) => return Err(Reason::MalformedCredential),
        };
        let parameters = Self {
            all,
            ignores_others,
        };
        let signed: Vec<_> = parameters.signed_pairs().collect();
        let twice = signed
            .iter()
            .zip(signed.iter().skip(1))
            .any(|(one, next)| one.0 == next.0);
        if twice || signed.iter().any(|(name, value)| may_shift(name, value)) {
            return Err(Reason::MalformedCredential);
        }
        Ok(parameters)
    }

    /// The value of a parameter.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        value(&self.all, name)
    }

    /// What is signed of them: `k=v&k=v`, sorted, decoded.
    pub(super) fn signed(&self) -> String {
        let pairs = self.signed_pairs();
        let pairs = pairs.map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// All but token and end; with `token_ignore_params` only Bunny's own.
    fn signed_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.all.iter().map(|(name, it)| (&**name, &**it));
        pairs.filter(|(name, _)| {
            let is_outside = ["token", "expires"].contains(name);
            !is_outside && (!self.ignores_others || OWN.contains(name))
        })
    }
}

fn value<'a>(all: &'a [(Cow<'_, str>, Cow<'_, str>)], name: &str) -> Option<&'a str> {
    let mut all = all.iter();
    all.find(|(it, _)| it == name).map(|(_, value)| &**value)
}

/// The path and the expiry precede the parameters without a delimiter. A path with ten digits
/// in it could be cut there, and its rest and the real end pass for the first parameter: such
/// a name, or value, holds the ten digits of the real end.
fn may_shift(name: &str, value: &str) -> bool {
    let end_of_ten = |text: &str| {
        let digits = |it: &[u8]| it.iter().all(u8::is_ascii_digit);
        let at = text.as_bytes().windows(10).position(digits)?;
        at.checked_add(10)
    };
    let behind = end_of_ten(value).and_then(|end| value.get(end..));
    end_of_ten(name).is_some() || name.contains('/') || behind.is_some_and(|it| it.contains('='))
}

fn text(part: &str) -> Result<Cow<'_, str>, Reason> {
    match decode_token(part)? {
        Cow::Borrowed(_) => Ok(Cow::Borrowed(part)),
        Cow::Owned(bytes) => String::from_utf8(bytes)
            .map(Cow::Owned)
            .map_err(|_| Reason::MalformedCredential),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(segment: Option<&str>, query: &str) -> Result<String, Reason> {
        Parameters::read(segment, Some(query)).map(|it| it.signed())
    }

    #[test]
    fn parameters_are_signed_decoded_and_sorted() {
        for (segment, query, expected) in [
            (None, "token=T&b=2&a=1&expires=9", "a=1&b=2"),
            (
                None,
                "token=T&token_path=%2Fabc&limit=5",
                "limit=5&token_path=/abc",
            ),
            (None, "token=T&a=%C3%BC+x&b", "a=\u{fc}+x&b="),
            (
                None,
                "a=1&token_ignore_params=true&limit=5",
                "token_ignore_params=true",
            ),
            (
                Some("T&token_countries=CA%2CUS&expires=9"),
                "v=1",
                "token_countries=CA,US&v=1",
            ),
        ] {
            assert_eq!(signed(segment, query).as_deref(), Ok(expected), "{query}");
        }
    }

    #[test]
    fn duplicate_or_ambiguous_parameters_are_rejected() {
        for (segment, query, reason) in [
            (None, "token=T&token=T", Reason::DuplicateCredential),
            (
                Some("T&expires=1"),
                "expires=1",
                Reason::DuplicateCredential,
            ),
            (Some("T"), "token=T", Reason::DuplicateCredential),
            (None, "a=1&a=2", Reason::MalformedCredential),
            (None, "a=1&%61=2", Reason::MalformedCredential),
            (None, "%74oken=T", Reason::MalformedCredential),
            (None, "bcdn_token=T", Reason::MalformedCredential),
            (None, "a=%zz", Reason::MalformedCredential),
            (None, "a=%ff", Reason::MalformedCredential),
            (None, "token_ignore_params=1", Reason::MalformedCredential),
            (None, "x1598024587v=1", Reason::MalformedCredential),
            (None, "a=/x1598024587v%3D1", Reason::MalformedCredential),
            (None, "/x=1", Reason::MalformedCredential),
        ] {
            assert_eq!(signed(segment, query), Err(reason), "{query}");
        }
        assert!(signed(None, "a=1&a=2&token_ignore_params=true").is_ok());
        assert!(signed(None, "ts=1700000000").is_ok());
    }

    proptest::proptest! {
        #[test]
        fn untrusted_text_never_panics(segment: Option<String>, query: String) {
            let _ = signed(segment.as_deref(), &query);
        }
    }
}
