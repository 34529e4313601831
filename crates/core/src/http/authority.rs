//! The `:authority` of a request, parsed once: rules and formats of links read it here alone.
//!
//! The grammar permits what a host may be and nothing else, so that no server behind the
//! proxy can find another host in it. Every accepted name ends at its only colon, and every
//! accepted literal at its only `]`.

use std::fmt;
use std::net::Ipv6Addr;

use crate::text::cut::cut;

/// The longest name of a host, without its trailing dot (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;

/// A host, and a port if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    text: &'a str,
    host: &'a str,
    address: Option<Ipv6Addr>,
    port: Option<u16>,
}

/// The text is not a host with an optional port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a host name or an IPv6 address in brackets, with or without a port")]
pub struct NotAnAuthority;

impl<'a> Authority<'a> {
    /// Parses a name of 1 to 253 letters, digits, `-`, `_` and `.`, which has no empty label and
    /// may end with one more dot, or an IPv6 address in brackets; then nothing, or `:` and a port of 1 to 5
    /// digits.
    ///
    /// # Errors
    /// [`NotAnAuthority`] for everything else.
    #[inline]
    pub fn parse(text: &'a str) -> Result<Self, NotAnAuthority> {
        let parsed = match text.strip_prefix('[') {
            Some(literal) => Self::literal(text, literal),
            None => Self::name(text),
        };
        parsed.ok_or(NotAnAuthority)
    }

    fn name(text: &'a str) -> Option<Self> {
        let (name, port) = match cut(text, b':') {
            Some((name, digits)) => (name, Some(port(digits)?)),
            None => (text, None),
        };
        let host = name.strip_suffix('.').unwrap_or(name);
        // For some servers `*` matches an empty label, for others it does not.
        let mut before = b'.';
        let is_name = (1..=MAX_NAME).contains(&host.len())
            && host
                .bytes()
                .all(|byte| match std::mem::replace(&mut before, byte) {
                    b'.' => byte.is_ascii_alphanumeric() || b"-_".contains(&byte),
                    _ => byte.is_ascii_alphanumeric() || b"-_.".contains(&byte),
                });
        // One trailing dot says that a name is rooted; two say nothing.
        (is_name && before != b'.').then_some(Self {
            text,
            host,
            address: None,
            port,
        })
    }

    fn literal(text: &'a str, literal: &'a str) -> Option<Self> {
        let (address, rest) = literal.split_once(']')?;
        let port = match rest.strip_prefix(':') {
            Some(digits) => Some(port(digits)?),
            None if rest.is_empty() => None,
            None => return None,
        };
        let end = text.len().checked_sub(rest.len())?;
        Some(Self {
            text,
            host: text.get(..end)?,
            address: Some(address.parse().ok()?),
            port,
        })
    }

    /// The whole text, as it arrived.
    #[inline]
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// The host without its port and without the dot of a rooted name, in the letter case in
    /// which it arrived; an IPv6 address has its brackets.
    #[inline]
    pub fn host(self) -> &'a str {
        self.host
    }

    /// The address, if the host is an IPv6 literal: one address has many spellings.
    #[inline]
    pub fn address(self) -> Option<Ipv6Addr> {
        self.address
    }

    /// The port, if there is one.
    #[inline]
    pub fn port(self) -> Option<u16> {
        self.port
    }

    /// The text as a signer has it: without the port if `scheme` implies it. Where the scheme
    /// is neither `http` nor `https`, either default port goes.
    #[inline]
    pub fn without_default_port(self, scheme: &str) -> &'a str {
        let is_default = match (self.port, scheme) {
            (Some(80), "https") | (Some(443), "http") => false,
            (port, _) => matches!(port, Some(80 | 443)),
        };
        match self.text.rsplit_once(':') {
            Some((host, _)) if is_default => host,
            _ => self.text,
        }
    }
}

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

#[inline]
fn port(digits: &str) -> Option<u16> {
    let is_port = (1..=5).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
    is_port.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_host_and_perhaps_a_port() {
        for (text, host, port) in [
            ("a.example", "a.example", None),
            ("A_b-1.example.:8443", "A_b-1.example", Some(8443)),
            ("localhost:0", "localhost", Some(0)),
            ("127.0.0.1:00080", "127.0.0.1", Some(80)),
            ("[::1]", "[::1]", None),
            ("[::ffff:1.2.3.4]:65535", "[::ffff:1.2.3.4]", Some(65535)),
        ] {
            let parsed = Authority::parse(text).unwrap();
            assert_eq!((parsed.host(), parsed.port()), (host, port), "{text}");
            assert_eq!(parsed.as_str(), text);
        }
    }

    #[test]
    fn a_name_with_an_empty_label_is_none() {
        for text in [
            ".admin.example",
            "a..example",
            "..",
            ".a:80",
            "a..",
            ".a.",
            ".",
        ] {
            assert_eq!(Authority::parse(text), Err(NotAnAuthority), "{text}");
        }
    }

    #[test]
    fn the_default_port_of_its_scheme_is_dropped() {
        for (text, scheme, expected) in [
            ("h:80", "http", "h"),
            ("h:080", "http", "h"),
            ("h:443", "https", "h"),
            ("h:443", "http", "h:443"),
            ("h:80", "https", "h:80"),
            ("h:8080", "http", "h:8080"),
            ("h:80", "", "h"),
            ("h:443", "", "h"),
            ("[::1]:80", "http", "[::1]"),
            ("[::80]", "http", "[::80]"),
            ("h", "http", "h"),
        ] {
            let parsed = Authority::parse(text).unwrap();
            assert_eq!(parsed.without_default_port(scheme), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn an_accepted_name_has_one_reading_at_any_colon(text in "[aA1._:,;@%\\[\\]-]{0,12}") {
            if let Ok(parsed) = Authority::parse(&text) {
                let bare = |it: &str| it.strip_suffix('.').unwrap_or(it).to_owned();
                if parsed.address().is_some() {
                    proptest::prop_assert_eq!(text.matches(']').count(), 1);
                    let end = text.find(']').unwrap();
                    proptest::prop_assert_eq!(&text[..=end], parsed.host());
                } else {
                    let first = text.split_once(':').map_or(&*text, |it| it.0);
                    let last = text.rsplit_once(':').map_or(&*text, |it| it.0);
                    proptest::prop_assert_eq!(bare(first), parsed.host());
                    proptest::prop_assert_eq!(bare(last), parsed.host());
                }
            }
        }

        #[test]
        fn an_accepted_literal_ends_at_its_only_bracket(
            address: std::net::Ipv6Addr,
            tail in "(\\]|:[0-9]{0,6}|x|\\.){0,2}",
        ) {
            let text = format!("[{address}]{tail}");
            let is_port = tail.strip_prefix(':').is_some_and(|digits| {
                digits.len() <= 5 && digits.parse::<u16>().is_ok()
            });
            let parsed = Authority::parse(&text);
            proptest::prop_assert_eq!(parsed.is_ok(), tail.is_empty() || is_port);
            if let Ok(parsed) = parsed {
                proptest::prop_assert_eq!(parsed.host(), format!("[{address}]"));
                proptest::prop_assert_eq!(parsed.address(), Some(address));
            }
        }

        #[test]
        fn untrusted_bytes_never_panic_the_parser(text: String) {
            let _ = Authority::parse(&text);
        }
    }
}
