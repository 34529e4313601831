//! Providers of signed URLs from their written form: a file for each format, and what
//! they share.

#[cfg(feature = "formats-cdn")]
mod akamai;
#[cfg(feature = "formats-storage")]
mod azure_sas;
#[cfg(feature = "formats-cdn")]
mod bunny;
mod cloudflare;
#[cfg(feature = "formats-cloudfront")]
mod cloudfront;
mod exchange;
#[cfg(feature = "formats-cdn")]
mod fastly;
#[cfg(feature = "formats-google")]
mod google_cdn;
#[cfg(feature = "formats-images")]
mod google_maps;
#[cfg(feature = "formats-google")]
mod google_media_cdn;
#[cfg(feature = "formats-standards")]
mod http_signature;
#[cfg(feature = "formats-images")]
mod imgproxy;
#[cfg(feature = "formats-cdn")]
mod keycdn;
mod keygate;
#[cfg(feature = "formats-cdn")]
mod nginx;
#[cfg(any(
    feature = "formats-cdn",
    feature = "formats-google",
    feature = "formats-images"
))]
mod parts;
#[cfg(feature = "formats-storage")]
mod s3;
#[cfg(feature = "formats-images")]
mod thumbor;
#[cfg(feature = "formats-standards")]
mod uri_signing;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::written::ProviderType;
use super::{Compiler, item, member};
use crate::secret::{RingEntry, Secret};
use crate::signed_url::carrier::Carrier;
pub(in crate::config) use cloudflare::LinkScope;
#[cfg(feature = "schema")]
pub(crate) use exchange::Written as Exchange;

use crate::signed_url::SignedUrl;
use crate::signed_url::format::Format;
use crate::time::Millis;

/// How far a signer's clock may be ahead, when the configuration does not say.
const DEFAULT_SKEW: Millis = Millis::from_secs(30);

/// More than this is no clock that is ahead, but a broken one.
const MAX_SKEW: Millis = Millis::from_secs(600);

/// Fewer bytes than this can be guessed, once somebody has a link to try them on.
const MIN_SECRET: usize = 16;

/// A year and a day: what is to live for longer needs no link that expires.
const MAX_LIFETIME: Millis = Millis::from_secs(367 * 24 * 3600);

/// For each format its name, and the module and function that read it.
macro_rules! formats {
    ($($(#[$gate:meta])? $name:literal => $module:ident, $Variant:ident;)*) => {
        /// The name of every format of this build.
        pub const FORMATS: &[&str] = &[$($(#[$gate])? $name),*];

        /// The written form of each format, for the schema.
        #[cfg(feature = "schema")]
        #[derive(schemars::JsonSchema)]
        #[schemars(untagged, transform = super::schema::one_of)]
        #[expect(dead_code, reason = "only its schema is used")]
        pub(super) enum Written {
            $($(#[$gate])? $Variant($module::Written),)*
        }

        impl Compiler<'_> {
            pub(super) fn signed_url(
                &mut self,
                path: &str,
                format: &str,
                text: &RawValue,
                head: &ProviderType<'_>,
            ) -> Option<SignedUrl> {
                // The one member that every format has, and none reads.
                let exchange = match head.exchanges.as_slice() {
                    [] => None,
                    [exchange] => Some(self.exchange(path, exchange)),
                    [first, ..] => {
                        self.wrong(&format!("{path}.exchange"), "stands twice");
                        let _ = self.exchange(path, first);
                        return None;
                    }
                };
                let ring: Option<String> =
                    head.secrets.and_then(|it| serde_json::from_str(it.get()).ok());
                let format = match format {
                    $($(#[$gate])? $name => {
                        let written = self.part(path, text)?;
                        let format = self.$module(path, &written)?;
                        Some(Box::new(format) as Box<dyn Format>)
                    })*
                    _ => {
                        let message = format!("must be one of {}", FORMATS.join(", "));
                        self.wrong_in(path, "format", message);
                        None
                    }
                };
                Some(SignedUrl {
                    format: format?,
                    ring: ring.and_then(|name| self.secrets.get(&name))?.spans(),
                    // A wrong one is a problem already, and leaves none.
                    exchange: exchange.flatten(),
                })
            }
        }
    };
}

formats! {
    #[cfg(feature = "formats-cdn")]
    "akamai" => akamai, Akamai;
    #[cfg(feature = "formats-storage")]
    "azure-sas" => azure_sas, AzureSas;
    #[cfg(feature = "formats-cdn")]
    "bunny" => bunny, Bunny;
    "cloudflare" => cloudflare, Cloudflare;
    #[cfg(feature = "formats-cloudfront")]
    "cloudfront" => cloudfront, CloudFront;
    #[cfg(feature = "formats-cdn")]
    "fastly" => fastly, Fastly;
    #[cfg(feature = "formats-google")]
    "google-cdn" => google_cdn, GoogleCdn;
    #[cfg(feature = "formats-images")]
    "google-maps" => google_maps, GoogleMaps;
    #[cfg(feature = "formats-google")]
    "google-media-cdn" => google_media_cdn, GoogleMediaCdn;
    #[cfg(feature = "formats-standards")]
    "http-signature" => http_signature, HttpSignature;
    #[cfg(feature = "formats-images")]
    "imgproxy" => imgproxy, Imgproxy;
    #[cfg(feature = "formats-cdn")]
    "keycdn" => keycdn, Keycdn;
    "keygate" => keygate, Keygate;
    #[cfg(feature = "formats-cdn")]
    "nginx" => nginx, Nginx;
    #[cfg(feature = "formats-storage")]
    "s3" => s3, S3;
    #[cfg(feature = "formats-images")]
    "thumbor" => thumbor, Thumbor;
    #[cfg(feature = "formats-standards")]
    "uri-signing" => uri_signing, UriSigning;
}

/// A place in which a token may stand.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
enum Place {
    /// A parameter of the query.
    #[serde(rename = "query")]
    Query(String),
    /// A header of this name with nothing but the token.
    #[serde(rename = "header")]
    Header(String),
    /// A cookie of this name.
    #[serde(rename = "cookie")]
    Cookie(String),
    /// A segment of the path, /NAME=TOKEN/, which relative links keep.
    #[serde(rename = "path")]
    Path(String),
}

impl Compiler<'_> {
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
        let path = member(path, "from");
        if written.is_empty() {
            self.wrong(&path, "must not be empty");
        }
        let mut carriers = Vec::new();
        for (index, place) in written.iter().enumerate() {
            let path = item(&path, index);
            let carrier = match place {
                Place::Query(name) => {
                    self.parameter(&member(&path, "query"), name);
                    Carrier::Query(name.clone())
                }
                Place::Header(name) => Carrier::Header(self.header(&member(&path, "header"), name)),
                Place::Cookie(name) => {
                    self.cookie(&member(&path, "cookie"), name);
                    Carrier::Cookie(name.clone())
                }
                Place::Path(name) => {
                    self.parameter(&member(&path, "path"), name);
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

    /// Whether a secret can sign tokens of our own format.
    fn long_enough(&mut self, path: &str, entry: &RingEntry<Secret>) {
        if entry.key.expose().len() < MIN_SECRET {
            let message = format!("\"{}\" must have at least {MIN_SECRET} bytes", entry.id);
            self.wrong(path, message);
        }
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
