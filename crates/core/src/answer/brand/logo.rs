//! A logo as a data URL: nothing is loaded from elsewhere when a page is shown.
//!
//! An SVG is allowed because it is only used in an `img` element, where browsers run no script
//! of it and load nothing that it names.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest image, in bytes. Every rejected page load carries it.
const MAX_BYTES: usize = 16 * 1024;

/// Whether the bytes of a file are of a kind.
type IsOfKind = fn(&[u8]) -> bool;

/// The kinds of image: the start of the URL, and whether bytes are such an image.
const KINDS: [(&str, IsOfKind); 3] = [
    ("data:image/png;base64,", |bytes| {
        bytes.starts_with(b"\x89PNG\r\n\x1a\n")
    }),
    ("data:image/webp;base64,", |bytes| {
        bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP")
    }),
    ("data:image/svg+xml;base64,", |bytes| {
        std::str::from_utf8(bytes).is_ok_and(|text| text.contains("<svg"))
    }),
];

/// A data URL of a PNG, WebP or SVG image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo(String);

/// Why a text is not a logo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogoError {
    /// Another kind of URL or image.
    #[error(
        "must start with \"data:image/png;base64,\", \"data:image/webp;base64,\" or \
         \"data:image/svg+xml;base64,\""
    )]
    Kind,
    /// The data is not padded base64 of RFC 4648 section 4.
    #[error("is not base64 after the \",\": use the output of `base64 --wrap=0 logo.png`")]
    Base64,
    /// More than 16 KiB.
    #[error("is larger than 16 KiB: use a smaller image")]
    TooLarge,
    /// The bytes are not an image of the kind that the URL names.
    #[error("is not an image of the type that the URL names")]
    Content,
}

impl Logo {
    /// Parses a data URL, and looks at the first bytes of the image.
    ///
    /// # Errors
    /// [`LogoError`].
    pub fn parse(text: &str) -> Result<Self, LogoError> {
        let mut kinds = KINDS.iter();
        let found = kinds.find_map(|(start, is_kind)| Some((text.strip_prefix(start)?, is_kind)));
        let (data, is_kind) = found.ok_or(LogoError::Kind)?;
        // Four characters for three bytes.
        if data.len() > MAX_BYTES.div_ceil(3).saturating_mul(4) {
            return Err(LogoError::TooLarge);
        }
        let bytes = STANDARD.decode(data).map_err(|_| LogoError::Base64)?;
        if bytes.len() > MAX_BYTES {
            return Err(LogoError::TooLarge);
        }
        match is_kind(&bytes) {
            true => Ok(Self(text.to_owned())),
            false => Err(LogoError::Content),
        }
    }

    /// The URL: letters, digits and `:/;,+=` alone, so that an attribute needs no escape.
    pub(super) fn url(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(kind: &str, bytes: &[u8]) -> String {
        format!("data:image/{kind};base64,{}", STANDARD.encode(bytes))
    }

    #[test]
    fn a_logo_is_a_small_image_of_the_type_that_it_names() {
        let mut largest = b"<svg/>".to_vec();
        largest.resize(MAX_BYTES, b' ');
        for good in [
            url("png", b"\x89PNG\r\n\x1a\nrest"),
            url("webp", b"RIFF\x04\0\0\0WEBPrest"),
            url("svg+xml", b"<?xml version=\"1.0\"?><svg></svg>"),
            url("svg+xml", &largest),
        ] {
            assert_eq!(Logo::parse(&good).map(|it| it.0), Ok(good));
        }
        largest.push(b' ');
        let png = url("png", b"\x89PNG\r\n\x1a\nrest");
        for (wrong, error) in [
            (String::new(), LogoError::Kind),
            ("https://acme.example/logo.png".into(), LogoError::Kind),
            ("data:text/html;base64,PGI+".into(), LogoError::Kind),
            ("data:image/png,x".into(), LogoError::Kind),
            ("data:image/svg+xml,<svg/>".into(), LogoError::Kind),
            (url("gif", b"GIF89a"), LogoError::Kind),
            (format!("{png}\" onload=\"x"), LogoError::Base64),
            (format!("{png}\n"), LogoError::Base64),
            (url("png", b"").replace(',', ",-_"), LogoError::Base64),
            (url("png", b"<svg/>"), LogoError::Content),
            (url("svg+xml", b"\xff<svg/>"), LogoError::Content),
            (url("svg+xml", &largest), LogoError::TooLarge),
        ] {
            assert_eq!(Logo::parse(&wrong), Err(error), "{wrong:.60}");
        }
    }
}
