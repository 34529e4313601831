//! A token in a segment of the path, `/NAME=TOKEN/`: the relative links of a playlist
//! keep it.
//!
//! Such a segment is taken out before any rule looks at the path, and never reaches the
//! upstream, whatever is decided: what the rules see is what the upstream gets.

use crate::path::{Target, decode};
use crate::reason::Reason;

/// What a segment of the path carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathToken<'a> {
    /// The name in front of the `=`.
    pub name: &'a str,
    /// What follows the `=`, still percent-encoded.
    pub value: &'a str,
    /// The path before the segment; it ends with `/`.
    pub before: &'a str,
    /// What follows the segment and its `/`, query included.
    after: &'a str,
}

impl<'a> PathToken<'a> {
    /// Finds the one segment that begins with one of these names and `=`.
    ///
    /// # Errors
    /// [`Reason::DuplicateCredential`] for a second one; [`Reason::MalformedCredential`]
    /// when its name is percent-encoded: programs behind us could read it otherwise.
    pub fn find(target: &Target<'a>, names: &[String]) -> Result<Option<Self>, Reason> {
        if names.is_empty() {
            return Ok(None);
        }
        let mut found = None;
        let mut at = 0_usize;
        for segment in target.path.split('/') {
            let end = at.saturating_add(segment.len());
            if let Some((spelled, value)) = split(segment)
                && let Ok(decoded) = decode(spelled)
                && names.iter().any(|it| it.as_bytes() == &*decoded)
            {
                if *decoded != *spelled.as_bytes() {
                    return Err(Reason::MalformedCredential);
                }
                let token = Self {
                    name: spelled,
                    value,
                    before: target.whole.get(..at).unwrap_or_default(),
                    after: rest(target, end),
                };
                if found.replace(token).is_some() {
                    return Err(Reason::DuplicateCredential);
                }
            }
            at = end.saturating_add(1);
        }
        Ok(found)
    }

    /// The target without the segment.
    pub fn without(&self, target: &Target<'_>) -> String {
        let query = target.query.map(|it| format!("?{it}")).unwrap_or_default();
        format!("{}{}{query}", self.before, self.after)
    }
}

/// A segment in two, at its first `=`, also where that is written `%3D`.
fn split(segment: &str) -> Option<(&str, &str)> {
    let plain = segment.split_once('=');
    let encoded = ["%3D", "%3d"].map(|it| segment.split_once(it));
    let all = [plain, encoded[0], encoded[1]];
    all.into_iter().flatten().min_by_key(|(name, _)| name.len())
}

/// The path behind a segment that ends at `end`, without the `/` between.
fn rest<'a>(target: &Target<'a>, end: usize) -> &'a str {
    let rest = target.path.get(end..).unwrap_or_default();
    rest.strip_prefix('/').unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(target: &str) -> Result<Option<(String, String, String)>, Reason> {
        let target = Target::parse(target.as_bytes()).unwrap();
        let names = ["~kg".to_owned(), "edge-cache-token".to_owned()];
        let found = PathToken::find(&target, &names)?;
        Ok(found.map(|it| {
            (
                it.value.to_owned(),
                it.before.to_owned(),
                it.without(&target),
            )
        }))
    }

    #[test]
    fn the_segment_is_found_by_its_whole_name_and_taken_out() {
        for (target, value, before, without) in [
            ("/~kg=T/a/b.m3u8", "T", "/", "/a/b.m3u8"),
            ("/a/~kg=T/b.m3u8?x=1", "T", "/a/", "/a/b.m3u8?x=1"),
            ("/a/~kg=T", "T", "/a/", "/a/"),
            ("/a/~kg=T?x=/~kg=U/", "T", "/a/", "/a/?x=/~kg=U/"),
            ("/a/~kg=T/", "T", "/a/", "/a/"),
            ("/a/edge-cache-token=E=1&S=2/b", "E=1&S=2", "/a/", "/a/b"),
            ("/~kg=/a", "", "/", "/a"),
        ] {
            let expected = (value.to_owned(), before.to_owned(), without.to_owned());
            assert_eq!(find(target), Ok(Some(expected)), "{target}");
        }
        for none in [
            "/a",
            "/kg=T/a",
            "/~kgx=T/a",
            "/x~kg=T/a",
            "/~KG=T/a",
            "/a?~kg=T",
            "/~kg/a",
        ] {
            assert_eq!(find(none), Ok(None), "{none}");
        }
    }

    #[test]
    fn a_second_or_disguised_segment_is_refused() {
        for target in ["/~kg=T/~kg=U/a", "/~kg=T/edge-cache-token=U/a"] {
            assert_eq!(find(target), Err(Reason::DuplicateCredential), "{target}");
        }
        for target in ["/%7Ekg=T/a", "/~%6bg=T/a", "/~k%67%3DT/a"] {
            assert_eq!(find(target), Err(Reason::MalformedCredential), "{target}");
        }
    }
}
