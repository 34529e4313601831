//! Path globs and host patterns, compared segment by segment.
//!
//! The crate `globset` was considered: it brings regular expressions, which add 483 kB to a module,
//! and knows no segments of which one rule covers another.

mod cover;
mod host;

pub use host::HostPattern;
pub(crate) use host::filed;

use std::cell::OnceCell;

use crate::http::path::readable;
use crate::text::cut::parts;

/// A path glob: `*` is any one segment, `**` any number of them.
///
/// A trailing `/**` includes the bare prefix: `/a/**` matches `/a`, `/a/` and `/a/b/c`, and
/// never `/ab`. Within a segment, `*` matches any text.
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
    /// Such a path is rejected before any rule, so the rule could never match.
    #[error("must not contain \"//\", \"\\\", a dot segment or a broken percent encoding")]
    Ambiguous,
    /// `**` inside a segment would look like more than it is.
    #[error("\"**\" must be a whole path segment")]
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
        if crate::http::path::Target::parse(glob.as_bytes()).is_err() {
            return Err(PatternError::Ambiguous);
        }
        let segments = rest
            .split('/')
            .map(Segment::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self { segments })
    }

    /// Whether everything below what it matches is matched, too: it ends with `**`.
    pub fn is_open(&self) -> bool {
        self.segments.last() == Some(&Segment::AnyNumber)
    }

    /// A glob of what is below: `/a/**` for `/a`.
    pub fn below(&self) -> Self {
        let mut segments = self.segments.clone();
        segments.push(Segment::AnyNumber);
        Self { segments }
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

    /// Whether a path in [`readable`] form matches. It starts with `/` and has no query.
    #[inline]
    pub fn matches(&self, path: &str) -> bool {
        self.matches_split(&SplitPath::new(path))
    }

    /// Whether a path matches that is compared with other globs, too: it is split once for all
    /// of them. The work is linear in the number of its segments.
    pub fn matches_split(&self, path: &SplitPath<'_>) -> bool {
        let mut rest = Some(path.text.strip_prefix('/').unwrap_or(path.text));
        for (at, segment) in self.segments.iter().enumerate() {
            if *segment == Segment::AnyNumber {
                let is_last = at.saturating_add(1) == self.segments.len();
                return is_last || self.matches_around(path.segments());
            }
            let Some(tail) = rest.and_then(|rest| segment.strip_from(rest)) else {
                return false;
            };
            rest = tail;
        }
        rest.is_none()
    }

    /// The part before the first `**` matches at the beginning, the part after the last one at
    /// the end; each other part is taken where it comes first, which leaves most to the next.
    fn matches_around(&self, path: &[&str]) -> bool {
        let mut parts = self.segments.split(|it| *it == Segment::AnyNumber);
        let (Some(first), Some(last)) = (parts.next(), parts.next_back()) else {
            return false;
        };
        let Some((head, path)) = path.split_at_checked(first.len()) else {
            return false;
        };
        let end = path.len().checked_sub(last.len());
        let Some((mut rest, tail)) = end.and_then(|end| path.split_at_checked(end)) else {
            return false;
        };
        if !all_match(first, head) || !all_match(last, tail) {
            return false;
        }
        for part in parts.filter(|part| !part.is_empty()) {
            let mut places = rest.windows(part.len());
            let Some(at) = places.position(|place| all_match(part, place)) else {
                return false;
            };
            rest = rest
                .get(at.saturating_add(part.len())..)
                .unwrap_or_default();
        }
        true
    }
}

/// A path that is split into segments when the first glob needs them, and once.
#[derive(Debug)]
pub struct SplitPath<'p> {
    text: &'p str,
    segments: OnceCell<Vec<&'p str>>,
}

impl<'p> SplitPath<'p> {
    /// Nothing is split yet.
    #[inline]
    pub fn new(text: &'p str) -> Self {
        Self {
            text,
            segments: OnceCell::new(),
        }
    }

    fn segments(&self) -> &[&'p str] {
        self.segments.get_or_init(|| {
            let path = self.text.strip_prefix('/').unwrap_or(self.text);
            parts(path, b'/').collect()
        })
    }
}

fn all_match(globs: &[Segment], segments: &[&str]) -> bool {
    globs.len() == segments.len()
        && globs
            .iter()
            .zip(segments)
            .all(|(glob, segment)| glob.matches(segment))
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
        #[cfg(test)]
        tests::count_step();
        match self {
            Self::Literal(literal) => literal == text,
            // An empty segment is the end of "/a/": not a name, so `*` does not match it.
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

    thread_local! {
        static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    }

    /// Counts the comparison of one segment.
    pub(super) fn count_step() {
        STEPS.set(STEPS.get().saturating_add(1));
    }

    #[test]
    fn comparing_globs_is_linear_in_the_path() {
        let many = "/**/a".repeat(30);
        let globs = [
            format!("{many}/z/**"),
            format!("{many}/*z/**/*"),
            "/**/a/a/a/b/**".into(),
        ];
        let rules = (0..200).map(|number| format!("/**/a/x{number}/**"));
        let globs: Vec<String> = globs.into_iter().chain(rules).collect();
        for glob in globs {
            let compiled = PathGlob::parse(&glob).unwrap();
            let parts = glob.matches('/').count();
            for segments in [64, 256] {
                STEPS.set(0);
                assert!(!compiled.matches(&"/a".repeat(segments)), "{glob}");
                assert!(
                    STEPS.get() <= segments * 4 + parts,
                    "{glob}: {}",
                    STEPS.get()
                );
            }
        }
    }

    #[test]
    fn a_path_is_split_once_for_all_globs() {
        let text = "/a".repeat(256);
        let path = SplitPath::new(&text);
        let plain = PathGlob::parse("/a/*/**").unwrap();
        assert!(plain.matches_split(&path));
        assert!(path.segments.get().is_none(), "no glob needed the segments");
        let inner = PathGlob::parse("/**/a/**/a").unwrap();
        assert!(inner.matches_split(&path));
        let first = path.segments().as_ptr();
        assert!(inner.matches_split(&path));
        assert_eq!(path.segments().as_ptr(), first);
    }

    #[test]
    fn wrong_globs_are_rejected() {
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
