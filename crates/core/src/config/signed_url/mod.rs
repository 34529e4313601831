//! Providers of signed URLs from their written form: a file for each format, and what
//! they share.

#[cfg(feature = "formats-cdn")]
mod cdn;
mod cloudflare;
#[cfg(feature = "formats-cloudfront")]
mod cloudfront;
mod exchange;
#[cfg(feature = "formats-google")]
mod google;
#[cfg(feature = "formats-images")]
mod images;
mod keygate;
mod parts;
#[cfg(feature = "formats-standards")]
mod standards;
#[cfg(feature = "formats-storage")]
mod storage;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::read::choice;
use super::written::ProviderType;
use super::{Compiler, item, member};
use crate::decision::problem::Wrong;
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

/// Fewer bytes than this can be guessed by a client that has a link to try them on.
const MIN_SECRET: usize = 16;

/// A year and a day: what is to live for longer needs no link that expires.
const MAX_LIFETIME: Millis = Millis::from_secs(367 * 24 * 3600);

/// The name of the format that a written form is of.
#[cfg(feature = "schema")]
trait Named {
    const NAME: &'static str;
}

/// The group of a format, for [`GROUPS`].
#[cfg(feature = "tools")]
macro_rules! group {
    () => {
        "always"
    };
    ($family:literal) => {
        $family
    };
}

/// For each format its name, the feature of its family, the function that reads it, its written
/// form, and whether its links contain the id of the key that signed them.
macro_rules! formats {
    ($(
        $name:literal $(in $family:literal)? => $read:ident, $Variant:ident($written:path),
        key_id: $has_key_id:literal;
    )*) => {
        /// The name of every format of this build.
        pub const FORMATS: &[&str] = &[$($(#[cfg(feature = $family)])? $name),*];

        /// For each format of this build the feature that adds it, or `always`, and its name.
        #[cfg(feature = "tools")]
        pub const GROUPS: &[(&str, &str)] = &[$(
            $(#[cfg(feature = $family)])? (group!($($family)?), $name),
        )*];

        /// Whether links of this format contain the id of the key that signed them: then a signer
        /// has to know it.
        #[cfg(feature = "tools")]
        pub fn has_key_id(format: &str) -> bool {
            match format {
                $($(#[cfg(feature = $family)])? $name => $has_key_id,)*
                _ => false,
            }
        }

        /// The written form of each format, for the schema.
        #[cfg(feature = "schema")]
        #[derive(schemars::JsonSchema)]
        #[schemars(untagged, transform = super::schema::one_of)]
        #[expect(dead_code, reason = "only its schema is used")]
        pub(super) enum Written {
            $($(#[cfg(feature = $family)])? $Variant($written),)*
        }

        $(
            #[cfg(feature = "schema")]
            $(#[cfg(feature = $family)])?
            impl Named for $written {
                const NAME: &'static str = $name;
            }
        )*

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
                        self.wrong(&format!("{path}.exchange"), "is given more than once");
                        let _ = self.exchange(path, first);
                        return None;
                    }
                };
                let ring: Option<String> =
                    head.secrets.and_then(|it| serde_json::from_str(it.get()).ok());
                let (name, format) = match format {
                    $($(#[cfg(feature = $family)])? $name => {
                        // Apart, since V8 holds memory for the largest function that it
                        // compiles: with all formats in one, 6 MB more.
                        #[inline(never)]
                        fn read(
                            compiler: &mut Compiler<'_>,
                            path: &str,
                            text: &RawValue,
                        ) -> Option<Box<dyn Format>> {
                            let written = compiler.part(path, text)?;
                            Some(Box::new(compiler.$read(path, &written)?))
                        }
                        ($name, read(self, path, text)?)
                    })*
                    _ => {
                        let message = format!("must be one of {}", FORMATS.join(", "));
                        self.wrong_in(path, "format", message);
                        return None;
                    }
                };
                Some(SignedUrl {
                    name,
                    format,
                    ring: ring.and_then(|name| self.secrets.get(&name))?.spans(),
                    // A wrong one is a problem already, and leaves none.
                    exchange: exchange.flatten(),
                })
            }
        }
    };
}

formats! {
    "akamai" in "formats-cdn" => akamai, Akamai(cdn::akamai::Written), key_id: false;
    "azure-sas" in "formats-storage" => azure_sas, AzureSas(storage::azure_sas::Written), key_id: false;
    "bunny" in "formats-cdn" => bunny, Bunny(cdn::bunny::Written), key_id: false;
    "cloudflare" => cloudflare, Cloudflare(cloudflare::Written), key_id: false;
    "cloudfront" in "formats-cloudfront" => cloudfront, CloudFront(cloudfront::Written), key_id: true;
    "fastly" in "formats-cdn" => fastly, Fastly(cdn::fastly::Written), key_id: false;
    "google-cdn" in "formats-google" => google_cdn, GoogleCdn(google::google_cdn::Written), key_id: true;
    "google-maps" in "formats-images" => google_maps, GoogleMaps(images::google_maps::Written), key_id: false;
    "google-media-cdn" in "formats-google" => google_media_cdn, GoogleMediaCdn(google::google_media_cdn::Written), key_id: false;
    "http-signature" in "formats-standards" => http_signature, HttpSignature(standards::http_signature::Written), key_id: true;
    "imgproxy" in "formats-images" => imgproxy, Imgproxy(images::imgproxy::Written), key_id: false;
    "keycdn" in "formats-cdn" => keycdn, Keycdn(cdn::keycdn::Written), key_id: false;
    "keygate" => keygate, Keygate(keygate::Written), key_id: true;
    "nginx" in "formats-cdn" => nginx, Nginx(cdn::nginx::Written), key_id: false;
    "s3" in "formats-storage" => s3, S3(storage::s3::Written), key_id: true;
    "thumbor" in "formats-images" => thumbor, Thumbor(images::thumbor::Written), key_id: false;
    "uri-signing" in "formats-standards" => uri_signing, UriSigning(standards::uri_signing::Written), key_id: true;
}

/// A carrier of a token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(remote = "Self")]
enum Place {
    /// A query parameter of this name.
    #[serde(rename = "query")]
    Query(String),
    /// A header of this name that contains only the token.
    #[serde(rename = "header")]
    Header(String),
    /// A cookie of this name.
    #[serde(rename = "cookie")]
    Cookie(String),
    /// A path segment /NAME=TOKEN/, which relative links keep.
    #[serde(rename = "path")]
    Path(String),
}

choice!(Place);

impl Compiler<'_> {
    /// The carriers of the tokens of a provider; `default` when it does not say.
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
                self.wrong(&path, "is given more than once");
            }
            carriers.push(carrier);
        }
        if carriers
            .iter()
            .filter(|it| matches!(it, Carrier::Path(_)))
            .count()
            > 1
        {
            self.wrong(&path, "must not name more than one path segment");
        }
        carriers
    }

    /// Whether a secret can sign tokens of our own format.
    fn long_enough(&mut self, path: &str, entry: &RingEntry<Secret>) {
        if entry.key.expose().len() < MIN_SECRET {
            let wrong = Wrong::Entry {
                id: entry.id.clone(),
                text: format!(
                    "must have at least {MIN_SECRET} bytes: make one with `openssl rand -hex 32`"
                ),
            };
            self.wrong_as(path, wrong);
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
