//! A token in a path segment, `/NAME=TOKEN/`: the relative links of a playlist keep it.
//!
//! Some formats have it in a parameter of a segment, `/a.ts;NAME=TOKEN`, instead: see
//! [`PARAMETER`]. Such a segment or parameter is taken out before any rule looks at the path, and never reaches the
//! upstream, whatever is decided: what the rules see is what the upstream gets.

use crate::http::path::{Target, decode};
use crate::reason::Reason;

/// The prefix of a name that is in a parameter of a segment.
pub(crate) const PARAMETER: char = ';';

/// What a path segment carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathToken<'a> {
    /// The name in front of the `=`.
    pub name: &'a str,
    /// What follows the `=`, still percent-encoded.
    pub value: &'a str,
    /// The path before the segment; it ends with `/`. Of a parameter, the path before
    /// its `;`.
    pub before: &'a str,
    /// Whether it stood in a parameter of a segment.
    pub is_parameter: bool,
    /// What follows the segment and its `/`, or the parameter.
    after: &'a str,
}

impl<'a> PathToken<'a> {
    /// Finds the one segment that begins with one of these names and `=`, or the one
    /// parameter of a segment that does, for names with `;` in front.
    ///
    /// # Errors
    /// [`Reason::DuplicateCredential`] for a second one; [`Reason::MalformedCredential`]
    /// when its name is percent-encoded, or the `/` before it: programs behind us could read it
    /// otherwise.
    #[inline]
    pub fn find(target: &Target<'a>, names: &[String]) -> Result<Option<Self>, Reason> {
        match Self::may_be_in(target.path.as_bytes(), names) {
            true => Self::find_one(target, names),
            false => Ok(None),
        }
    }

    /// Whether a path can hold one: each has a `=`, plain or encoded. For bytes that may be no
    /// path.
    #[inline]
    pub fn may_be_in(path: &[u8], names: &[String]) -> bool {
        !names.is_empty() && path.iter().any(|byte| matches!(byte, b'=' | b'%'))
    }

    fn find_one(target: &Target<'a>, names: &[String]) -> Result<Option<Self>, Reason> {
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
                    is_parameter: false,
                    after: rest(target, end),
                };
                if found.replace(token).is_some() {
                    return Err(Reason::DuplicateCredential);
                }
            }
            if hides_token(segment, names) {
                return Err(Reason::MalformedCredential);
            }
            if let Some(token) = Self::in_parameter(target, (at, end), names)?
                && found.replace(token).is_some()
            {
                return Err(Reason::DuplicateCredential);
            }
            at = end.saturating_add(1);
        }
        Ok(found)
    }

    /// Finds it in the parameters of the segment from `at` to `end`.
    fn in_parameter(
        target: &Target<'a>,
        (at, end): (usize, usize),
        names: &[String],
    ) -> Result<Option<Self>, Reason> {
        let mut found = None;
        let names = names.iter().filter_map(|it| it.strip_prefix(PARAMETER));
        let mut at = at;
        while let Some(rest) = target.path.get(at..end)
            && let Some((first, length)) = separator(rest)
        {
            let before = at.saturating_add(first);
            at = before.saturating_add(length);
            let rest = target.path.get(at..end).unwrap_or_default();
            let parameter = separator(rest).and_then(|(next, _)| rest.get(..next));
            let parameter = parameter.unwrap_or(rest);
            let Some((spelled, value)) = split(parameter) else {
                continue;
            };
            let is_ours = |it: &str| decode(spelled).is_ok_and(|name| *name == *it.as_bytes());
            if !names.clone().any(is_ours) {
                continue;
            }
            // A server that decodes first would find it; one that does not, would not.
            if length != 1 || !names.clone().any(|it| it == spelled) {
                return Err(Reason::MalformedCredential);
            }
            let after = at.saturating_add(parameter.len());
            let token = Self {
                name: spelled,
                value,
                before: target.whole.get(..before).unwrap_or_default(),
                is_parameter: true,
                after: target.path.get(after..).unwrap_or_default(),
            };
            if found.replace(token).is_some() {
                return Err(Reason::DuplicateCredential);
            }
        }
        Ok(found)
    }

    /// The target without the segment.
    pub fn without(&self, target: &Target<'_>) -> String {
        let query = target.query.map(|it| format!("?{it}")).unwrap_or_default();
        format!("{}{}{query}", self.before, self.after)
    }
}

/// Whether a server that reads `%2F` as a slash finds a token behind one in this segment.
fn hides_token(segment: &str, names: &[String]) -> bool {
    let behind = segment.match_indices('%').filter_map(|(at, _)| {
        let rest = segment.get(at..)?;
        rest.strip_prefix("%2F").or(rest.strip_prefix("%2f"))
    });
    let mut spelled = behind.filter_map(split).map(|(spelled, _)| spelled);
    spelled.any(|spelled| {
        decode(spelled).is_ok_and(|name| names.iter().any(|it| it.as_bytes() == &*name))
    })
}

/// Where the first `;` is, also written `%3B`, and how long it is.
fn separator(text: &str) -> Option<(usize, usize)> {
    let all = [";", "%3B", "%3b"].map(|it| text.find(it).map(|at| (at, it.len())));
    all.into_iter().flatten().min()
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
        let names = ["~kg", "edge-cache-token", ";usp"].map(str::to_owned);
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
            ("/a.ts;usp=T", "T", "/a.ts", "/a.ts"),
            ("/a.ts;usp=T?x=;usp=U", "T", "/a.ts", "/a.ts?x=;usp=U"),
            ("/a;v=1;usp=T=;w=2/b", "T=", "/a;v=1", "/a;v=1;w=2/b"),
            ("/a;usp=T/b", "T", "/a", "/a/b"),
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
            "/a;uspx=T",
            "/a;xusp=T",
            "/a;usp/b",
            "/usp=T/b",
            "/a;~kg=T",
            "/a?x;usp=T",
            "/a%2F~kgx=T",
            "/a%2Fx~kg=T",
            "/a?%2F~kg=T",
        ] {
            assert_eq!(find(none), Ok(None), "{none}");
        }
    }

    #[test]
    fn a_second_or_disguised_segment_is_rejected() {
        for target in [
            "/~kg=T/~kg=U/a",
            "/~kg=T/edge-cache-token=U/a",
            "/a;usp=T;usp=U",
            "/a;usp=T/b;usp=U",
            "/~kg=T/a;usp=U",
        ] {
            assert_eq!(find(target), Err(Reason::DuplicateCredential), "{target}");
        }
        for target in [
            "/%7Ekg=T/a",
            "/~%6bg=T/a",
            "/~k%67%3DT/a",
            "/a;%75sp=T",
            "/a%3Busp=T",
            "/a%3busp=T",
            "/a%2F~kg=T/b",
            "/a%2f~kg=T",
            "/a%2Fb%2F%7Ekg%3DT/c",
            "/~kg=T%2F~kg=U/a",
        ] {
            assert_eq!(find(target), Err(Reason::MalformedCredential), "{target}");
        }
    }
}
