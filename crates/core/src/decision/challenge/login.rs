//! The way to a login: a redirect that brings the client back to this site and no other.

use super::{Asked, Step};
use crate::http::path::{is_unreserved, percent_encode};
use crate::http::query;
use crate::reason::Reason;

const PLACE: &str = "{url}";

/// Where to log in. Made by [`Login::parse`], so it leads to one site only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login(String);

/// Why a text is no redirect.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// Neither `https://HOST…` nor `/…`.
    #[error("must start with \"https://\" and a host, or with a single \"/\"")]
    Start,
    /// Something that no URL holds, or that browsers read in their own ways.
    #[error("must be visible ASCII without \"\\\", \"#\" and quotes")]
    Characters,
    /// `{url}` where it could change more than a parameter, or another brace.
    #[error("may contain {{url}} after the \"?\", and no other braces")]
    Placeholder,
}

impl Login {
    /// Reads `https://login.example/start?return_to={url}` or `/login?return_to={url}`.
    ///
    /// # Errors
    /// [`LoginError`].
    pub fn parse(text: &str) -> Result<Self, LoginError> {
        let fits = |byte: u8| byte.is_ascii_graphic() && !b"\\#\"'<>".contains(&byte);
        if !text.bytes().all(fits) {
            return Err(LoginError::Characters);
        }
        let (before_query, query) = text.split_once('?').unwrap_or((text, ""));
        let starts_well = match before_query.strip_prefix("https://") {
            Some(rest) => is_host(rest.split('/').next().unwrap_or_default()),
            None => before_query.starts_with('/') && !before_query.starts_with("//"),
        };
        if !starts_well {
            return Err(LoginError::Start);
        }
        if before_query.contains(['{', '}']) || query.replace(PLACE, "").contains(['{', '}']) {
            return Err(LoginError::Placeholder);
        }
        Ok(Self(text.to_owned()))
    }

    /// The path, if it is one of the protected site itself.
    pub fn own_path(&self) -> Option<&str> {
        self.0
            .split('?')
            .next()
            .filter(|path| path.starts_with('/'))
    }

    /// The address for a client that asked for this target. The target starts with one `/`,
    /// contains no `\` and is encoded as a whole: a client that decodes it stays on this site.
    pub fn location(&self, target: &str) -> String {
        let mut encoded = String::with_capacity(target.len());
        percent_encode(&mut encoded, target.as_bytes(), is_unreserved);
        self.0.replace(PLACE, &encoded)
    }

    pub(super) fn meet(&self, asked: &Asked<'_>) -> Step {
        if !asked.is_browser() {
            return asked.reject_for(Reason::ChallengeRequired);
        }
        // The login is another site: no credential in the target goes there.
        let secrets = asked.voice.secret_parameters;
        let location = self.location(&query::without_secrets(&asked.request.target, secrets));
        asked.challenge(
            302,
            vec![("location".into(), location.into())],
            String::new(),
        )
    }
}

/// A host with or without a port, and nothing like `user@host`.
fn is_host(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte);
    text.bytes().all(fits) && text.starts_with(|first: char| first != ':' && first != '.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::path::{Target, decode};

    #[test]
    fn a_redirect_leads_to_one_site_by_https_or_stays_on_this_one() {
        for good in [
            "/login",
            "/login?return_to={url}",
            "https://login.example",
            "https://login.example:8443/start?a=1&return_to={url}&b={url}",
            "https://[2001:db8::1]/?r={url}",
        ] {
            assert!(Login::parse(good).is_ok(), "{good}");
        }
        for (wrong, error) in [
            ("", LoginError::Start),
            ("login", LoginError::Start),
            ("//evil.example/", LoginError::Start),
            ("http://login.example/", LoginError::Start),
            ("HTTPS://login.example/", LoginError::Start),
            ("https://", LoginError::Start),
            ("https:///x", LoginError::Start),
            ("https://user@login.example/", LoginError::Start),
            ("https://{url}/", LoginError::Start),
            ("https://login.example{url}", LoginError::Start),
            ("javascript:alert(1)", LoginError::Start),
            ("/\\evil.example", LoginError::Characters),
            ("/a b", LoginError::Characters),
            ("/a\r\nset-cookie:x", LoginError::Characters),
            ("/a#{url}", LoginError::Characters),
            ("/caf\u{e9}", LoginError::Characters),
            ("/{url}", LoginError::Placeholder),
            ("/a?r={uri}", LoginError::Placeholder),
            ("/a?r={", LoginError::Placeholder),
            ("/a?r={{url}}", LoginError::Placeholder),
        ] {
            assert_eq!(Login::parse(wrong), Err(error), "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_way_back_never_leaves_the_site(target in "/[/\\\\a-z%2fF5cC.@:?&=#{}-]{0,24}") {
            let login = Login::parse("https://login.example/?return_to={url}&x=1").unwrap();
            if let Ok(parsed) = Target::parse(target.as_bytes()) {
                let location = login.location(parsed.whole);
                let rest = location.strip_prefix("https://login.example/?return_to=").unwrap();
                let back = rest.strip_suffix("&x=1").unwrap();
                // One parameter, whatever the target contains.
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
                proptest::prop_assert!(back.bytes().all(is_plain));
                let decoded = decode(back).unwrap();
                proptest::prop_assert_eq!(decoded.as_ref(), target.as_bytes());
                // Also for a login that decodes once too often.
                let path = target.split('?').next().unwrap();
                let twice = String::from_utf8(decode(path).unwrap().into_owned()).unwrap();
                proptest::prop_assert!(!twice.starts_with("//") && !twice.contains('\\'));
            }
        }
    }
}
