//! Which paths a link opens, by prefix or glob, without a copy of either.

use crate::http::path::{is_outsider, is_unreserved, triplet};

/// The beginning of a path that is this prefix, in the spelling of the path. Both are
/// compared in canonical form. Since a prefix ends with `/`, so does what is returned.
pub(super) fn prefix<'a>(prefix: &str, path: &'a str) -> Option<&'a str> {
    let mut at = 0_usize;
    let mut wanted = prefix.split_inclusive('/');
    let mut found = path.split_inclusive('/');
    loop {
        let Some(wanted) = wanted.next() else {
            return path.get(..at);
        };
        let segment = found.next().filter(|it| same(wanted, it))?;
        at = at.saturating_add(segment.len());
    }
}

/// Whether a glob matches a path, both in canonical form: `*` is one segment or a part of
/// one, `**` any number of them, as in the rules of a policy.
pub(super) fn glob(glob: &str, path: &str) -> bool {
    let mut pattern = glob.strip_prefix('/');
    let mut rest = path.strip_prefix('/');
    // The last `**` may swallow a segment more: an earlier one never needs to.
    let mut retry: Option<(Option<&str>, &str)> = None;
    loop {
        match (pattern.map(split), rest) {
            (None, None) => return true,
            (Some(("**", after)), Some(path)) => {
                retry = Some((after, path));
                pattern = after;
                continue;
            }
            (Some(("**", after)), None) => {
                pattern = after;
                continue;
            }
            (Some((segment, after)), Some(path)) => {
                let (head, tail) = split(path);
                if is_segment(segment, head) {
                    pattern = after;
                    rest = tail;
                    continue;
                }
            }
            (None, Some(_)) | (Some(_), None) => {}
        }
        let Some((after, path)) = retry else {
            return false;
        };
        let (_, tail) = split(path);
        retry = tail.map(|tail| (after, tail));
        rest = tail;
        pattern = after;
    }
}

fn split(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((head, tail)) => (head, Some(tail)),
        None => (path, None),
    }
}

/// Whether the pattern of one segment matches a segment.
fn is_segment(pattern: &str, segment: &str) -> bool {
    match pattern {
        // An empty segment is the end of "/a/": not a name, so `*` does not match it.
        "*" => !segment.is_empty(),
        _ if pattern.contains('*') => stars(pattern, segment),
        _ => same(pattern, segment),
    }
}

/// One `*` to come back to suffices: an earlier one never needs to take more.
fn stars(pattern: &str, segment: &str) -> bool {
    let (mut pattern, mut text) = (Units::of(pattern), Units::of(segment));
    let mut retry: Option<(Units<'_>, Units<'_>)> = None;
    loop {
        let (mut after, mut rest) = (pattern, text);
        match (after.next(), rest.next()) {
            (None, None) => return true,
            (Some(Unit::Plain(b'*')), _) => {
                retry = Some((after, text));
                pattern = after;
                continue;
            }
            (Some(wanted), Some(found)) if wanted == found => {
                (pattern, text) = (after, rest);
                continue;
            }
            _ => {}
        }
        let Some((after, mut text_again)) = retry else {
            return false;
        };
        if text_again.next().is_none() {
            return false;
        }
        retry = Some((after, text_again));
        (pattern, text) = (after, text_again);
    }
}

/// Whether two texts have one canonical form.
fn same(left: &str, right: &str) -> bool {
    left == right || (is_encoded(left) || is_encoded(right)) && Units::of(left).eq(Units::of(right))
}

fn is_encoded(text: &str) -> bool {
    text.contains('%')
}

/// The units of a canonical form, one by one.
#[derive(Clone, Copy)]
struct Units<'a>(&'a [u8]);

/// A character, or one that stays percent-encoded; of a broken triplet, its characters.
#[derive(PartialEq, Eq)]
enum Unit {
    Plain(u8),
    Encoded(u8),
}

impl<'a> Units<'a> {
    fn of(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

impl Iterator for Units<'_> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        if is_outsider(char::from(byte)) {
            return Some(Unit::Encoded(byte));
        }
        if byte != b'%' {
            return Some(Unit::Plain(byte));
        }
        let Some((octet, rest)) = rest
            .split_at_checked(2)
            .and_then(|(digits, rest)| Some((triplet(&mut digits.iter().copied())?, rest)))
        else {
            return Some(Unit::Plain(byte));
        };
        self.0 = rest;
        Some(if is_unreserved(octet) {
            Unit::Plain(octet)
        } else {
            Unit::Encoded(octet)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_a_segment_and_is_given_as_the_path_spells_it() {
        for (wanted, path, expected) in [
            ("/", "/a", Some("/")),
            ("/video/", "/video/a", Some("/video/")),
            ("/video/", "/video/", Some("/video/")),
            ("/video/", "/video", None),
            ("/video/", "/video-private/a", None),
            ("/video/", "/Video/a", None),
            ("/video/", "/v%69deo/a", Some("/v%69deo/")),
            ("/caf%C3%A9/", "/caf%c3%a9/a", Some("/caf%c3%a9/")),
            ("/a|b/", "/a%7Cb/c", Some("/a%7Cb/")),
            ("/a%7cb/", "/a|b/c", Some("/a|b/")),
            ("/a%2Fb/", "/a/b/c", None),
            ("/a/b/", "/a/", None),
        ] {
            assert_eq!(prefix(wanted, path), expected, "{wanted} {path}");
        }
    }

    #[test]
    fn globs_match_as_those_of_rules_do() {
        for (wanted, path, expected) in [
            ("/video/**", "/video", true),
            ("/video/**", "/video/", true),
            ("/video/**", "/video/a/b", true),
            ("/video/**", "/video-private", false),
            ("/**", "/", true),
            ("/a/*/c", "/a/b/c", true),
            ("/a/*/c", "/a/b/b/c", false),
            ("/a/*", "/a/", false),
            ("/a/**/z", "/a/z", true),
            ("/a/**/z", "/a/b/c/z/y", false),
            ("/**/a/**/b", "/x/a/a/c/b", true),
            ("/img/*.jpg", "/img/cat.jpg", true),
            ("/img/*.jpg", "/img/a/cat.jpg", false),
            ("/img/a*b*c", "/img/a1b2c", true),
            ("/img/a*a", "/img/a", false),
            ("/img/*%C3%A9", "/img/caf%c3%a9", true),
            ("/img/c%61*", "/img/cat", true),
            ("/a%2Ab", "/axb", false),
            ("/a%2Ab", "/a%2ab", true),
        ] {
            assert_eq!(glob(wanted, path), expected, "{wanted} {path}");
        }
    }

    #[test]
    fn a_glob_of_many_stars_is_still_quick() {
        assert!(!glob(
            &format!("{}/z", "/**/a".repeat(30)),
            &"/a".repeat(2000)
        ));
        assert!(!glob(
            &format!("/{}z", "*a".repeat(30)),
            &format!("/{}", "a".repeat(2000))
        ));
    }

    proptest::proptest! {
        #[test]
        fn every_glob_matches_what_it_matches_in_a_rule(
            wanted in "(/(a|b|a\\*|\\*b|\\*|\\*\\*)){1,5}/?",
            path in "(/(a|b|ab|aab)){1,6}/?",
        ) {
            let rule = crate::http::glob::PathGlob::parse(&wanted).unwrap();
            proptest::prop_assert_eq!(glob(&wanted, &path), rule.matches(&path));
        }
    }
}
