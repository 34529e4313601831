//! `"format": "imgproxy"` from its written form.

use crate::config::signed_url::parts::written;
use crate::config::{Compiler, Material, member};
use crate::secret::mac::mac;
use crate::signed_url::images::imgproxy::{Forward, Imgproxy};
use crate::text::names::names;
use hmac::Mac as _;

written! {
    /// A signed path of imgproxy.
    struct {
        /// The ring of keys. imgproxy's are hexadecimal: set "encoding": "hex" in the ring.
        secrets: String,
        /// The ring of salts. Each key uses the salt with the same id.
        salts: String,
        /// Path in front of the signature, as IMGPROXY_PATH_PREFIX. Default: /.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^/")))]
        prefix: Option<String>,
        /// What imgproxy receives in place of the signature. Default: keep.
        #[serde(default)]
        forward: WrittenForward,
        /// How far in the future a link may expire, such as 7d. At most 367d. If given, every link
        /// must have the option exp. Otherwise, a link without exp never expires.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        max_lifetime: Option<String>,
        /// With max_lifetime: how far the signer's clock may be ahead, at most 10m. Default: 30s.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        skew: Option<String>,
    }
}

names! {
    /// What the upstream receives in place of the signature.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(super) enum WrittenForward {
        /// The signature, for an upstream that checks it too.
        #[default]
        Keep = "keep",
        /// The word `unsafe`, for an upstream that checks no signatures.
        Unsafe = "unsafe",
    }
}

impl WrittenForward {
    pub(super) fn used(self) -> Forward {
        match self {
            Self::Keep => Forward::Keep,
            Self::Unsafe => Forward::Unsafe,
        }
    }
}

impl Compiler<'_> {
    pub(in crate::config::signed_url) fn imgproxy(
        &mut self,
        path: &str,
        written: &Written,
    ) -> Option<Imgproxy> {
        let name = &written.salts;
        let at = member(path, "salts");
        let salts = self.ring_named(&at, name);
        if written.salts == written.secrets {
            self.wrong(&at, "must differ from the ring of the keys");
        }
        let ring = self.ring_of(path, &written.secrets, |this, entry| {
            let salts = salts.as_ref()?;
            let salt = salts.0.iter().find(|it| it.id == entry.id);
            let Some(Material::Secret(salt)) = salt.map(|it| &it.key) else {
                let message = format!("has no salt with the id \"{}\" of a key", entry.id);
                this.wrong(&at, message);
                return None;
            };
            let mut key = mac(entry.key.expose());
            key.update(salt.expose());
            Some(key)
        });
        let prefix = self.prefix(path, &written.prefix);
        let lifetime = match &written.max_lifetime {
            Some(_) => Some(self.lifetime(path, written.max_lifetime.as_deref(), &written.skew)),
            None if written.skew.is_some() => {
                self.wrong_in(path, "skew", "requires max_lifetime");
                None
            }
            None => None,
        };
        Some(Imgproxy {
            ring: ring?,
            prefix,
            forward: written.forward.used(),
            lifetime,
        })
    }
}
