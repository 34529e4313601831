//! Providers of signed URLs from their written form: a file for each format, and what
//! they share.

mod cloudflare;
mod keygate;

use serde::Deserialize;

use super::Compiler;
use crate::signed_url::carrier::Carrier;
use crate::signed_url::{Format, SignedUrl};
use crate::time::Millis;

/// The name of every format of this build.
pub const FORMATS: &[&str] = &["cloudflare", "keygate"];

/// How far a signer's clock may be ahead, when the configuration does not say.
const DEFAULT_SKEW: Millis = Millis::from_secs(30);

/// More than this is no clock that is ahead, but a broken one.
const MAX_SKEW: Millis = Millis::from_secs(600);

/// A year and a day: what is to live for longer needs no link that expires.
const MAX_LIFETIME: Millis = Millis::from_secs(367 * 24 * 3600);

/// The written form of each format, for the schema.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(untagged, transform = super::schema::one_of)]
#[expect(dead_code, reason = "only its schema is used")]
pub enum Written {
    Cloudflare(cloudflare::Written),
    Keygate(keygate::Written),
}

/// A place in which a token may stand.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
enum Place {
    /// A parameter of the query.
    Query(String),
    /// A header of this name with nothing but the token.
    Header(String),
    /// A cookie of this name.
    Cookie(String),
    /// A segment of the path, /NAME=TOKEN/, which relative links keep.
    Path(String),
}

impl Compiler<'_> {
    pub(super) fn signed_url(
        &mut self,
        path: &str,
        format: &str,
        text: &[u8],
    ) -> Option<SignedUrl> {
        let format = match format {
            "cloudflare" => {
                let written = self.part(path, text)?;
                boxed(self.cloudflare(path, &written))
            }
            "keygate" => {
                let written = self.part(path, text)?;
                boxed(self.keygate(path, &written))
            }
            _ => {
                let message = format!("must be one of {}", FORMATS.join(", "));
                self.wrong(&format!("{path}.format"), message);
                None
            }
        };
        Some(SignedUrl { format: format? })
    }

    /// Where the tokens of a provider may stand; `default` when it does not say.
    fn places(
        &mut self,
        path: &str,
        written: &Option<Vec<Place>>,
        default: Carrier,
    ) -> Vec<Carrier> {
        let Some(written) = written else {
            return vec![default];
        };
        let path = format!("{path}.from");
        if written.is_empty() {
            self.wrong(&path, "must not be empty");
        }
        let mut carriers = Vec::new();
        for (index, place) in written.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let carrier = match place {
                Place::Query(name) => {
                    self.parameter(&format!("{path}.query"), name);
                    Carrier::Query(name.clone())
                }
                Place::Header(name) => {
                    Carrier::Header(self.header(&format!("{path}.header"), name))
                }
                Place::Cookie(name) => {
                    self.cookie(&format!("{path}.cookie"), name);
                    Carrier::Cookie(name.clone())
                }
                Place::Path(name) => {
                    self.parameter(&format!("{path}.path"), name);
                    Carrier::Path(name.clone())
                }
            };
            if carriers.contains(&carrier) {
                self.wrong(&path, "stands twice");
            }
            carriers.push(carrier);
        }
        if carriers
            .iter()
            .filter(|it| matches!(it, Carrier::Path(_)))
            .count()
            > 1
        {
            self.wrong(&path, "names two segments of the path: one is enough");
        }
        carriers
    }

    /// A span of at most `most`; without one, or with a wrong one, `default`.
    fn span_or(
        &mut self,
        path: &str,
        text: &Option<String>,
        default: Millis,
        most: Millis,
    ) -> Millis {
        let span = text.as_deref().and_then(|it| self.span(path, it));
        self.at_most(path, span, most);
        span.unwrap_or(default)
    }
}

fn boxed<F: Format + 'static>(format: Option<F>) -> Option<Box<dyn Format>> {
    format.map(|it| Box::new(it) as Box<dyn Format>)
}
