//! `"format": "nginx"` from its written form.

use crate::config::signed_url::parts::written;
use crate::config::{Compiler, member};
use crate::signed_url::cdn::nginx::{Mode, Nginx, Template};
use crate::text::names::names;

written! {
    /// A link of nginx's secure_link module: a plain MD5.
    struct {
        /// The ring that signs the links.
        secrets: String,
        /// Must be true, because the format is weak: a plain MD5 of link and secret.
        #[serde(default)]
        allow_weak: bool,
        /// Directive of nginx that the links are made for. Default: secure_link.
        #[serde(default)]
        mode: Directive,
        /// With `mode: secure_link`: the value of secure_link_md5, with $secret in place of the
        /// secret itself, such as "$secure_link_expires$uri $remote_addr $secret".
        template: Option<String>,
        /// With `mode: secure_link`: query parameter with the MD5. Default: md5.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[A-Za-z0-9._~-]+$")))]
        md5: Option<String>,
        /// With $secure_link_expires: query parameter with the expiry. Default: expires.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[A-Za-z0-9._~-]+$")))]
        expires: Option<String>,
        /// With $secure_link_expires: how far in the future a link may expire, such as 7d. At most
        /// 367d.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        max_lifetime: Option<String>,
        /// How far the signer's clock may be ahead, at most 10m. Default: 30s.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        skew: Option<String>,
        /// With `mode: secure_link`: whether query parameters are allowed that the template does
        /// not sign. Default: false.
        #[serde(default)]
        allow_unsigned_query: bool,
        /// With `mode: secure_link_secret`: the path in front of the segment with the MD5, such as
        /// "/p/".
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^/")))]
        prefix: Option<String>,
    }
}

names! {
    /// nginx's directives.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Directive {
        /// `secure_link` and `secure_link_md5`: the MD5 is a query parameter.
        #[default]
        SecureLink = "secure_link",
        /// `secure_link_secret`: the MD5 is a path segment. Links never expire.
        SecureLinkSecret = "secure_link_secret",
    }
}

impl Compiler<'_> {
    pub(in crate::config::signed_url) fn nginx(
        &mut self,
        path: &str,
        written: &Written,
    ) -> Option<Nginx> {
        self.is_weak(path, written.allow_weak);
        let ring = self.plain_ring(path, &written.secrets);
        let mode = match written.mode {
            Directive::SecureLink => self.secure_link(path, written),
            Directive::SecureLinkSecret => {
                let others = [
                    ("template", written.template.is_some()),
                    ("md5", written.md5.is_some()),
                    ("allow_unsigned_query", written.allow_unsigned_query),
                ];
                let why = "cannot be combined with \"mode\": \"secure_link_secret\"";
                self.none_of(path, &others, why);
                self.no_end(path, written, why);
                let at = member(path, "prefix");
                if written.prefix.is_none() {
                    self.wrong(&at, "is required: the path in front of the MD5");
                }
                let prefix = self.prefix(path, &written.prefix);
                Some(Mode::Secret { prefix })
            }
        };
        Some(Nginx {
            ring: ring?,
            mode: mode?,
        })
    }

    fn secure_link(&mut self, path: &str, written: &Written) -> Option<Mode> {
        let others = [("prefix", written.prefix.is_some())];
        self.none_of(path, &others, "requires \"mode\": \"secure_link_secret\"");
        let at = member(path, "template");
        let Some(text) = &written.template else {
            self.wrong(&at, "is required: the value of secure_link_md5");
            return None;
        };
        let template = self.checked(&at, Template::parse(text))?;
        let mut parameter = |field: &str, name: &Option<String>| {
            let name = name.clone().unwrap_or_else(|| field.to_owned());
            self.parameter(&member(path, field), &name);
            name
        };
        let md5 = parameter("md5", &written.md5);
        let expires = parameter("expires", &written.expires);
        if md5 == expires {
            self.wrong_in(path, "expires", "must differ from md5");
        }
        let expires = match template.has_expires() {
            true => {
                let lifetime = self.lifetime(path, written.max_lifetime.as_deref(), &written.skew);
                Some((expires, lifetime))
            }
            false => {
                self.no_end(
                    path,
                    written,
                    "requires $secure_link_expires in the template",
                );
                None
            }
        };
        Some(Mode::SecureLink {
            template,
            md5,
            expires,
            allow_unsigned_query: written.allow_unsigned_query,
        })
    }

    fn no_end(&mut self, path: &str, written: &Written, why: &str) {
        let others = [
            ("expires", written.expires.is_some()),
            ("max_lifetime", written.max_lifetime.is_some()),
            ("skew", written.skew.is_some()),
        ];
        self.none_of(path, &others, why);
    }

    fn none_of(&mut self, path: &str, fields: &[(&str, bool)], why: &str) {
        for (field, _) in fields.iter().filter(|(_, is_given)| *is_given) {
            self.wrong_in(path, field, why);
        }
    }
}
