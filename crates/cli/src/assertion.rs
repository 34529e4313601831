//! `keygate serve --assertion-…`: how accounts prove themselves to the key service.

use keygate_core::Millis;
use keygate_core::identity::assertion::{Algorithm, SigningKey, Verifier, VerifyingKey};
use keygate_core::secret::{Encoding, KeyRing, RingEntry};
use keygate_service::Assertions;

use crate::error::CliError;
use crate::secret::EnvSecret;

/// How far the clocks of edge and service may be apart.
const SKEW: Millis = Millis::from_secs(5);

/// Without a secret or a public key no assertion counts, and only admins manage keys.
#[derive(clap::Args)]
#[command(next_help_heading = "Assertions: accounts that manage their own keys")]
pub struct AssertionArgs {
    /// Secret of the edge's assertions: its id, its environment variable and its encoding
    /// (hex, base64, base64url or utf8; default utf8); repeatable
    #[arg(
        long,
        value_name = "ID=VARIABLE[:ENCODING]",
        requires = "assertion_audience",
        value_parser = source
    )]
    assertion_secret: Vec<EnvSecret<String>>,
    /// Ed25519 public key instead of a secret, so that this service cannot sign (base64 if the
    /// encoding is omitted); repeatable
    #[arg(
        long,
        value_name = "ID=VARIABLE[:ENCODING]",
        requires = "assertion_audience",
        value_parser = source
    )]
    assertion_public_key: Vec<EnvSecret<String>>,
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
        let mut add = |source: &EnvSecret<String>, key| {
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
            let key = SigningKey::new(
                &source.read(Encoding::Utf8, "--assertion-secret")?,
                algorithm,
            );
            let key = key.map_err(|error| source.wrong(&error))?;
            add(source, key.verifying())?;
        }
        for source in &self.assertion_public_key {
            if algorithm != Algorithm::EdDsa {
                let text = "--assertion-public-key requires --assertion-algorithm EdDSA";
                return Err(CliError::Usage(text.to_owned()));
            }
            let key = VerifyingKey::public(
                source
                    .read(Encoding::Base64, "--assertion-public-key")?
                    .expose(),
            );
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

/// Parses where a key is.
fn source(text: &str) -> Result<EnvSecret<String>, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    EnvSecret::parse(text, |id| {
        match (1..=64).contains(&id.len()) && id.bytes().all(fits) {
            true => Ok(id.to_owned()),
            false => {
                Err("the id must be 1 to 64 letters, digits, \".\", \"_\" or \"-\"".to_owned())
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_an_assertion_key_is_at_most_64_characters_of_a_kid() {
        let longest = "2026-11_a.b".repeat(5) + "123456789";
        assert_eq!(source(&format!("{longest}=V")).unwrap().id, longest);
        for wrong in [&format!("{longest}0=V"), "=V", "a b=V", "a/b=V"] {
            let told = source(wrong).unwrap_err();
            assert!(told.starts_with("the id must be "), "{wrong}: {told}");
        }
    }
}
