//! `"identity"`: the headers that say who has come, from their written form.

use super::{Compiler, written};
use crate::identity::{IDENTITY_PREFIX, IdentityHeaders};

impl Compiler<'_> {
    pub(super) fn identity(&mut self, written: &written::Identity) -> IdentityHeaders {
        let mut headers = IdentityHeaders::default();
        let given = [
            ("account", &written.account, &mut headers.account),
            ("key_id", &written.key_id, &mut headers.key_id),
            ("scopes", &written.scopes, &mut headers.scopes),
            ("metadata", &written.metadata, &mut headers.metadata),
            ("result", &written.result, &mut headers.result),
        ];
        for (field, name, header) in given {
            if let Some(name) = name {
                *header = self
                    .identity_header(&format!("identity.{field}"), name)
                    .into();
            }
        }
        headers.filter_state = written.filter_state;
        let names = headers.names();
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
