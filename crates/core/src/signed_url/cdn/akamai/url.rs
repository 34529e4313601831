//! The spellings of a URL that a signer may have signed behind `url=`.
//!
//! It is not transmitted, so what was signed must be found: the libraries of Akamai
//! percent-encode it in two ways, or not at all.

use crate::http::path::{canonical, readable};

use super::token::reads_as_fields;

/// What `url=` may contain for this path and query, the most likely first.
pub(super) fn spellings(url: &str) -> Vec<String> {
    let (path, query) = match url.find('?') {
        Some(at) => url.split_at(at),
        None => (url, ""),
    };
    let mut plain = vec![url.to_owned(), canonical(url).into_owned()];
    let path = readable(path);
    // A decoded `?` of the path would be the first of a query.
    if !path.contains('?') {
        plain.push(format!("{path}{}", readable_query(query)));
        plain.push(format!("{path}{query}"));
    }
    let mut all: Vec<String> = Vec::new();
    // A path in which something reads as a field could end where the next field begins.
    let clear = plain.iter().filter(|it| !reads_as_fields(it));
    let escaped = plain
        .iter()
        .flat_map(|it| [escape_plus(it), escape_component(it)]);
    for spelling in clear.cloned().chain(escaped) {
        if !all.contains(&spelling) {
            all.push(spelling);
        }
    }
    all
}

/// A query in which all that could not stand there otherwise is plain, such as a blank. An
/// escaped `&` or `=` means something else than a plain one, and stays.
fn readable_query(query: &str) -> String {
    let canonical = canonical(query);
    let mut pieces = canonical.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let digits = piece.get(..2).unwrap_or_default();
        let is_hex = digits.bytes().all(|it| it.is_ascii_hexdigit());
        let octet = u8::from_str_radix(digits, 16).ok().filter(|_| is_hex);
        let is_never_plain = |it: &u8| !(b'!'..=b'~').contains(it) || b"\"<>^`{|}".contains(it);
        match octet.filter(is_never_plain) {
            Some(octet) => {
                bytes.push(octet);
                bytes.extend_from_slice(piece.get(2..).unwrap_or_default().as_bytes());
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(piece.as_bytes());
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| canonical.into_owned())
}

/// `quote_plus` of Python's urllib, as Akamai's Python library has it: a blank is `+`, and
/// hexadecimal digits are in lower case.
pub(super) fn escape_plus(text: &str) -> String {
    escape(text, b"-._~").replace("%20", "+")
}

/// `encodeURIComponent` of ECMAScript, and of its exceptions `~`, `'` and `*` as well, as
/// Akamai's JavaScript library has it; hexadecimal digits are in lower case.
pub(super) fn escape_component(text: &str) -> String {
    escape(text, b"-._!()")
}

fn escape(text: &str, kept: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02x}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_libraries_are_followed() {
        let text = "/a b~c'*!()?x=1&y=\u{e9}%20";
        assert_eq!(
            escape_plus(text),
            "%2fa+b~c%27%2a%21%28%29%3fx%3d1%26y%3d%c3%a9%2520"
        );
        assert_eq!(
            escape_component(text),
            "%2fa%20b%7ec%27%2a!()%3fx%3d1%26y%3d%c3%a9%2520"
        );
    }

    #[test]
    fn a_path_that_reads_as_fields_is_no_plain_spelling() {
        let plain = |url: &str| spellings(url).iter().any(|it| it.starts_with('/'));
        assert!(plain("/a~b?c=1"));
        assert!(!plain("/b~url=/a"));
        assert!(!plain("/a~salt=NaCl"));
    }

    #[test]
    fn an_escaped_separator_of_a_query_stays_one() {
        let all = spellings("/a%20b?x=1%26y=2");
        assert!(all.contains(&"/a b?x=1%26y=2".to_owned()));
        let all = spellings("/a?x=%C3%A9%20%2B%zz%4%");
        assert!(all.contains(&"/a?x=\u{e9} %2B%zz%4%".to_owned()));
        assert!(!all.iter().any(|it| it.contains("x=1&y")));
    }
}
