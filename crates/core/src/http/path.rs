//! Paths that mean one thing: what is ambiguous is rejected before anything is decided.
//!
//! Whatever normalisation Envoy does, a path that two programs could read in two
//! ways never reaches a rule or a MAC. The table of attacks is in docs/attacks.md.

mod coding;
mod readings;

pub use coding::{
    as_envoy_sends, canonical, canonical_before_envoy, canonical_pieces, decode,
    has_encoded_unreserved, readable,
};
pub(crate) use coding::{is_outsider, is_unreserved, percent_encode, triplet};
pub use readings::readings;

use std::borrow::Cow;
use std::fmt;

use coding::is_triplet;

use crate::text::cut::cut;

/// A request target split at the first `?`. The path means one thing only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The whole target, as in `:path`.
    pub whole: &'a str,
    /// From `/` up to the first `?`.
    pub path: &'a str,
    /// What follows the first `?`, without it.
    pub query: Option<&'a str>,
    /// The path holds `%2F`: fine only where a rule says so.
    pub has_encoded_slash: bool,
    /// The path holds `;` or `%3B`: fine only where a rule says so.
    pub has_parameters: bool,
}

/// Its query may hold a credential.
impl fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.whole.len())
    }
}

/// The target could be read in more than one way.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path can be read in more than one way")]
pub struct AmbiguousPath;

impl<'a> Target<'a> {
    /// Splits `:path` and rejects ambiguity: dot segments in any spelling, `//`,
    /// `\`, control characters, `#`, broken or double percent encodings, text that
    /// is not UTF-8, and anything that does not start with one `/`.
    ///
    /// # Errors
    /// [`AmbiguousPath`], whatever is wrong.
    #[inline]
    pub fn parse(target: &'a [u8]) -> Result<Self, AmbiguousPath> {
        Self::parse_beside(target, &[])
    }

    /// Parses a `:path` as [`Target::parse`] does, except in segments that begin with one of
    /// these names and `=`: they hold a token, which is taken out, and a value of it may be
    /// percent-encoded twice.
    ///
    /// # Errors
    /// As [`Target::parse`].
    pub fn parse_beside(target: &'a [u8], tokens: &[String]) -> Result<Self, AmbiguousPath> {
        // Spaces, controls and bytes from 0x7f on have no place in a request target.
        let clean = |byte: u8| byte.is_ascii_graphic() & (byte != b'#');
        // Without a way out in the midst, many bytes are looked at in one step.
        if !target.iter().fold(true, |all, &byte| all & clean(byte)) {
            return Err(AmbiguousPath);
        }
        let text = std::str::from_utf8(target).map_err(|_| AmbiguousPath)?;
        let (end, is_plain) = first_look(target);
        let (path, rest) = text.split_at_checked(end).ok_or(AmbiguousPath)?;
        let query = rest.strip_prefix('?');
        if is_plain {
            return Ok(Self {
                whole: text,
                path,
                query,
                has_encoded_slash: false,
                has_parameters: false,
            });
        }
        if !path.starts_with('/') || path.contains("//") || path.contains('\\') {
            return Err(AmbiguousPath);
        }
        let decoded = decode(path)?;
        if path.split('/').any(is_dot_segment) {
            return Err(AmbiguousPath);
        }
        let has_encoded_slash = match &decoded {
            Cow::Borrowed(_) => false,
            Cow::Owned(bytes) => {
                examine_twice_encoded(path, tokens)?;
                examine_decoded(path, bytes)?
            }
        };
        Ok(Self {
            whole: text,
            path,
            query,
            has_encoded_slash,
            has_parameters: decoded.contains(&b';'),
        })
    }
}

/// Where the path of a target ends, and whether it is one that needs no second look, as
/// nearly all are: it starts with `/`, no segment of it is empty or starts with a dot, and
/// nothing in it is encoded or a parameter.
fn first_look(target: &[u8]) -> (usize, bool) {
    let mut is_plain = target.first() == Some(&b'/');
    let mut before = 0;
    for (at, &byte) in target.iter().enumerate() {
        match byte {
            b'?' => return (at, is_plain),
            b'%' | b';' | b'\\' => is_plain = false,
            b'/' | b'.' if before == b'/' => is_plain = false,
            _ => {}
        }
        before = byte;
    }
    (target.len(), is_plain)
}

/// Rejects a path in which a second decoder would find something else, but for its tokens.
fn examine_twice_encoded(path: &str, tokens: &[String]) -> Result<(), AmbiguousPath> {
    let is_token = |segment: &str| {
        let name = cut(segment, b'=').map(|(name, _)| name);
        name.is_some_and(|name| tokens.iter().any(|it| it == name))
    };
    for segment in path.split('/').filter(|it| it.contains('%')) {
        if !is_token(segment) && decode(segment)?.windows(3).any(is_triplet) {
            return Err(AmbiguousPath);
        }
    }
    Ok(())
}

/// Whether a percent-decoded path holds slashes that were encoded; rejects
/// everything that becomes dangerous by decoding.
fn examine_decoded(path: &str, decoded: &[u8]) -> Result<bool, AmbiguousPath> {
    // Overlong forms and stray bytes: no two decoders agree on them.
    let text = std::str::from_utf8(decoded).map_err(|_| AmbiguousPath)?;
    if text.chars().any(char::is_control) || text.contains('\\') {
        return Err(AmbiguousPath);
    }
    let slashes = |text: &str| text.bytes().filter(|&byte| byte == b'/').count();
    let has_encoded_slash = slashes(text) != slashes(path);
    if has_encoded_slash && (text.contains("//") || text.split('/').any(is_dot_segment)) {
        return Err(AmbiguousPath);
    }
    Ok(has_encoded_slash)
}

/// `.` and `..`, also spelled with `%2e` and with parameters after `;` or `%3b`; and a
/// segment of parameters alone, which is empty to a server that cuts them off.
fn is_dot_segment(segment: &str) -> bool {
    let mut rest = segment;
    let mut dots = 0_u8;
    while let Some(after) = strip_any(rest, &[".", "%2e", "%2E"]) {
        rest = after;
        dots = dots.saturating_add(1);
    }
    let is_cut = strip_any(rest, &[";", "%3b", "%3B"]).is_some();
    (is_cut && dots <= 2) || (rest.is_empty() && (1..=2).contains(&dots))
}

fn strip_any<'a>(text: &'a str, prefixes: &[&str]) -> Option<&'a str> {
    prefixes.iter().find_map(|prefix| text.strip_prefix(prefix))
}

/// Whether a path is within the bounds of what is compared with rules. `%2F` counts as a slash.
#[inline]
pub fn is_short(path: &[u8]) -> bool {
    if path.len() <= MAX_SEGMENTS {
        return true;
    }
    let slashes = path.iter().filter(|byte| **byte == b'/').count();
    let encoded = path.windows(3).filter(|it| it.eq_ignore_ascii_case(b"%2f"));
    path.len() <= MAX_PATH && slashes.saturating_add(encoded.count()) <= MAX_SEGMENTS
}

/// The longest path, in bytes.
const MAX_PATH: usize = 8192;

/// The most segments of a path.
const MAX_SEGMENTS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_targets_are_split_at_the_first_question_mark() {
        for (target, path, query) in [
            ("/", "/", None),
            ("/a/b.mp4", "/a/b.mp4", None),
            ("/a?b=1?c", "/a", Some("b=1?c")),
            ("/a?", "/a", Some("")),
            ("/a/?x=../%2f//", "/a/", Some("x=../%2f//")),
            ("/caf%C3%A9/%20.txt", "/caf%C3%A9/%20.txt", None),
            ("/...", "/...", None),
            ("/.well-known/x", "/.well-known/x", None),
            ("/a;v=1/b", "/a;v=1/b", None),
            ("/100%25", "/100%25", None),
        ] {
            let parsed = Target::parse(target.as_bytes()).unwrap();
            assert_eq!((parsed.path, parsed.query), (path, query), "{target}");
            assert!(!parsed.has_encoded_slash);
        }
    }

    #[test]
    fn every_ambiguous_path_is_rejected() {
        let text = [
            "",
            "*",
            "a",
            "http://h/a",
            "//a",
            "/a//b",
            "/a/../b",
            "/a/..",
            "/./a",
            "/a/%2e%2E/b",
            "/a/.%2e/b",
            "/a/..;x=y/b",
            "/a/.;/b",
            "/a/..%3bx/b",
            "/a\\b",
            "/a%5Cb",
            "/a%5cb",
            "/a%00",
            "/a%0d%0a",
            "/a%7f",
            "/a#b",
            "/a?b#c",
            "/a b",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%252e",
            "/a/%252e%252e/b%25",
            "/a%252Fb",
            "/a%25%32%65",
            "/a%c0%ae",
            "/a%ff",
            "/%2f/b",
            "/a/%2fb",
            "/a%2f..%2fb",
            "/%2e%2e%2fb",
            "/a%2f/b",
        ];
        for target in text {
            assert_eq!(
                Target::parse(target.as_bytes()),
                Err(AmbiguousPath),
                "{target}"
            );
        }
        for target in [&b"/caf\xe9"[..], b"/a\0", b"/a\x7f", b"/a\tb", b"/a?\xff"] {
            assert_eq!(Target::parse(target), Err(AmbiguousPath), "{target:?}");
        }
    }

    #[test]
    fn only_the_segment_of_a_token_may_be_encoded_twice() {
        let tokens = ["bcdn_token".to_owned()];
        let parse = |target: &str| Target::parse_beside(target.as_bytes(), &tokens).is_ok();
        assert!(parse(
            "/bcdn_token=T&token_path=%2Fa%2520b%2F&expires=1/a%20b/c"
        ));
        for target in [
            "/bcdn_token=T/a%2520b",
            "/xbcdn_token=T%2520/a",
            "/bcdn_token%3DT%2520/a",
            "/bcdn_token=T%00/a",
            "/bcdn_token=T%zz/a",
            "/bcdn_token=T%2F..%2Fb/a",
        ] {
            assert!(!parse(target), "{target}");
        }
        assert!(Target::parse(b"/bcdn_token=T%2520/a").is_err());
    }

    #[test]
    fn an_encoded_slash_is_reported_not_rejected() {
        let target = Target::parse(b"/projects/group%2Fname").unwrap();
        assert!(target.has_encoded_slash);
    }

    #[test]
    fn a_path_has_bounds() {
        let long = |bytes: usize| format!("/{}", "a".repeat(bytes - 1));
        for (path, expected) in [
            (long(8192), true),
            (long(8193), false),
            ("/a".repeat(256), true),
            ("/a".repeat(257), false),
            ("/a".repeat(100) + &"%2fa".repeat(156), true),
            ("/a".repeat(100) + &"%2Fa".repeat(157), false),
        ] {
            assert_eq!(is_short(path.as_bytes()), expected, "{}", path.len());
        }
    }

    proptest::proptest! {
        #[test]
        fn untrusted_bytes_never_panic(target: Vec<u8>) {
            let _ = Target::parse(&target);
        }

        #[test]
        fn what_is_accepted_stays_below_its_first_segment(tail in "[/.%2eEfF5cC;a\\\\?]{0,12}") {
            let text = format!("/safe/{tail}");
            if let Ok(target) = Target::parse(text.as_bytes()) {
                let decoded = decode(target.path).unwrap();
                let decoded = String::from_utf8(decoded.into_owned()).unwrap();
                let steps = decoded.split(['/', '\\']).map(|segment| {
                    match segment.split(';').next().unwrap() {
                        ".." => -1,
                        "" | "." => 0,
                        _ => 1,
                    }
                });
                let depth: i32 = steps.sum();
                proptest::prop_assert!(depth >= 1, "{} climbs", text);
            }
        }
    }
}
