//! `"secrets"`: rings of what the environment holds, from their written form.

use std::fmt;
use std::rc::Rc;

use super::read::Quiet;
use super::{Compiler, Material, NAME, is_name, item, member, problem_of, written};
use crate::decision::problem::Wrong;
use crate::secret::{Encoding, KeyRing, RingEntry, Secret};
use crate::signed_url::crypto::public_key::PublicKey;

impl Compiler<'_> {
    pub(super) fn ring(&mut self, name: &str, written: &[Quiet<written::RingSecret>]) {
        let path = format!("secrets.{name}");
        if written.is_empty() {
            self.wrong(&path, "must contain at least one secret");
        }
        let mut entries: Vec<RingEntry<Material>> = Vec::new();
        for (index, secret) in written.iter().enumerate() {
            let path = item(&path, index);
            if !is_name(&secret.id) {
                self.wrong_in(&path, "id", NAME);
            }
            if entries.iter().any(|entry| entry.id == *secret.id) {
                self.wrong_in(&path, "id", "is given more than once in this ring");
            }
            let not_before = self.instant(
                &member(&path, "not_before"),
                secret.not_before.as_deref().map(String::as_str),
            );
            let not_after = self.instant(
                &member(&path, "not_after"),
                secret.not_after.as_deref().map(String::as_str),
            );
            if let (Some(from), Some(until)) = (not_before, not_after)
                && from >= until
            {
                self.wrong_in(&path, "not_after", "must be later than not_before");
            }
            let key = self.material(&path, secret);
            if let Some(key) = key {
                entries.push(RingEntry {
                    id: secret.id.0.clone(),
                    key,
                    not_before,
                    not_after,
                });
            }
        }
        self.secrets.insert(name.to_owned(), KeyRing(entries));
    }

    /// What a ring's entry holds: a secret, or a public key.
    fn material(&mut self, path: &str, written: &written::RingSecret) -> Option<Material> {
        let seen = Rc::clone(&self.seen);
        match (&written.env, &written.public_key) {
            (Some(Quiet(variable)), None) => {
                let path = member(path, "env");
                let secret = self.secret(&path, variable, written.encoding.0)?;
                match std::str::from_utf8(secret.expose()) {
                    Ok(text) if text.contains("PRIVATE KEY-----") => {
                        let message =
                            format!("{variable} contains a private key: use the public key");
                        self.wrong(&path, message);
                        None
                    }
                    Ok(text) if text.contains("-----BEGIN") => {
                        let key = PublicKey::parse(text, &seen);
                        self.value(&path, variable, key)
                            .map(|it| Material::Public(Box::new(it)))
                    }
                    Ok(_) | Err(_) => Some(Material::Secret(secret)),
                }
            }
            (None, Some(text)) => {
                let path = member(path, "public_key");
                let key = self.checked(&path, PublicKey::parse(text, &seen))?;
                Some(Material::Public(Box::new(key)))
            }
            (Some(_), Some(_)) | (None, None) => {
                self.wrong(path, "requires either env, for a secret, or public_key");
                None
            }
        }
    }

    pub(super) fn secret(
        &mut self,
        path: &str,
        variable: &str,
        encoding: Encoding,
    ) -> Option<Secret> {
        // A secret that was pasted in place of a name must not be printed.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let starts_well = !variable.starts_with(|first: char| first.is_ascii_digit());
        if variable.is_empty() || !variable.bytes().all(fits) || !starts_well {
            self.wrong(path, "must be the name of an environment variable");
            return None;
        }
        let Some(text) = (self.environment)(variable) else {
            self.wrong_as(path, Wrong::Unset(variable.to_owned()));
            return None;
        };
        if encoding == Encoding::Utf8 && Secret::looks_padded(&text) {
            let text = "begins or ends with white space or a quote: is that part of the secret?";
            let wrong = Wrong::Value {
                variable: variable.to_owned(),
                text: text.to_owned(),
            };
            self.warnings.push(problem_of(path, wrong));
        }
        self.value(path, variable, Secret::decode(&text, encoding))
    }

    /// What the value of a variable is read as, or a problem of that value.
    fn value<T, E: fmt::Display>(
        &mut self,
        path: &str,
        variable: &str,
        read: Result<T, E>,
    ) -> Option<T> {
        let wrong = |error: E| Wrong::Value {
            variable: variable.to_owned(),
            text: error.to_string(),
        };
        read.map_err(|error| self.wrong_as(path, wrong(error))).ok()
    }
}
