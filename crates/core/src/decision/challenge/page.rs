//! The page that a challenged person sees: one file, no request to anywhere else, and a
//! content security policy that allows exactly this script.

use crate::answer::Headers;
use crate::answer::brand::{Brand, hash_source};
use crate::http::request::Request;

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

/// The page in the operator's brand, made once for each policy.
#[derive(Debug)]
pub struct Page {
    /// The page without a challenge in it.
    blank: String,
    security: String,
}

impl Page {
    /// The page in this brand.
    #[must_use]
    pub fn new(brand: &Brand) -> Self {
        let style = [&brand.style(), STYLE].concat();
        let security = format!(
            "default-src 'none'; script-src {}; style-src {}; img-src data:; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            hash_source(SCRIPT),
            hash_source(&style)
        );
        // No text of a brand has braces, so that none is taken for another part.
        let blank = PAGE
            .replace("{style}", &style)
            .replace("{banner}", &brand.banner())
            .replace("{title_suffix}", &brand.title_suffix())
            .replace("{help}", &brand.help_link());
        Self { blank, security }
    }

    /// The headers that go with every such page.
    pub(super) fn headers(&self) -> Headers {
        vec![
            ("content-type".into(), "text/html; charset=utf-8".into()),
            (
                "content-security-policy".into(),
                self.security.clone().into(),
            ),
        ]
    }

    /// The page with this challenge in it.
    pub(super) fn body(&self, token: &str, difficulty: u8, request: &Request<'_>) -> String {
        let id = request.text("x-request-id");
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let shown = id.len() <= 64 && id.bytes().all(is_plain);
        // Nothing that is filled in can close an attribute or hold another placeholder.
        self.blank
            .replace("{token}", token)
            .replace("{difficulty}", &difficulty.to_string())
            .replace("{request_id}", if shown { &id } else { "" })
            .replace("{script}", SCRIPT)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::http::request::Header;

    fn blank() -> Page {
        Page::new(&Brand::default())
    }

    fn page(request_id: &str) -> String {
        let headers: Vec<Header> = [
            (":method", "GET"),
            (":path", "/"),
            (":authority", "h"),
            ("x-request-id", request_id),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .to_vec();
        blank().body("1.token", 16, &Request::read(&headers).unwrap())
    }

    fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
        let (_, rest) = page.split_once(from).unwrap();
        rest.split_once(to).unwrap().0
    }

    #[test]
    fn the_policy_of_the_page_names_its_script_and_its_style_by_hash() {
        let page = page("r-1");
        let policy = blank().headers().pop().unwrap().1;
        for (kind, text) in [
            ("script", between(&page, "<script>", "</script>")),
            ("style", between(&page, "<style>", "</style>")),
        ] {
            let hash = STANDARD.encode(Sha256::digest(text));
            assert!(policy.contains(&format!("{kind}-src 'sha256-{hash}';")));
            assert_eq!(page.matches(&format!("<{kind}")).count(), 1);
        }
        assert!(!policy.contains("unsafe") && policy.contains("connect-src 'self'"));
        assert!(!PAGE.contains(" style="), "the policy would block it");
    }

    #[test]
    fn the_page_holds_the_challenge_and_the_id_of_the_request() {
        let page = page("r-1");
        assert!(page.contains("data-token=\"1.token\" data-difficulty=\"16\""));
        assert!(page.contains("r-1") && page.contains("<noscript>"));
    }

    #[test]
    fn an_id_that_is_no_id_is_not_shown() {
        for id in ["<b>", "{script}", "a\"b", &"x".repeat(65)] {
            assert!(!page(id).contains(&format!("<code>{id}<")), "{id}");
        }
    }
}
