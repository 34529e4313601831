//! The operator's brand on the pages that Keygate serves: name, colour, logo and help link.
//!
//! Each value is parsed by a grammar of its own and escaped where it enters a page, so that
//! no configured text becomes markup. This module knows nothing of rejections or challenges.

mod color;
mod help;
mod logo;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::text::html::escaped;
pub use color::{Color, ColorError};
pub use help::{Help, HelpError};
pub use logo::{Logo, LogoError};

/// The colours of a page's background; page.css names the same two.
const SHEETS: [(Color, &str); 2] = [
    (Color([0xff, 0xff, 0xff]), ":root{VARIABLES}"),
    (
        Color([0x17, 0x1a, 0x1f]),
        "@media (prefers-color-scheme:dark){:root{VARIABLES}}",
    ),
];

const STYLE: &str = include_str!("brand/page.css");

/// How the pages look. `Default` is a page without a name or a logo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brand {
    /// The name of the site or its operator.
    pub name: Option<Name>,
    /// The accent colour.
    pub color: Color,
    /// The logo above the text.
    pub logo: Option<Logo>,
    /// Where a person finds help.
    pub help: Option<Help>,
}

/// A name of 1 to 64 printable characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// The text is not a name that fits a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1 to 64 characters, without control characters, braces, or leading or trailing \
         spaces"
)]
pub struct NameError;

impl Name {
    /// Parses a name.
    ///
    /// # Errors
    /// [`NameError`] for an empty, a longer or an unprintable text. Braces are rejected since
    /// they mark placeholders.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        // U+202A to U+202E and U+2066 to U+2069 change the direction of the text around them.
        let is_hidden = |it: char| {
            it.is_control()
                || matches!(it, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        let fits = |it: char| !is_hidden(it) && !['{', '}'].contains(&it);
        let is_short = (1..=64).contains(&text.chars().count());
        if is_short && text.trim() == text && text.chars().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError)
        }
    }
}

impl Brand {
    /// The style sheet of a page: the colours of both schemes, and what all pages share.
    pub(crate) fn style(&self) -> String {
        let colors = SHEETS.map(|(sheet, rule)| {
            let (brand, on_brand) = (self.color, self.color.text_on());
            let accent = self.color.legible_on(sheet);
            let variables = format!("--brand:{brand};--on-brand:{on_brand};--accent:{accent}");
            rule.replace("VARIABLES", &variables)
        });
        [&colors.concat(), "\n", STYLE].concat()
    }

    /// The end of a page's title: the name behind a separator.
    pub(crate) fn title_suffix(&self) -> String {
        let name = self.name.as_ref().map(|it| escaped(&it.0));
        name.map_or_else(String::new, |name| format!(" · {name}"))
    }

    /// The logo, else the name, above the text.
    pub(crate) fn banner(&self) -> String {
        let name = self.name.as_ref().map(|it| escaped(&it.0));
        match (&self.logo, name) {
            (Some(logo), name) => {
                let (source, name) = (logo.url(), name.unwrap_or_default());
                format!("<p class=\"brand\"><img src=\"{source}\" alt=\"{name}\"></p>\n")
            }
            (None, Some(name)) => format!("<p class=\"brand\">{name}</p>\n"),
            (None, None) => String::new(),
        }
    }

    /// The link to the operator's help. The help page does not receive this address, which may
    /// contain a credential.
    pub(crate) fn help_link(&self) -> String {
        let link = self.help.as_ref().map(|help| {
            let to = escaped(help.url());
            format!("<p><a class=\"help\" href=\"{to}\" rel=\"noreferrer\">Get help</a></p>\n")
        });
        link.unwrap_or_default()
    }
}

/// The source expression by which a content security policy admits one inline text.
pub(crate) fn hash_source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_printable_and_has_no_placeholder() {
        for good in ["Acme", "Müller & Söhne <GmbH>", "株式会社", &"x".repeat(64)] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
        let long = "x".repeat(65);
        for wrong in ["", " a", "a ", "a\nb", "{message}", "a\u{202e}b", &long] {
            assert_eq!(Name::parse(wrong), Err(NameError), "{wrong:?}");
        }
    }

    #[test]
    fn a_configured_text_never_becomes_markup() {
        let brand = Brand {
            name: Some(Name::parse("<b>\"A\" & 'B'").unwrap()),
            help: Some(Help::parse("https://help.example/?a=1&b='2'").unwrap()),
            ..Brand::default()
        };
        let name = "&lt;b&gt;&quot;A&quot; &amp; &#39;B&#39;";
        assert_eq!(brand.banner(), format!("<p class=\"brand\">{name}</p>\n"));
        assert_eq!(brand.title_suffix(), format!(" · {name}"));
        assert!(brand.help_link().contains("?a=1&amp;b=&#39;2&#39;\""));
    }

    #[test]
    fn a_page_without_a_brand_has_no_empty_parts() {
        let brand = Brand::default();
        let parts = [brand.banner(), brand.help_link(), brand.title_suffix()];
        assert_eq!(parts.concat(), "");
    }

    #[test]
    fn the_style_names_the_sheets_that_contrast_is_computed_for() {
        for (sheet, _) in SHEETS {
            assert!(STYLE.contains(&format!("--sheet: {sheet};")), "{sheet}");
        }
    }
}
