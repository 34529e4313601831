//! The written form of `"assertion"`, and the issuer that it becomes.

use litemap::LiteMap;
use serde::Deserialize;

use super::Compiler;
use super::read::object;
use crate::http::header_name::reads_as;
use crate::identity::assertion::{ASSERTION_HEADER, Algorithm, Issuer, MAX_TTL, SigningKey};
use crate::identity::{Field, IDENTITY_PREFIX, IdentityHeaders};
use crate::time::Millis;

/// The identity as a signed JWT for the upstream.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct Assertion {
    /// Header with the assertion. Default: x-keygate-assertion.
    #[serde(default = "default_header")]
    header: String,
    /// Signature algorithm.
    algorithm: Algorithm,
    /// The ring that signs: at least 32 bytes with HS256, a seed of 32 bytes with EdDSA.
    secrets: String,
    /// Issuer (`iss`), 1 to 256 characters. Default: keygate.
    #[serde(default = "default_issuer")]
    issuer: String,
    /// Audience (`aud`), 1 to 256 characters.
    audience: String,
    /// Lifetime of an assertion in whole seconds, at most 60s. Default: 60s.
    #[serde(default = "default_ttl")]
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    ttl: String,
    /// Names of the rules whose requests get an assertion. Default: all.
    rules: Option<Vec<String>>,
}

object!(Assertion);

fn default_header() -> String {
    ASSERTION_HEADER.to_owned()
}

fn default_issuer() -> String {
    "keygate".to_owned()
}

fn default_ttl() -> String {
    "60s".to_owned()
}

impl Compiler<'_> {
    /// The issuer, and the headers with the name that its assertions take.
    pub(super) fn assertion(
        &mut self,
        written: &Option<Assertion>,
        mut identity: IdentityHeaders,
        rules: &LiteMap<String, ()>,
    ) -> (IdentityHeaders, Option<Issuer>) {
        let Some(written) = written else {
            return (identity, None);
        };
        let header = self.assertion_header(&written.header, &identity);
        identity.rename(Field::Assertion, header);
        let ring = self.ring_of("assertion", &written.secrets, |this, entry| {
            let key = SigningKey::new(&entry.key, written.algorithm);
            let named = |error| format!("the secret \"{}\" {error}", entry.id);
            this.checked(&format!("secrets.{}", written.secrets), key.map_err(named))
        });
        for (field, text) in [("issuer", &written.issuer), ("audience", &written.audience)] {
            let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
            if !(1..=256).contains(&text.len()) || !is_visible {
                self.wrong(
                    &format!("assertion.{field}"),
                    "must be 1 to 256 visible ASCII characters",
                );
            }
        }
        let ttl = self.assertion_ttl(&written.ttl);
        if let Some(names) = &written.rules {
            self.assertion_rules(names, rules);
        }
        let issuer = ring.zip(ttl).map(|(ring, ttl)| Issuer {
            ring,
            issuer: written.issuer.clone(),
            audience: written.audience.clone(),
            ttl,
            rules: written.rules.clone(),
        });
        (identity, issuer)
    }

    fn assertion_header(&mut self, name: &str, others: &IdentityHeaders) -> String {
        let path = "assertion.header";
        let lower = name.to_ascii_lowercase();
        let mut others = Field::ALL
            .iter()
            .filter(|it| **it != Field::Assertion)
            .map(|field| others.name(*field));
        if others.any(|it| reads_as(lower.as_bytes(), it)) {
            self.wrong(path, "is already the name of an identity header");
        }
        if lower == "authorization" {
            self.wrong(path, "is reserved for credentials of clients");
        }
        // Under our own prefix any name is free; elsewhere some are reserved.
        match lower.strip_prefix(IDENTITY_PREFIX) {
            Some(rest) => {
                self.header(path, rest);
                lower
            }
            None => self.header(path, name),
        }
    }

    /// Whole seconds, since the times in a token are.
    fn assertion_ttl(&mut self, text: &str) -> Option<Millis> {
        let ttl = self.span("assertion.ttl", text)?;
        if ttl > MAX_TTL || ttl.0 % 1000 != 0 {
            self.wrong("assertion.ttl", "must be whole seconds, at most 60s");
        }
        Some(ttl)
    }

    fn assertion_rules(&mut self, names: &[String], rules: &LiteMap<String, ()>) {
        if names.is_empty() {
            self.wrong(
                "assertion.rules",
                "must not be empty: omit it to include all rules",
            );
        }
        for (index, name) in names.iter().enumerate() {
            if !rules.contains_key(name) {
                self.wrong(
                    &format!("assertion.rules[{index}]"),
                    format!("there is no rule \"{name}\""),
                );
            }
        }
    }
}
