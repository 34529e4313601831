//! `"identity"`: the headers that say who has come, from their written form.

use super::{Compiler, written};
use crate::identity::{Field, IDENTITY_PREFIX, IdentityHeaders};

impl Compiler<'_> {
    pub(super) fn identity(&mut self, written: &written::Identity) -> IdentityHeaders {
        let mut headers = IdentityHeaders::default();
        for field in Field::ALL {
            let (key, name) = match field {
                Field::Account => ("account", &written.account),
                Field::KeyId => ("key_id", &written.key_id),
                Field::Scopes => ("scopes", &written.scopes),
                Field::Metadata => ("metadata", &written.metadata),
                Field::Result => ("result", &written.result),
                // It has a name in "assertion".
                Field::Assertion => continue,
            };
            if let Some(name) = name {
                let name = self.identity_header(&format!("identity.{key}"), name);
                headers.rename(field, name);
            }
        }
        headers.filter_state = written.filter_state;
        let names: Vec<_> = headers.names().collect();
        for (index, name) in names.iter().enumerate() {
            if names
                .iter()
                .skip(index.saturating_add(1))
                .any(|it| it == name)
            {
                self.wrong("identity", format!("\"{name}\" stands for two things"));
            }
        }
        headers
    }

    /// Whatever a client sends under such a name is removed, so some are not to be had.
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
            self.wrong(path, "must be a header of its own, such as \"x-user\"");
        }
        lower
    }
}
