//! Path globs and host patterns, compared segment by segment.

mod cover;
mod host;

pub use host::{HostPattern, filed};

use crate::path::readable;

/// A path glob: `*` is any one segment, `**` any number of them.
///
/// A trailing `/**` includes the bare prefix: `/a/**` matches `/a`, `/a/` and
/// `/a/b/c`, and never `/ab`. Within a segment `*` stands for any text.
#[derive(Clone, Debug)]
pub struct PathGlob {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// Text with `*` in it, split at each `*`.
    Pieces(Vec<String>),
    AnyOne,
    AnyNumber,
}

/// What is wrong with a pattern.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Globs are absolute.
    #[error("must start with \"/\"")]
    NotAbsolute,
    /// The query is never part of a match.
    #[error("must not contain \"?\" or \"#\": a glob matches the path only")]
    Query,
    /// Such a path is refused before any rule, so the rule could never match.
    #[error("must not contain \"//\", \"\\\", a dot segment or a broken percent encoding")]
    Ambiguous,
    /// `**` inside a segment would look like more than it is.
    #[error("\"**\" must stand alone between slashes")]
    DoubleStar,
    /// Not a host name.
    #[error("must be a host name, or \"*.\" and a host name, without scheme and port")]
    Host,
}

impl PathGlob {
    /// Compiles a glob.
    ///
    /// # Errors
    /// [`PatternError`] says what is wrong with it.
    pub fn parse(glob: &str) -> Result<Self, PatternError> {
        let rest = glob.strip_prefix('/').ok_or(PatternError::NotAbsolute)?;
        if glob.contains(['?', '#']) {
            return Err(PatternError::Query);
        }
        if crate::path::Target::parse(glob.as_bytes()).is_err() {
            return Err(PatternError::Ambiguous);
        }
        let segments = rest
            .split('/')
            .map(Segment::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self { segments })
    }

    /// The beginning without a wildcard, such as `/a/b` of `/a/b/*/c`, and of how many
    /// segments it is.
    pub fn literal_prefix(&self) -> (String, usize) {
        let literals = self.segments.iter().map_while(|segment| match segment {
            Segment::Literal(text) => Some(text),
            Segment::Pieces(_) | Segment::AnyOne | Segment::AnyNumber => None,
        });
        let prefix: Vec<String> = literals.map(|text| format!("/{text}")).collect();
        (prefix.concat(), prefix.len())
    }

    /// Whether a path in [`readable`] form matches. `path` starts with `/` and has no query.
    #[inline]
    pub fn matches(&self, path: &str) -> bool {
        let path = path.strip_prefix('/').unwrap_or(path);
        // With many `**` a plain recursion would be exponential: walk with one
        // place to come back to, as for `*` in a text. `**` is greedy enough
        // that only the last one needs to be remembered.
        let mut pattern = self.segments.as_slice();
        let mut rest = Some(path);
        let mut retry: Option<(&[Segment], &str)> = None;
        loop {
            match (pattern.split_first(), rest) {
                (None, None) => return true,
                (Some((Segment::AnyNumber, [])), _) => return true,
                (Some((Segment::AnyNumber, after)), Some(path)) => {
                    retry = Some((after, path));
                    pattern = after;
                    continue;
                }
                (Some((Segment::AnyNumber, after)), None) => {
                    pattern = after;
                    continue;
                }
                (Some((segment, after)), Some(path)) => {
                    if let Some(tail) = segment.strip_from(path) {
                        pattern = after;
                        rest = tail;
                        continue;
                    }
                }
                (None, Some(_)) | (Some(_), None) => {}
            }
            // Dead end: let the last `**` swallow one segment more.
            let Some((after, path)) = retry else {
                return false;
            };
            let (_, tail) = split_segment(path);
            match tail {
                Some(tail) => {
                    retry = Some((after, tail));
                    rest = Some(tail);
                }
                None => {
                    retry = None;
                    rest = None;
                }
            }
            pattern = after;
        }
    }
}

#[inline]
fn split_segment(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((head, tail)) => (head, Some(tail)),
        None => (path, None),
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, PatternError> {
        match text {
            "*" => Ok(Self::AnyOne),
            "**" => Ok(Self::AnyNumber),
            _ if text.contains("**") => Err(PatternError::DoubleStar),
            _ if text.contains('*') => {
                let pieces = text.split('*').map(|piece| readable(piece).into_owned());
                Ok(Self::Pieces(pieces.collect()))
            }
            _ => Ok(Self::Literal(readable(text).into_owned())),
        }
    }

    /// What follows the first segment of a path, if that matches; nothing does after the
    /// last.
    #[inline]
    fn strip_from<'p>(&self, path: &'p str) -> Option<Option<&'p str>> {
        // Most rules differ from a path in their first letters: its end is not looked for.
        if let Self::Literal(literal) = self {
            let rest = path.strip_prefix(literal.as_str())?;
            return match rest {
                "" => Some(None),
                _ => rest.strip_prefix('/').map(Some),
            };
        }
        let (head, tail) = split_segment(path);
        self.matches(head).then_some(tail)
    }

    #[inline]
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == text,
            // An empty segment is the end of "/a/": no name, so `*` does not stand for it.
            Self::AnyOne => !text.is_empty(),
            Self::AnyNumber => true,
            Self::Pieces(pieces) => pieces_match(pieces, text),
        }
    }
}

/// First and last piece are anchored; those between are found from the left.
fn pieces_match(pieces: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = pieces else {
        return false;
    };
    let Some(mut rest) = text
        .strip_prefix(first.as_str())
        .and_then(|rest| rest.strip_suffix(last.as_str()))
    else {
        return false;
    };
    for piece in middle {
        match rest.split_once(piece.as_str()) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_segments() {
        for (glob, path, expected) in [
            ("/healthz", "/healthz", true),
            ("/healthz", "/healthz/", false),
            ("/healthz", "/healthzz", false),
            ("/video/**", "/video", true),
            ("/video/**", "/video/", true),
            ("/video/**", "/video/a/b", true),
            ("/video/**", "/video-private", false),
            ("/video/**", "/", false),
            ("/**", "/", true),
            ("/**", "/a/b", true),
            ("/a/*/c", "/a/b/c", true),
            ("/a/*/c", "/a/b/b/c", false),
            ("/a/*/c", "/a//c", false),
            ("/a/*", "/a/", false),
            ("/a/**/z", "/a/z", true),
            ("/a/**/z", "/a/b/c/z", true),
            ("/a/**/z", "/a/b/c/z/y", false),
            ("/**/a/**/b", "/x/a/a/c/b", true),
            ("/**/a/**/b", "/x/a/a/c", false),
            ("/img/*.jpg", "/img/cat.jpg", true),
            ("/img/*.jpg", "/img/.jpg", true),
            ("/img/*.jpg", "/img/a/cat.jpg", false),
            ("/img/a*b*c", "/img/a1b2c", true),
            ("/img/a*a", "/img/a", false),
            ("/caf%c3%a9", "/caf\u{e9}", true),
            ("/a%2fb", "/a%2Fb", true),
        ] {
            let compiled = PathGlob::parse(glob).unwrap();
            assert_eq!(compiled.matches(path), expected, "{glob} {path}");
        }
    }

    #[test]
    fn a_glob_of_many_stars_is_still_quick() {
        let glob = PathGlob::parse(&format!("{}/z", "/**/a".repeat(30))).unwrap();
        assert!(!glob.matches(&"/a".repeat(2000)));
    }

    #[test]
    fn wrong_globs_are_refused() {
        for (glob, error) in [
            ("", PatternError::NotAbsolute),
            ("video/**", PatternError::NotAbsolute),
            ("/a?b", PatternError::Query),
            ("/a//b", PatternError::Ambiguous),
            ("/a/../b", PatternError::Ambiguous),
            ("/a%2", PatternError::Ambiguous),
            ("/a**", PatternError::DoubleStar),
        ] {
            assert_eq!(PathGlob::parse(glob).unwrap_err(), error, "{glob}");
        }
    }

    proptest::proptest! {
        /// The walk agrees with the plain definition of the glob.
        #[test]
        fn matching_agrees_with_its_definition(
            glob in "(/(a|b|\\*|\\*\\*)){1,5}",
            path in "(/(a|b)){1,6}",
        ) {
            fn defined(glob: &[&str], path: &[&str]) -> bool {
                match (glob, path) {
                    ([], []) => true,
                    (["**", after @ ..], _) => (0..=path.len()).any(|n| defined(after, &path[n..])),
                    ([g, gs @ ..], [p, ps @ ..]) => (*g == "*" || g == p) && defined(gs, ps),
                    _ => false,
                }
            }
            let glob_segments: Vec<&str> = glob[1..].split('/').collect();
            let path_segments: Vec<&str> = path[1..].split('/').collect();
            proptest::prop_assert_eq!(
                PathGlob::parse(&glob).unwrap().matches(&path),
                defined(&glob_segments, &path_segments)
            );
        }
    }
}
