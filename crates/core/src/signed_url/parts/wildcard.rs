//! The wildcards of the content delivery networks: `*` is any text, `/` included, and `?`
//! any one character but `/`.
//!
//! The globs of rules ([`crate::http::glob`]) mean something else by `*`.

use crate::http::path::{canonical, readable};
use crate::signed_url::format::Covers;

/// What a list of patterns opens for the path of a request; `None` when none matches it.
///
/// It is for paths: a query never makes a pattern match.
pub(crate) fn covers<'a>(patterns: &[&str], path: &'a str) -> Option<Covers<'a>> {
    let spellings = [canonical(path), readable(path)];
    let opens = |pattern: &&str| {
        let pattern = canonical(pattern);
        let mut all = spellings.iter();
        all.any(|it| matches(&pattern, it))
    };
    if !patterns.iter().any(opens) {
        return None;
    }
    let directory = match patterns {
        [one] => prefix(&canonical(one), path),
        _ => None,
    };
    Some(directory.map_or(Covers::Path, Covers::Prefix))
}

/// Whether the whole of a path matches a pattern. Both in canonical spelling.
///
/// It takes at most the product of both lengths: no pattern makes it slower.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let mut pattern = pattern.bytes();
    let mut path = path.bytes();
    // Behind the last `*`, and where in the path it was tried last.
    let mut retry = None;
    loop {
        let mut ahead = pattern.clone();
        let mut rest = path.clone();
        match (ahead.next(), rest.next()) {
            (Some(b'*'), _) => {
                retry = Some((ahead.clone(), path.clone()));
                pattern = ahead;
                continue;
            }
            (Some(wanted), Some(found)) if wanted == found || (wanted == b'?' && found != b'/') => {
                pattern = ahead;
                path = rest;
                continue;
            }
            (None, None) => return true,
            (Some(_) | None, Some(_)) | (Some(_), None) => {}
        }
        // Let the last `*` swallow one byte more.
        let Some((after, tried)) = &mut retry else {
            return false;
        };
        if tried.next().is_none() {
            return false;
        }
        pattern = after.clone();
        path = tried.clone();
    }
}

/// The directory of the path of a request that a pattern opens as a whole: for a pattern
/// that ends with `/*` and has no other wildcard, the text of the path up to that slash.
///
/// `path` is the spelling that arrived: it has the same slashes as the canonical one.
pub(crate) fn prefix<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let directory = pattern.strip_suffix('*')?;
    if !directory.ends_with('/') || directory.contains(['*', '?']) {
        return None;
    }
    leading(path, directory.split('/').count().saturating_sub(1))
}

/// The text of a path through its slash of this number, from one on.
pub(crate) fn leading(path: &str, slashes: usize) -> Option<&str> {
    let mut all = path.match_indices('/');
    let (at, _) = all.nth(slashes.checked_sub(1)?)?;
    path.get(..=at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_character() {
        for (pattern, path) in [
            ("/*", "/"),
            ("/*", "/a/b/c"),
            ("/a/*", "/a/"),
            ("/a/*.mp4", "/a/b/c.mp4"),
            ("/a/*/c*", "/a/b/d/cat"),
            ("/a/?.ts", "/a/1.ts"),
            ("/*a*b*", "/xaxbxaxb"),
            ("*", "/a"),
            ("/**", "/a"),
            ("/a", "/a"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/a", "/ab"),
            ("/a", "/"),
            ("/a/*", "/a"),
            ("/a/*", "/ab/c"),
            ("/a/?", "/a/"),
            ("/a?b", "/a/b"),
            ("/a/??.ts", "/a/1.ts"),
            ("/a/*.mp4", "/a/b.mp4x"),
            ("", "/"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn a_hostile_pattern_is_not_slow() {
        let pattern = "/*a".repeat(400);
        let path = "/a".repeat(2000) + "b";
        assert!(!matches(&pattern, &path));
    }

    #[test]
    fn a_directory_is_found_in_the_spelling_of_the_request() {
        for (pattern, path, expected) in [
            ("/*", "/a/b", Some("/")),
            ("/a/*", "/%61/b/c", Some("/%61/")),
            ("/a/b/*", "/a/b/", Some("/a/b/")),
            ("/a*", "/a/b", None),
            ("/*/*", "/a/b", None),
            ("/?/*", "/a/b", None),
            ("/a/b", "/a/b", None),
            ("*", "/a/b", None),
        ] {
            assert_eq!(prefix(pattern, path), expected, "{pattern} {path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn untrusted_text_never_panics(pattern: String, path: String) {
            let _ = matches(&pattern, &path);
            let _ = prefix(&pattern, &path);
        }
    }
}
