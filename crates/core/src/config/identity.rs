//! `"identity"`: the headers with the identity, from their written form.

use serde::Deserialize;

use super::Compiler;
use super::read::object;
use crate::identity::{Field, IDENTITY_PREFIX, IdentityHeaders, identity_fields};

macro_rules! written {
    ($($(#[$doc:meta])* $Field:ident $field:ident: $Type:ty, $header:literal;)*) => {
        /// The headers in which the upstream receives the identity. A field that is left out
        /// keeps its default.
        #[derive(Default, Debug, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields, remote = "Self")]
        pub(super) struct Identity {
            $(
                $(#[$doc])*
                #[doc = concat!("Default: ", $header, ".")]
                $field: Option<String>,
            )*
            /// Header with the verdict: `allow`, `cleared`, or `would-deny;reason=…` in mode `simulate`.
            /// Default: x-keygate-result.
            result: Option<String>,
            /// Whether other filters also get the identity, as filter state such as
            /// `wasm.keygate_account`. Default: false.
            #[serde(default)]
            filter_state: bool,
        }

        impl Identity {
            /// The names that are written, with their paths. That of an assertion is in
            /// `"assertion"`.
            fn names(&self) -> impl Iterator<Item = (Field, &'static str, &str)> {
                let names = [
                    $((Field::$Field, concat!("identity.", stringify!($field)), &self.$field),)*
                    (Field::Result, "identity.result", &self.result),
                ];
                let written = names.into_iter();
                written.filter_map(|(field, path, name)| Some((field, path, name.as_deref()?)))
            }
        }
    };
}

identity_fields!(written);

object!(Identity);

impl Compiler<'_> {
    pub(super) fn identity(&mut self, written: &Identity) -> IdentityHeaders {
        let mut headers = IdentityHeaders::default();
        for (field, path, name) in written.names() {
            let name = self.identity_header(path, name);
            headers.rename(field, name);
        }
        headers.filter_state = written.filter_state;
        let names: Vec<_> = headers.names().collect();
        for (index, name) in names.iter().enumerate() {
            if names
                .iter()
                .skip(index.saturating_add(1))
                .any(|it| it == name)
            {
                self.wrong("identity", format!("\"{name}\" is used for two fields"));
            }
        }
        headers
    }

    /// Headers of clients with such a name are removed, so some names are reserved.
    fn identity_header(&mut self, path: &str, name: &str) -> String {
        let lower = name.to_ascii_lowercase();
        let is_own = lower.starts_with(IDENTITY_PREFIX);
        let is_plain = lower.starts_with("x-") || lower.contains('-');
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let taken = [
            "content-length",
            "content-type",
            "transfer-encoding",
            "user-agent",
        ];
        if !lower.bytes().all(fits) || !(is_own || is_plain) || taken.contains(&lower.as_str()) {
            self.wrong(path, "must be a custom header, such as \"x-user\"");
        }
        lower
    }
}
