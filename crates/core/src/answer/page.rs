//! The standard page of a rejection: one file without a script, in the operator's brand.

use std::sync::LazyLock;

use super::{Blanks, Spelling};
use crate::answer::brand::{Brand, hash_source};

const PAGE: &str = include_str!("page.html");

/// The page of a policy without a brand, and of the time before there is a policy.
pub(super) static UNBRANDED: LazyLock<Page> = LazyLock::new(|| Page::new(&Brand::default()));

/// The page, made once for each policy, and the content security policy that goes with it.
#[derive(Debug)]
pub struct Page {
    pub(super) body: Blanks,
    pub(super) security: String,
}

impl Page {
    /// The page in this brand.
    #[must_use]
    pub fn new(brand: &Brand) -> Self {
        let style = brand.style();
        let security = format!(
            "default-src 'none'; style-src {}; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
            hash_source(&style)
        );
        // No text of a brand has braces, so that none is taken for another part.
        let page = PAGE
            .replace("{style}", &style)
            .replace("{help}", &brand.help_link())
            .replace("{title_suffix}", &brand.title_suffix())
            .replace("{banner}", &brand.banner());
        Self {
            body: Blanks::of(&page, Spelling::Html),
            security,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::brand::{Color, Help, Logo, Name};
    use crate::answer::{Rejection, Scheme, Voice};
    use crate::http::request::Header;
    use crate::reason::Reason;

    fn brand() -> Brand {
        Brand {
            name: Some(Name::parse("Acme & Co").unwrap()),
            color: Color::parse("#ffd000").unwrap(),
            logo: Some(Logo::parse("data:image/svg+xml;base64,PHN2Zy8+").unwrap()),
            help: Some(Help::parse("https://help.acme.example/?a=1&b=2").unwrap()),
        }
    }

    /// The page and its content security policy.
    fn rejected(reason: Reason, page: &Page) -> (String, String) {
        let headers: Vec<Header> = [("accept", "text/html"), ("x-request-id", "r-1")]
            .map(|(name, value)| (name.into(), value.into()))
            .into();
        let voice = Voice {
            page: Some(page),
            ..Voice::default()
        };
        let scheme = Scheme::SignedUrl;
        let answer = Rejection { reason, scheme }.answer(&headers, &voice);
        let mut named = answer.headers.into_iter();
        let security = named.find(|(name, _)| name == "content-security-policy");
        (answer.body, security.unwrap().1.into_owned())
    }

    #[test]
    fn a_page_says_what_happened_and_what_to_do_next() {
        let (body, _) = rejected(Reason::MissingCredential, &UNBRANDED);
        for part in [
            "<html lang=\"en\">",
            "<title>This link is incomplete</title>",
            "<h1>This link is incomplete</h1>",
            "<p>It may have been cut off when it was copied.</p>",
            "ask the sender for a new one.",
            "Reference: <code>r-1</code>",
        ] {
            assert_eq!(body.matches(part).count(), 1, "{part}");
        }
        assert_eq!(body.matches("<h1>").count(), 1);
    }

    #[test]
    fn a_brand_shapes_the_page_and_nothing_of_it_is_markup() {
        let (body, _) = rejected(Reason::Expired, &Page::new(&brand()));
        for part in [
            "<title>This link has expired · Acme &amp; Co</title>",
            "<img src=\"data:image/svg+xml;base64,PHN2Zy8+\" alt=\"Acme &amp; Co\">",
            "href=\"https://help.acme.example/?a=1&amp;b=2\" rel=\"noreferrer\"",
            "--brand:#ffd000;--on-brand:#000000",
        ] {
            assert!(body.contains(part), "{part} is not in {body}");
        }
    }

    #[test]
    fn a_page_has_one_style_that_its_policy_names_and_no_script() {
        for page in [Page::new(&brand()), Page::new(&Brand::default())] {
            let (body, security) = rejected(Reason::UnknownKey, &page);
            let (_, rest) = body.split_once("<style>").unwrap();
            let (style, rest) = rest.split_once("</style>").unwrap();
            assert!(security.contains(&format!("style-src {};", hash_source(style))));
            assert!(security.starts_with("default-src 'none';") && !security.contains("unsafe"));
            assert!(!rest.contains("<style") && !body.contains(" style="));
            assert!(!body.contains("<script") && !body.contains("{help}"));
            assert!(style.contains("color-scheme: light dark"));
        }
    }

    #[test]
    fn unknown_forged_revoked_and_disabled_see_one_page() {
        let page = Page::new(&brand());
        let unknown = rejected(Reason::UnknownKey, &page);
        for reason in [Reason::ForgedKey, Reason::RevokedKey, Reason::DisabledKey] {
            assert_eq!(rejected(reason, &page), unknown);
        }
    }
}
