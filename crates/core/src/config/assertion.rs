//! `"assertion"`: who vouches for identities, from its written form.

use serde::Deserialize;

use super::Compiler;
use super::read::object;
use crate::decision::rule::Rule;
use crate::http::header_name::reads_as;
use crate::identity::assertion::{ASSERTION_HEADER, Algorithm, Issuer, MAX_TTL, SigningKey};
use crate::identity::{Field, IDENTITY_PREFIX, IdentityHeaders};
use crate::time::Millis;

/// The identity as a signed JWT for the upstream.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct Assertion {
    /// The header that carries it. Default: x-keygate-assertion.
    #[serde(default = "default_header")]
    header: String,
    /// How it is signed.
    algorithm: Algorithm,
    /// The ring that signs it: 32 bytes at least for HS256, a seed of 32 bytes for EdDSA.
    secrets: String,
    /// Who says so (`iss`). Default: keygate.
    #[serde(default = "default_issuer")]
    issuer: String,
    /// Whom it is for (`aud`).
    audience: String,
    /// How long it lives, whole seconds, 60s at most. Default: 60s.
    #[serde(default = "default_ttl")]
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    ttl: String,
    /// The rules whose requests get one. Default: all.
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
        rules: &[Rule],
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
            self.wrong(path, "is the name of another header of the identity");
        }
        if lower == "authorization" {
            self.wrong(path, "is where clients present credentials of their own");
        }
        // Under our own prefix any name is free; elsewhere some are not to be had.
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
            self.wrong("assertion.ttl", "must be whole seconds, 60s at most");
        }
        Some(ttl)
    }

    fn assertion_rules(&mut self, names: &[String], rules: &[Rule]) {
        if names.is_empty() {
            self.wrong("assertion.rules", "is empty: leave it out to mean all");
        }
        for (index, name) in names.iter().enumerate() {
            if !rules.iter().any(|rule| rule.name == *name) {
                self.wrong(
                    &format!("assertion.rules[{index}]"),
                    format!("there is no rule \"{name}\""),
                );
            }
        }
    }
}
