//! The query parameter that holds a token.

use std::borrow::Cow;

use crate::http::path::{Target, decode};
use crate::reason::Reason;
use crate::text::cut::{cut, parts};

/// A query parameter that holds a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenParameter<'a> {
    /// The target up to the `?` or `&` in front of the parameter: what is left without it
    /// when nothing follows.
    pub before: &'a str,
    /// The target up to and with `name=`.
    pub through_name: &'a str,
    /// The value, still percent-encoded.
    pub value: &'a str,
    /// Whether other parameters follow.
    pub is_last: bool,
}

/// Finds the one query parameter of this name.
///
/// # Errors
/// [`Reason::DuplicateCredential`] when it is given more than once, in whatever spelling;
/// [`Reason::MalformedCredential`] when its name is percent-encoded or has no `=`:
/// programs behind us could read it otherwise than we do.
#[inline]
pub fn find_parameter<'a>(
    target: &Target<'a>,
    name: &str,
) -> Result<Option<TokenParameter<'a>>, Reason> {
    find(target, name, false)
}

/// Finds the one query parameter of this name that holds a credential: an empty one is none.
///
/// # Errors
/// As [`find_parameter`], of parameters that are not empty.
#[inline]
pub(crate) fn find_token<'a>(
    target: &Target<'a>,
    name: &str,
) -> Result<Option<TokenParameter<'a>>, Reason> {
    find(target, name, true)
}

fn find<'a>(
    target: &Target<'a>,
    name: &str,
    skips_empty: bool,
) -> Result<Option<TokenParameter<'a>>, Reason> {
    let Some(query) = target.query else {
        return Ok(None);
    };
    let mut found = None;
    let mut at = target.path.len();
    for parameter in parts(query, b'&') {
        let end = at.saturating_add(1).saturating_add(parameter.len());
        let (spelled, value) = match cut(parameter, b'=') {
            Some((spelled, value)) => (spelled, Some(value)),
            None => (parameter, None),
        };
        let is_ours = !(skips_empty && value.is_none_or(str::is_empty))
            && decode(spelled).is_ok_and(|decoded| decoded == name.as_bytes());
        if is_ours && found.replace((at, spelled, value, end)).is_some() {
            return Err(Reason::DuplicateCredential);
        }
        at = end;
    }
    let Some((at, spelled, value, end)) = found else {
        return Ok(None);
    };
    let value = value.filter(|_| spelled == name);
    let parts = value.and_then(|value| {
        Some(TokenParameter {
            before: target.whole.get(..at)?,
            through_name: target.whole.get(..end.checked_sub(value.len())?)?,
            value,
            is_last: end == target.whole.len(),
        })
    });
    parts.map(Some).ok_or(Reason::MalformedCredential)
}

/// Percent-decodes the text of a token; `+` stays `+`.
///
/// # Errors
/// [`Reason::MalformedCredential`] for a broken triplet.
#[inline]
pub(crate) fn decode_token(text: &str) -> Result<Cow<'_, [u8]>, Reason> {
    decode(text).map_err(|_| Reason::MalformedCredential)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_parameter_is_no_token_and_hides_none() {
        for (target, expected) in [
            ("/a?verify=", None),
            ("/a?verify", None),
            ("/a?verify=&verify=T", Some("T")),
            ("/a?verify=T&verify", Some("T")),
        ] {
            let target = Target::parse(target.as_bytes()).unwrap();
            let found = find_token(&target, "verify").unwrap();
            assert_eq!(found.map(|it| it.value), expected, "{target:?}");
        }
    }

    fn find(target: &str) -> Result<Option<(String, String, bool)>, Reason> {
        let target = Target::parse(target.as_bytes()).unwrap();
        let found = find_parameter(&target, "verify")?;
        Ok(found.map(|it| (it.before.to_owned(), it.value.to_owned(), it.is_last)))
    }

    #[test]
    fn the_parameter_is_found_by_its_whole_name() {
        for (target, before, value, is_last) in [
            ("/a?verify=T", "/a", "T", true),
            ("/a?b=1&verify=T", "/a?b=1", "T", true),
            ("/a?verify=T&b=1", "/a", "T", false),
            ("/a?verify=", "/a", "", true),
            ("/a?verify=T&", "/a", "T", false),
            ("/a?&verify=a=b", "/a?", "a=b", true),
        ] {
            let expected = Some((before.to_owned(), value.to_owned(), is_last));
            assert_eq!(find(target), Ok(expected), "{target}");
        }
        for none in [
            "/a",
            "/a?",
            "/a?xverify=T",
            "/a?Verify=T",
            "/a?verify[]=T",
            "/verify=T",
        ] {
            assert_eq!(find(none), Ok(None), "{none}");
        }
    }

    #[test]
    fn a_second_or_disguised_parameter_is_rejected() {
        for target in [
            "/a?verify=T&verify=T",
            "/a?verify=T&%76erify=U",
            "/a?verify&verify=T",
        ] {
            assert_eq!(find(target), Err(Reason::DuplicateCredential), "{target}");
        }
        for target in ["/a?%76erify=T", "/a?verify"] {
            assert_eq!(find(target), Err(Reason::MalformedCredential), "{target}");
        }
    }
}
