//! Percent-encoding of paths: the spelling that Envoy sends, the canonical one that MACs
//! cover, and the readable one that rules are compared with.
//!
//! The crate `percent-encoding` decodes leniently: it leaves a broken triplet as it is, and
//! here such a path is rejected. It adds 2 kB to a module.

use std::borrow::Cow;

use super::AmbiguousPath;
use crate::text::cut::{cut, parts};
use crate::text::hex;

/// Percent-decodes; borrowed when there is nothing to decode.
///
/// # Errors
/// [`AmbiguousPath`] for a `%` without two hexadecimal digits.
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

/// The characters that no URI may contain (RFC 3986 section 2) and that Envoy percent-encodes
/// in a path. Envoy leaves a query as it is, but other clients and proxies encode them there.
const NOT_OF_URIS: &[u8; 8] = b"\"<>^`{|}";

/// The canonical form (RFC 3986 section 6.2.2): upper-case triplets, unreserved characters
/// plain, and the characters that no URI may contain percent-encoded. All spellings of one
/// path have the same canonical form. A text with a broken triplet is returned unchanged,
/// because a decoded character could combine with the broken triplet.
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

/// The target as a normalising Envoy (`normalize_path`) passes it on: in the path, unreserved
/// characters are plain and characters that no URI may contain are percent-encoded. The case
/// of other triplets and the query stay as the client sent them.
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

/// The canonical form, but with the characters that no URI may contain plain: what a signer
/// signed that does not percent-encode them. Envoy encodes them in the path before the filter
/// sees it.
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

/// Whether a text has a character that no URI may contain. Without an early exit, many bytes
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

/// Emits text without a triplet, its characters that no URI may contain percent-encoded.
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

/// Appends a text with a triplet for each octet but the ASCII characters to keep.
pub(crate) fn percent_encode(to: &mut String, text: &[u8], keep: impl Fn(u8) -> bool) {
    for &octet in text {
        match keep(octet) {
            true => to.push(char::from(octet)),
            false => to.extend(encoded(octet).map(char::from)),
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

fn upper_digit(value: u8) -> u8 {
    let digits = b"0123456789ABCDEF";
    digits.get(usize::from(value)).copied().unwrap_or(b'0')
}

/// The form in which rules compare paths: everything is decoded but `%2F` and `%25`,
/// so that no spelling of a path slips past a rule that another spelling meets.
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
                readable.extend_from_slice(&encoded(octet));
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
    let triplets = parts(path, b'%').skip(1);
    let mut octets = triplets.filter_map(|rest| triplet(&mut rest.bytes()));
    octets.any(is_unreserved)
}

pub(super) fn is_triplet(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// The octet of two hexadecimal digits.
pub(crate) fn triplet(digits: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let high = hex::digit(digits.next()?)?;
    let low = hex::digit(digits.next()?)?;
    Some((high << 4) | low)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    proptest::proptest! {
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
