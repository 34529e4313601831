//! `"format": "s3"` from its written form.

use crate::config::signed_url::parts::written;
use crate::config::signed_url::{DEFAULT_SKEW, MAX_SKEW};
use crate::config::{Compiler, member};
use crate::signed_url::storage::s3::{MAX_EXPIRES, S3};

written! {
    /// A presigned URL of S3: AWS Signature Version 4 in the query.
    struct {
        /// The ring of secret access keys. The id of an entry is its access key id.
        secrets: String,
        /// Region of the credentials, such as us-east-1.
        region: String,
        /// Service of the credentials. Default: s3.
        service: Option<String>,
        /// Methods for which links are accepted. Default: GET and HEAD.
        methods: Option<Vec<String>>,
        /// Maximum lifetime of a link, at most 7d. Default: 7d.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        max_lifetime: Option<String>,
        /// How far the signer's clock may be ahead, at most 10m. Default: 30s.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        skew: Option<String>,
    }
}

/// Methods of S3 that a link can be for.
const METHODS: [&str; 5] = ["GET", "HEAD", "PUT", "POST", "DELETE"];

impl Compiler<'_> {
    pub(in crate::config::signed_url) fn s3(
        &mut self,
        path: &str,
        written: &Written,
    ) -> Option<S3> {
        let at = |field: &str| member(path, field);
        let ring = self.ring_of(path, &written.secrets, |_, entry| Some(S3::key(&entry.key)));
        let service = written.service.as_deref().unwrap_or("s3");
        for (field, text) in [("region", written.region.as_str()), ("service", service)] {
            let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
            if text.is_empty() || !text.bytes().all(fits) {
                self.wrong_in(path, field, "must be lower-case letters, digits and \"-\"");
            }
        }
        let methods = match &written.methods {
            Some(methods) => methods.clone(),
            None => vec!["GET".to_owned(), "HEAD".to_owned()],
        };
        if methods.is_empty() || !methods.iter().all(|it| METHODS.contains(&it.as_str())) {
            let message = format!("must be one or more of {}", METHODS.join(", "));
            self.wrong_in(path, "methods", message);
        }
        let lifetime = &written.max_lifetime;
        let max_lifetime = self.span_or(&at("max_lifetime"), lifetime, MAX_EXPIRES, MAX_EXPIRES);
        let skew = self.span_or(&at("skew"), &written.skew, DEFAULT_SKEW, MAX_SKEW);
        Some(S3 {
            ring: ring?,
            region: written.region.clone(),
            service: service.to_owned(),
            methods,
            max_lifetime,
            skew,
        })
    }
}
