//! Patterns of hosts, which the rules of a policy name.

use std::net::Ipv6Addr;

use super::PatternError;
use crate::http::authority::Authority;

/// A host without its port: exact, or `*.` and a suffix.
#[derive(Clone, Debug)]
pub enum HostPattern {
    /// This name only, in lower case.
    Exact(String),
    /// This address only, in each of its spellings.
    Address(Ipv6Addr),
    /// Any name that ends with this text, which starts with a dot.
    Under(String),
}

impl HostPattern {
    /// Compiles a host pattern.
    ///
    /// # Errors
    /// [`PatternError::Host`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let lower = text.to_ascii_lowercase();
        let under = lower.strip_prefix("*.");
        let host = Authority::parse(under.unwrap_or(&lower))
            .ok()
            .filter(|host| host.port().is_none() && !host.host().starts_with('.'))
            .ok_or(PatternError::Host)?;
        match (host.address(), under) {
            (Some(_), Some(_)) => Err(PatternError::Host),
            (Some(address), None) => Ok(Self::Address(address)),
            (None, Some(_)) => Ok(Self::Under(format!(".{}", host.host()))),
            (None, None) => Ok(Self::Exact(host.host().to_owned())),
        }
    }

    /// The one host that the pattern is for, if there is but one, as `filed` spells it.
    pub fn exact(&self) -> Option<String> {
        match self {
            Self::Exact(name) => Some(name.clone()),
            Self::Address(address) => Some(bracketed(*address)),
            Self::Under(_) => None,
        }
    }

    /// Whether an authority matches; its port and letter case do not matter.
    #[inline]
    pub fn matches(&self, authority: Authority<'_>) -> bool {
        let host = authority.host();
        match self {
            Self::Address(address) => authority.address() == Some(*address),
            Self::Exact(name) => host.eq_ignore_ascii_case(name),
            Self::Under(suffix) => host
                .len()
                .checked_sub(suffix.len())
                .filter(|&at| at > 0)
                .and_then(|at| host.get(at..))
                .is_some_and(|end| end.eq_ignore_ascii_case(suffix)),
        }
    }
}

/// The one spelling of a host under which an index files its rules.
#[inline]
pub(crate) fn filed(authority: Authority<'_>) -> String {
    match authority.address() {
        Some(address) => bracketed(address),
        None => authority.host().to_ascii_lowercase(),
    }
}

fn bracketed(address: Ipv6Addr) -> String {
    format!("[{address}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, authority: &str) -> bool {
        let authority = Authority::parse(authority).unwrap();
        HostPattern::parse(pattern).unwrap().matches(authority)
    }

    #[test]
    fn hosts_match_without_port_and_case() {
        for (authority, expected) in [
            ("beta.example.com", true),
            ("BETA.example.com:8443", true),
            ("beta.example.com.", true),
            ("a.beta.example.com", false),
            ("beta.example.com.evil", false),
        ] {
            assert_eq!(
                matches("Beta.example.com", authority),
                expected,
                "{authority}"
            );
            assert_eq!(
                matches("beta.example.com.", authority),
                expected,
                "{authority}"
            );
        }
        for (authority, expected) in [
            ("a.example.com:1", true),
            ("a.b.example.com", true),
            ("example.com", false),
            ("evilexample.com", false),
        ] {
            assert_eq!(matches("*.example.com", authority), expected, "{authority}");
        }
        for (authority, expected) in [
            ("[::1]:80", true),
            ("[0:0:0:0:0:0:0:1]", true),
            ("[::2]", false),
            ("1", false),
        ] {
            assert_eq!(matches("[::1]", authority), expected, "{authority}");
        }
        for wrong in [
            "", "*", "*.", "http://a", "a:80", "a/b", "a*", "*..a", ".a", "a..",
        ] {
            assert!(HostPattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
