//! `keygate serve --assertion-…`: how accounts prove themselves to the key service.

use std::os::unix::ffi::OsStrExt as _;
use std::str::FromStr;

use keygate_core::identity::assertion::{Algorithm, SigningKey, Verifier, VerifyingKey};
use keygate_core::secret::{Encoding, KeyRing, RingEntry};
use keygate_core::{Millis, Secret};
use keygate_service::Assertions;

use crate::environment::{required, value_of, warn_of_padding};
use crate::error::CliError;
use crate::secret::ENCODINGS;

/// How far the clocks of edge and service may be apart.
const SKEW: Millis = Millis::from_secs(5);

/// Without a secret or a public key no assertion counts, and only admins manage keys.
#[derive(clap::Args)]
#[command(next_help_heading = "Assertions: accounts that manage their own keys")]
pub struct AssertionArgs {
    /// Secret of the edge's assertions: its id, its environment variable and its encoding
    /// (utf8, the default, hex, base64 or base64url); repeatable
    #[arg(
        long,
        value_name = "ID=VARIABLE[:ENCODING]",
        requires = "assertion_audience"
    )]
    assertion_secret: Vec<RingSource>,
    /// Ed25519 public key instead of a secret, so that this service cannot sign (base64 if the
    /// encoding is omitted); repeatable
    #[arg(
        long,
        value_name = "ID=VARIABLE[:ENCODING]",
        requires = "assertion_audience"
    )]
    assertion_public_key: Vec<RingSource>,
    /// Algorithm of all assertions: HS256 or EdDSA
    #[arg(long, value_name = "ALGORITHM", default_value = "HS256", value_parser = algorithm)]
    assertion_algorithm: Algorithm,
    /// Accepted issuer of assertions
    #[arg(long, value_name = "ISSUER", default_value = "keygate")]
    assertion_issuer: String,
    /// Accepted audience of assertions, as in the edge's policy
    #[arg(long, value_name = "AUDIENCE")]
    assertion_audience: Option<String>,
    /// Require the scopes keys:read and keys:write of sessions too
    #[arg(long)]
    sessions_need_scopes: bool,
}

impl AssertionArgs {
    /// What the arguments come to; `None` when they name no key.
    pub fn read(&self) -> Result<Option<Assertions>, CliError> {
        let algorithm = self.assertion_algorithm;
        let mut ring: Vec<RingEntry<VerifyingKey>> = Vec::new();
        let mut add = |source: &RingSource, key| {
            if ring.iter().any(|entry| entry.id == source.id) {
                let text = format!(
                    "the id {} is given more than once among the assertion keys",
                    source.id
                );
                return Err(CliError::Usage(text));
            }
            ring.push(RingEntry {
                id: source.id.clone(),
                key,
                not_before: None,
                not_after: None,
            });
            Ok(())
        };
        for source in &self.assertion_secret {
            let key = SigningKey::new(&source.read(Encoding::Utf8)?, algorithm);
            let key = key.map_err(|error| source.wrong(&error))?;
            add(source, key.verifying())?;
        }
        for source in &self.assertion_public_key {
            if algorithm != Algorithm::EdDsa {
                let text = "--assertion-public-key requires --assertion-algorithm EdDSA";
                return Err(CliError::Usage(text.to_owned()));
            }
            let key = VerifyingKey::public(source.read(Encoding::Base64)?.expose());
            add(source, key.map_err(|error| source.wrong(&error))?)?;
        }
        let Some(audience) = &self.assertion_audience else {
            return Ok(None);
        };
        if ring.is_empty() {
            let text = "--assertion-audience requires --assertion-secret or --assertion-public-key";
            return Err(CliError::Usage(text.to_owned()));
        }
        Ok(Some(Assertions {
            verifier: Verifier {
                ring: KeyRing(ring),
                issuer: self.assertion_issuer.clone(),
                audience: audience.clone(),
                skew: SKEW,
            },
            sessions_need_scopes: self.sessions_need_scopes,
        }))
    }
}

fn algorithm(text: &str) -> Result<Algorithm, &'static str> {
    Algorithm::parse(text).ok_or("must be HS256 or EdDSA")
}

/// Where a key is: never the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RingSource {
    id: String,
    variable: String,
    encoding: Option<Encoding>,
}

impl RingSource {
    fn read(&self, default: Encoding) -> Result<Secret, CliError> {
        let text = required(&self.variable)?;
        let encoding = self.encoding.unwrap_or(default);
        if encoding == Encoding::Utf8 {
            warn_of_padding(&self.variable, text.as_bytes());
        }
        Secret::decode(text.as_bytes(), encoding).map_err(|error| self.wrong(&error))
    }

    fn wrong(&self, error: &dyn std::fmt::Display) -> CliError {
        CliError::Usage(format!("{} {error}", value_of(&self.variable)))
    }
}

impl FromStr for RingSource {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (id, rest) = text
            .split_once('=')
            .ok_or("must be ID=VARIABLE[:ENCODING]")?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=64).contains(&id.len()) || !id.bytes().all(fits) {
            return Err("the id must be 1 to 64 letters, digits, \".\", \"_\" or \"-\"");
        }
        let (variable, encoding) = match rest.split_once(':') {
            None => (rest, None),
            Some((variable, encoding)) => match Encoding::parse(encoding) {
                Some(encoding) => (variable, Some(encoding)),
                None => return Err(ENCODINGS),
            },
        };
        if variable.is_empty() {
            return Err("the variable is missing");
        }
        Ok(Self {
            id: id.to_owned(),
            variable: variable.to_owned(),
            encoding,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_source_has_an_id_a_variable_and_perhaps_an_encoding() {
        for (text, encoding) in [
            ("2026-11=VOUCH", None),
            ("2026-11=VOUCH:utf8", Some(Encoding::Utf8)),
            ("2026-11=VOUCH:hex", Some(Encoding::Hex)),
            ("2026-11=VOUCH:base64", Some(Encoding::Base64)),
            ("2026-11=VOUCH:base64url", Some(Encoding::Base64Url)),
        ] {
            let source: RingSource = text.parse().unwrap();
            let parts = (
                source.id.as_str(),
                source.variable.as_str(),
                source.encoding,
            );
            assert_eq!(parts, ("2026-11", "VOUCH", encoding));
        }
        for wrong in [
            "VOUCH",
            "=VOUCH",
            "a b=VOUCH",
            "a=",
            "a=:hex",
            "a=V:",
            "a=V:rot13",
        ] {
            assert!(wrong.parse::<RingSource>().is_err(), "{wrong}");
        }
    }
}
