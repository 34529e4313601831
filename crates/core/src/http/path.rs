//! Paths that mean one thing: what is ambiguous is refused before anything is decided.
//!
//! Whatever normalisation Envoy does, a path that two programs could read in two
//! ways never reaches a rule or a MAC. The table of attacks is in docs/attacks.md.

mod readings;

pub use readings::readings;

use std::borrow::Cow;

use crate::text::cut::cut;
use crate::text::hex;

/// A request target split at the first `?`. The path means one thing only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// All of it, as it stands in `:path`.
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

/// The target could be read in more than one way.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path can be read in more than one way")]
pub struct AmbiguousPath;

impl<'a> Target<'a> {
    /// Splits `:path` and refuses ambiguity: dot segments in any spelling, `//`,
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
    #[inline]
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
#[inline]
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

/// Refuses a path in which a second decoder would find something else, but for its tokens.
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

/// Whether a percent-decoded path holds slashes that were encoded; refuses
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

/// Percent-decodes; borrowed when there is nothing to decode.
///
/// # Errors
/// [`AmbiguousPath`] for a `%` without two hexadecimal digits.
#[inline]
pub fn decode(text: &str) -> Result<Cow<'_, [u8]>, AmbiguousPath> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text.as_bytes()));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let octet = match byte {
            b'%' => triplet(&mut bytes).ok_or(AmbiguousPath)?,
            byte => byte,
        };
        decoded.push(octet);
    }
    Ok(Cow::Owned(decoded))
}

/// The characters that no URI may hold (RFC 3986 section 2) and that Envoy percent-encodes
/// in a path. Envoy leaves a query as it is, but other clients and proxies encode them there.
const NOT_OF_URIS: &[u8; 8] = b"\"<>^`{|}";

/// The canonical form (RFC 3986 section 6.2.2): upper-case triplets, unreserved characters
/// plain, and the characters that no URI may hold percent-encoded. All spellings of one path
/// have the same canonical form. A text with a broken triplet is returned unchanged, because
/// a decoded character could combine with the broken triplet.
#[inline]
pub fn canonical(text: &str) -> Cow<'_, str> {
    if !text.contains('%') && !has_outsider(text) {
        return Cow::Borrowed(text);
    }
    let mut canonical = Vec::with_capacity(text.len().saturating_add(8));
    match canonical_pieces(text, |piece| canonical.extend_from_slice(piece)) {
        Ok(()) => String::from_utf8(canonical).map_or(Cow::Borrowed(text), Cow::Owned),
        Err(AmbiguousPath) => Cow::Borrowed(text),
    }
}

/// Emits the [`canonical`] form piece by piece, without allocating.
///
/// # Errors
/// [`AmbiguousPath`] for a `%` without two hexadecimal digits, after the text before it.
#[inline]
pub fn canonical_pieces(text: &str, mut out: impl FnMut(&[u8])) -> Result<(), AmbiguousPath> {
    let mut rest = text;
    while let Some((plain, after)) = cut(rest, b'%') {
        encoded_pieces(plain, &mut out);
        let (digits, after) = after.split_at_checked(2).ok_or(AmbiguousPath)?;
        let octet = triplet(&mut digits.bytes()).ok_or(AmbiguousPath)?;
        if is_unreserved(octet) {
            out(&[octet]);
        } else {
            out(&encoded(octet));
        }
        rest = after;
    }
    encoded_pieces(rest, &mut out);
    Ok(())
}

/// The target as a normalising Envoy (`normalize_path`) passes it on: in the path,
/// unreserved characters are plain and characters that no URI may hold are percent-encoded.
/// The case of other triplets and the query stay as the client sent them.
pub fn as_envoy_sends(target: &str) -> Cow<'_, str> {
    let (path, query) = match target.find('?') {
        Some(at) => target.split_at(at),
        None => (target, ""),
    };
    if !path.contains('%') && !has_outsider(path) {
        return Cow::Borrowed(target);
    }
    let mut sent = String::with_capacity(target.len().saturating_add(8));
    let mut bytes = path.char_indices();
    while let Some((at, character)) = bytes.next() {
        let digits = path.get(at.saturating_add(1)..).unwrap_or_default();
        let octet = triplet(&mut digits.bytes()).filter(|_| character == '%');
        match octet.filter(|it| is_unreserved(*it)) {
            Some(octet) => {
                sent.push(char::from(octet));
                bytes.nth(1);
            }
            None if is_outsider(character) => {
                let triplet = encoded(u8::try_from(character).unwrap_or_default());
                sent.extend(triplet.map(char::from));
            }
            None => sent.push(character),
        }
    }
    sent.push_str(query);
    Cow::Owned(sent)
}

/// The canonical form, but with the characters that no URI may hold plain: what a signer
/// signed that does not percent-encode them. Envoy encodes them in the path before the
/// filter sees it.
pub fn canonical_before_envoy(text: &str) -> Cow<'_, str> {
    let canonical = canonical(text);
    let holds = |it: &u8| canonical.contains(triplet_text(&encoded(*it)));
    if !NOT_OF_URIS.iter().any(holds) {
        return canonical;
    }
    let plain = NOT_OF_URIS.iter().fold(canonical.into_owned(), |text, it| {
        let plain = char::from(*it).to_string();
        text.replace(triplet_text(&encoded(*it)), &plain)
    });
    Cow::Owned(plain)
}

/// Whether a text has a character that no URI may hold. Without an early exit, many bytes
/// are compared in one step.
#[inline]
fn has_outsider(text: &str) -> bool {
    let bytes = text.bytes();
    bytes.fold(false, |any, byte| any | is_outsider(char::from(byte)))
}

#[inline]
pub(crate) fn is_outsider(character: char) -> bool {
    matches!(character, '"' | '<' | '>' | '^' | '`' | '{' | '|' | '}')
}

/// Emits text without a triplet, its characters that no URI may hold percent-encoded.
#[inline]
fn encoded_pieces(text: &str, out: &mut impl FnMut(&[u8])) {
    if text.is_empty() {
        return;
    }
    if !has_outsider(text) {
        return out(text.as_bytes());
    }
    for piece in text.split_inclusive(is_outsider) {
        let plain = piece.strip_suffix(is_outsider).unwrap_or(piece);
        if !plain.is_empty() {
            out(plain.as_bytes());
        }
        let last = piece.as_bytes().last().copied();
        if let Some(octet) = last.filter(|it| is_outsider(char::from(*it))) {
            out(&encoded(octet));
        }
    }
}

/// The triplet of an octet.
fn encoded(octet: u8) -> [u8; 3] {
    [b'%', upper_digit(octet >> 4), upper_digit(octet & 15)]
}

fn triplet_text(triplet: &[u8; 3]) -> &str {
    std::str::from_utf8(triplet).unwrap_or_default()
}

/// RFC 3986 section 2.3.
#[inline]
pub(crate) fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~".contains(&octet)
}

pub(crate) fn upper_digit(value: u8) -> u8 {
    let digits = b"0123456789ABCDEF";
    digits.get(usize::from(value)).copied().unwrap_or(b'0')
}

/// The form in which rules compare paths: everything is decoded but `%2F` and `%25`,
/// so that no spelling of a path slips past a rule that another spelling meets.
#[inline]
pub fn readable(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut readable = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        match triplet(&mut ahead).filter(|_| byte == b'%') {
            Some(octet @ (b'/' | b'%')) => {
                bytes = ahead;
                readable.extend_from_slice(format!("%{octet:02X}").as_bytes());
            }
            Some(octet) => {
                bytes = ahead;
                readable.push(octet);
            }
            None => readable.push(byte),
        }
    }
    String::from_utf8(readable).map_or_else(|_| canonical(path), Cow::Owned)
}

/// Whether a path holds an unreserved character that is percent-encoded: no proxy that
/// normalizes paths hands one on (RFC 3986 section 6.2.2.2).
pub fn has_encoded_unreserved(path: &str) -> bool {
    let triplets = path.split('%').skip(1);
    let mut octets = triplets.filter_map(|rest| triplet(&mut rest.bytes()));
    octets.any(is_unreserved)
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

fn is_triplet(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// The octet that two hexadecimal digits stand for.
pub(crate) fn triplet(digits: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let high = hex::digit(digits.next()?)?;
    let low = hex::digit(digits.next()?)?;
    Some((high << 4) | low)
}

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
    fn every_ambiguous_path_is_refused() {
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
    fn an_encoded_slash_is_reported_not_refused() {
        let target = Target::parse(b"/projects/group%2Fname").unwrap();
        assert!(target.has_encoded_slash);
    }

    #[test]
    fn equivalent_spellings_have_one_canonical_form() {
        for (text, expected) in [
            ("/a%41%7e", "/aA~"),
            ("/%41/b", "/A/b"),
            ("/%c3%a9", "/%C3%A9"),
            ("/%2f%3D", "/%2F%3D"),
            ("/%zz%", "/%zz%"),
            // Not "%25", which means something else.
            ("/%2%35", "/%2%35"),
            ("/a|b{}^`\"<>", "/a%7Cb%7B%7D%5E%60%22%3C%3E"),
            ("/|%7c|", "/%7C%7C%7C"),
        ] {
            assert_eq!(canonical(text), expected);
        }
    }

    #[test]
    fn a_path_is_read_as_envoy_passes_it_on() {
        // Each row was sent through Envoy 1.40 with `normalize_path`; the end-to-end test
        // `characters_that_envoy_encodes_do_not_invalidate_a_link` compares them again.
        for (target, expected) in [
            ("/a|b", "/a%7Cb"),
            ("/\"<>^`{|}", "/%22%3C%3E%5E%60%7B%7C%7D"),
            ("/a?x=|{}^`\"<>", "/a?x=|{}^`\"<>"),
            ("/%61%7E%2d?%61", "/a~-?%61"),
            ("/%7c%c3%A9%2C", "/%7c%c3%A9%2C"),
            ("/!$&'()*+,;=:@[]", "/!$&'()*+,;=:@[]"),
            ("/100%", "/100%"),
        ] {
            assert_eq!(as_envoy_sends(target), expected, "{target}");
        }
    }

    #[test]
    fn the_spelling_before_envoy_is_found_again() {
        for (text, expected) in [
            ("/a%7Cb%20%7b", "/a|b%20{"),
            ("/a%20b", "/a%20b"),
            ("/a|b", "/a|b"),
        ] {
            assert_eq!(canonical_before_envoy(text), expected, "{text}");
        }
    }

    #[test]
    fn rules_read_every_spelling_of_a_path_alike() {
        for (path, expected) in [
            ("/%40admin/%61", "/@admin/a"),
            ("/caf%c3%A9", "/caf\u{e9}"),
            ("/a%2fb%252f", "/a%2Fb%252f"),
            ("/a%3bb", "/a;b"),
        ] {
            assert_eq!(readable(path), expected);
        }
    }

    #[test]
    fn an_encoded_unreserved_character_is_found() {
        for path in [
            "/%6beys", "/a%2e", "/a%2D", "/a%5f", "/a%7E", "/%40%39", "/%41",
        ] {
            assert!(has_encoded_unreserved(path), "{path}");
        }
        for path in [
            "/keys",
            "/%40a",
            "/%c3%a9",
            "/100%25",
            "/a%2Fb",
            "/a%20b%7C",
            "/%",
        ] {
            assert!(!has_encoded_unreserved(path), "{path}");
        }
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
        fn no_bytes_of_a_stranger_can_panic(target: Vec<u8>) {
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

        #[test]
        fn canonical_is_idempotent(text in "[/a%2e41Zz~|7c]{0,20}") {
            let once = canonical(&text).into_owned();
            proptest::prop_assert_eq!(canonical(&once), once.clone());
        }

        #[test]
        fn what_envoy_sends_has_the_canonical_form_of_what_it_got(path in "/[a%7cC{}|^`<>\"41~]{0,20}") {
            let sent = as_envoy_sends(&path);
            if decode(&path).is_ok() {
                proptest::prop_assert_eq!(canonical(&sent), canonical(&path));
            }
        }
    }
}
