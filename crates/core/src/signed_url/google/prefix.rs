//! `URLPrefix`: the beginning of the URLs that a signature opens.
//!
//! To Google it is the beginning of a text: `https://h/video` opens `/video-private` too. Here
//! it ends where a path segment does.

use super::base64url::{Padding, decode};
use crate::http::authority::Authority;
use crate::http::path::{Target, canonical};
use crate::reason::Reason;
use crate::signed_url::format::Covers;
use crate::signed_url::parts::wildcard;

/// A prefix as read: `https://media.example.com/videos/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UrlPrefix {
    scheme: &'static str,
    /// In lower case, without the default port of the scheme.
    authority: String,
    /// Canonical; empty, or it starts with `/`.
    path: String,
}

impl UrlPrefix {
    /// Reads the base64url of a prefix.
    ///
    /// # Errors
    /// [`Reason::MalformedCredential`] for what is no scheme, authority and path, or has a
    /// query, a fragment or an ambiguous path.
    pub(crate) fn parse(text: &str, padding: Padding) -> Result<Self, Reason> {
        let read = || {
            let bytes = decode(text, padding)?;
            let url = std::str::from_utf8(&bytes).ok()?;
            let (scheme, rest) = ["https", "http"].into_iter().find_map(|scheme| {
                let rest = url.strip_prefix(scheme)?.strip_prefix("://")?;
                Some((scheme, rest))
            })?;
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let authority = Authority::parse(authority).ok()?;
            let is_path = path.is_empty() || Target::parse(path.as_bytes()).is_ok();
            if !is_path {
                return None;
            }
            // A prefix is no request: `?` in it would begin a query.
            (!path.contains('?')).then(|| Self {
                scheme,
                authority: authority.without_default_port(scheme).to_ascii_lowercase(),
                path: canonical(path).into_owned(),
            })
        };
        read().ok_or(Reason::MalformedCredential)
    }

    /// What it opens for a URL, if it does.
    pub(crate) fn covers<'a>(
        &self,
        scheme: &str,
        authority: Authority<'_>,
        path: &'a str,
    ) -> Option<Covers<'a>> {
        let authority = authority.without_default_port(scheme);
        if self.scheme != scheme || !self.authority.eq_ignore_ascii_case(authority) {
            return None;
        }
        let canonical = canonical(path);
        let rest = canonical.strip_prefix(self.path.as_str())?;
        let is_boundary = self.path.ends_with('/') || rest.is_empty() || rest.starts_with('/');
        if !is_boundary {
            return None;
        }
        let slashes = self.path.matches('/').count();
        let slashes = slashes.saturating_add(usize::from(!self.path.ends_with('/')));
        Some(wildcard::leading(path, slashes).map_or(Covers::Path, Covers::Prefix))
    }

    /// The URL with which it begins.
    #[cfg(feature = "tools")]
    pub(crate) fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE;

    fn parse(url: &str) -> Result<UrlPrefix, Reason> {
        UrlPrefix::parse(&URL_SAFE.encode(url), Padding::Always)
    }

    #[test]
    fn a_prefix_ends_where_a_segment_does() {
        let host = Authority::parse("h").unwrap();
        for (url, path, covers) in [
            (
                "https://h/videos/",
                "/videos/a/b",
                Some(Covers::Prefix("/videos/")),
            ),
            (
                "https://H/videos/",
                "/%76ideos/",
                Some(Covers::Prefix("/%76ideos/")),
            ),
            (
                "https://h/videos",
                "/videos/a",
                Some(Covers::Prefix("/videos/")),
            ),
            ("https://h/videos", "/videos", Some(Covers::Path)),
            ("https://h", "/a", Some(Covers::Prefix("/"))),
            ("https://h/", "/a/b", Some(Covers::Prefix("/"))),
            ("https://h/videos", "/videos-private", None),
            ("https://h/videos", "/video", None),
            ("https://h/videos/", "/videos", None),
            ("http://h/videos/", "/videos/a", None),
            ("https://hh/", "/a", None),
            ("https://h:443/", "/a", Some(Covers::Prefix("/"))),
            ("https://h:80/", "/a", None),
        ] {
            assert_eq!(
                parse(url).unwrap().covers("https", host, path),
                covers,
                "{url} {path}"
            );
        }
    }

    #[test]
    fn an_invalid_prefix_is_malformed() {
        for url in [
            "",
            "https",
            "https://",
            "https:///a",
            "ftp://h/",
            "HTTPS://h/",
            "h/a",
            "https://u@h/",
            "https://h/a?b",
            "https://h/a#b",
            "https://h?",
            "https://h/a/../b",
            "https://h//a",
            "https://h/%2e%2e/",
            "https://h\\a/",
            "https://h/a b",
        ] {
            assert_eq!(parse(url), Err(Reason::MalformedCredential), "{url}");
        }
    }

    proptest::proptest! {
        #[test]
        fn untrusted_text_never_panics(text: String, url: String, path: String) {
            let _ = UrlPrefix::parse(&text, Padding::Either);
            if let Ok(prefix) = parse(&format!("https://h/{url}")) {
                let _ = prefix.covers("https", Authority::parse("h").unwrap(), &path);
            }
        }
    }
}
