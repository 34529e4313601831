//! A signature in the first path segment, or the first behind a fixed prefix.

use crate::http::path::Target;
use crate::reason::Reason;
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError};

/// The segment, and the text around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FirstSegment<'a> {
    /// The path up to it; ends with `/`.
    pub before: &'a str,
    /// The segment, still percent-encoded.
    pub segment: &'a str,
    /// The path behind it; begins with `/`.
    pub rest: &'a str,
    /// The target behind it, query included.
    pub tail: &'a str,
}

/// Splits a target behind `prefix`, which ends with `/`.
///
/// # Errors
/// [`Reason::MissingCredential`] for a path that is not below the prefix, or has nothing
/// behind the segment.
pub(crate) fn find<'a>(target: &Target<'a>, prefix: &str) -> Result<FirstSegment<'a>, Reason> {
    let split = || {
        let below = target.path.strip_prefix(prefix)?;
        let (segment, _) = below.split_once('/')?;
        let end = prefix.len().checked_add(segment.len())?;
        Some(FirstSegment {
            before: target.whole.get(..prefix.len())?,
            segment,
            rest: target.path.get(end..)?,
            tail: target.whole.get(end..)?,
        })
    };
    split().ok_or(Reason::MissingCredential)
}

/// What a signer signs: the path behind `prefix`, without a slash at its start.
///
/// # Errors
/// For a path that is not below the prefix, and for a query: these formats sign none.
#[cfg(feature = "tools")]
pub(crate) fn unsigned<'o>(order: &Order<'o>, prefix: &str) -> Result<&'o str, SignError> {
    let rest = order.target.whole.strip_prefix(prefix);
    let rest = rest.filter(|it| !it.is_empty() && !it.contains('?'));
    rest.ok_or_else(|| {
        let message = format!("the path must be below {prefix}, without a query");
        SignError::new(message)
    })
}

/// The segment of a target and the signature in it, for `explain`, and what was found.
#[cfg(feature = "tools")]
pub(crate) fn explain<'a>(
    target: &Target<'a>,
    prefix: &str,
    decode: impl Fn(&str) -> Result<Vec<u8>, Reason>,
) -> (Result<(FirstSegment<'a>, Vec<u8>), Reason>, String) {
    let found = find(target, prefix).and_then(|it| Ok((it, decode(it.segment)?)));
    let told = match &found {
        Ok(_) => format!("the segment after {prefix}: a signature"),
        Err(reason) => format!("the segment after {prefix}: {}", reason.code()),
    };
    (found, told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_split_around_the_segment_behind_the_prefix() {
        for (target, prefix, expected) in [
            ("/S/a/b?c", "/", Some(("/", "S", "/a/b", "/a/b?c"))),
            ("/p/S/a", "/p/", Some(("/p/", "S", "/a", "/a"))),
            ("/S/", "/", Some(("/", "S", "/", "/"))),
            ("/S", "/", None),
            ("/p/S", "/p/", None),
            ("/q/S/a", "/p/", None),
            ("/S?/a", "/", None),
        ] {
            let parsed = Target::parse(target.as_bytes()).unwrap();
            let found = find(&parsed, prefix).ok();
            let parts = found.map(|it| (it.before, it.segment, it.rest, it.tail));
            assert_eq!(parts, expected, "{target}");
        }
    }
}
