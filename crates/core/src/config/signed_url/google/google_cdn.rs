//! `"format": "google-cdn"` from its written form.

use crate::config::Compiler;
use crate::config::signed_url::Place;
use crate::config::signed_url::parts::written;
use crate::signed_url::carrier::Carrier;
use crate::signed_url::google::Scheme;
use crate::signed_url::google::google_cdn::GoogleCdn;
use crate::signed_url::google::request::SIGNATURE;
use crate::signed_url::parts::hmac_key::HmacHash;
use crate::text::names::names;

written! {
    /// A signed URL, prefix or cookie of Google's Cloud CDN.
    struct {
        /// The ring that signs. The id of an entry is its KeyName. Google's keys are base64url:
        /// set "encoding": "base64url" in the ring.
        secrets: String,
        /// Carriers in which a signature is accepted. Default: the query parameter Signature and
        /// the cookie Cloud-CDN-Cookie.
        from: Option<Vec<Place>>,
        /// Scheme of the signed URLs. Default: https.
        #[serde(default)]
        scheme: WrittenScheme,
        /// How far in the future a signature may expire, such as 7d. At most 367d.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        max_lifetime: String,
        /// How far the signer's clock may be ahead, at most 10m. Default: 30s.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        skew: Option<String>,
    }
}

names! {
    /// Scheme of the signed URLs.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(super) enum WrittenScheme {
        /// With TLS, even if a proxy in front of Envoy terminates it.
        #[default]
        Https = "https",
        /// Without TLS.
        Http = "http",
        /// The :scheme of the request.
        Request = "request",
    }
}

impl WrittenScheme {
    pub(super) fn used(self) -> Scheme {
        match self {
            Self::Https => Scheme::Https,
            Self::Http => Scheme::Http,
            Self::Request => Scheme::Request,
        }
    }
}

impl Compiler<'_> {
    pub(in crate::config::signed_url) fn google_cdn(
        &mut self,
        path: &str,
        written: &Written,
    ) -> Option<GoogleCdn> {
        let ring = self.hmac_keys(path, &written.secrets, HmacHash::Sha1);
        let cookie = Carrier::Cookie("Cloud-CDN-Cookie".to_owned());
        let carriers = self.signature_places(path, &written.from, &[cookie]);
        for (index, carrier) in carriers.iter().enumerate() {
            if let Carrier::Path(_) = carrier {
                let message = "is not supported by Cloud CDN";
                self.wrong(&format!("{path}.from[{index}].path"), message);
            }
        }
        let lifetime = self.lifetime(path, Some(&written.max_lifetime), &written.skew);
        Some(GoogleCdn {
            ring: ring?,
            carriers,
            scheme: written.scheme.used(),
            lifetime,
        })
    }

    /// The carriers of the signature of a request; by default the query, and `others`.
    pub(super) fn signature_places(
        &mut self,
        path: &str,
        written: &Option<Vec<Place>>,
        others: &[Carrier],
    ) -> Vec<Carrier> {
        let query = Carrier::Query(SIGNATURE.to_owned());
        let mut carriers = self.places(path, written, query);
        if written.is_none() {
            carriers.extend_from_slice(others);
        }
        for (index, carrier) in carriers.iter().enumerate() {
            let path = format!("{path}.from[{index}]");
            match carrier {
                Carrier::Query(name) if name != SIGNATURE => {
                    let message = "must be \"Signature\", as in Google's format";
                    self.wrong_in(&path, "query", message);
                }
                Carrier::Header(_) => {
                    let message = "is not supported by this format";
                    self.wrong_in(&path, "header", message);
                }
                Carrier::Query(_)
                | Carrier::Cookie(_)
                | Carrier::Path(_)
                | Carrier::PathParameter(_) => {}
            }
        }
        carriers
    }
}
