//! `"brand"`: how it is written, and what is made of it.

use serde::Deserialize;

use super::Compiler;
use super::read::object;
use crate::answer::brand::{Brand, Color, Help, Logo, Name};

/// Appearance of the pages that Keygate itself serves: the standard page of a rejected
/// request, and the page of a challenge.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Brand"))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct Written {
    /// Name of the site or its operator, 1 to 64 characters. Default: none.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
    pub name: Option<String>,
    /// Accent colour as #rrggbb. Text in this colour is adjusted until it is legible on light
    /// and dark backgrounds. Default: #2563eb.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^#[0-9A-Fa-f]{6}$")))]
    pub color: Option<String>,
    /// Logo as a base64 data URL: PNG, WebP or SVG of at most 16 KiB. Default: none.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^data:image/(png|webp|svg\\+xml);base64,[A-Za-z0-9+/=]+$")))]
    pub logo: Option<String>,
    /// Link to help for users: an https: or mailto: URL. Default: none.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^(https://|mailto:)")))]
    pub help: Option<String>,
}

object!(Written);

impl Compiler<'_> {
    pub(super) fn brand(&mut self, written: &Option<Written>) -> Brand {
        let Some(written) = written else {
            return Brand::default();
        };
        let (name, color) = (written.name.as_deref(), written.color.as_deref());
        let (logo, help) = (written.logo.as_deref(), written.help.as_deref());
        Brand {
            name: name.and_then(|it| self.checked("brand.name", Name::parse(it))),
            color: color
                .and_then(|it| self.checked("brand.color", Color::parse(it)))
                .unwrap_or_default(),
            logo: logo.and_then(|it| self.checked("brand.logo", Logo::parse(it))),
            help: help.and_then(|it| self.checked("brand.help", Help::parse(it))),
        }
    }
}
