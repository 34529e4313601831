//! The secret or key of a command, from wherever it is: never printed, and never from an
//! argument without a warning.

use std::fmt::Display;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use keygate_core::Secret;
use keygate_core::secret::Encoding;
use keygate_core::signed_url::PrivateKey;

use crate::environment::{or_another, required, value_of, warn_of_padding};
use crate::error::CliError;
use crate::file::read;

/// The variable that is read when nothing else is said.
const DEFAULT_VARIABLE: &str = "KEYGATE_MEDIA";

/// Where the secret is; one of these.
#[derive(clap::Args)]
#[command(next_help_heading = "Secret")]
#[group(id = "secret-source", multiple = false)]
pub struct Source {
    /// Environment variable with the secret. Default: KEYGATE_MEDIA
    #[arg(long, value_name = "VARIABLE")]
    secret_env: Option<String>,
    /// File with the secret, or "-" for standard input; one trailing line break is removed
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Ask for the secret on the terminal, without echo
    #[arg(long)]
    secret_prompt: bool,
    /// The secret itself. Insecure: every user of the machine can see it
    #[arg(long, value_name = "SECRET")]
    secret: Option<String>,
    /// File with a private key, for formats that sign with one: PEM (PKCS #8), or another encoding
    /// that the format accepts
    #[arg(long, value_name = "FILE")]
    pub private_key_file: Option<PathBuf>,
    /// File with a public key, for formats that verify with one. It cannot sign
    #[arg(long, value_name = "FILE")]
    public_key_file: Option<PathBuf>,
}

/// What signs or verifies.
pub enum Key {
    /// A secret, still in its encoding, and where it came from.
    Secret(Secret, String),
    /// A key that signs for edges without it, and where it came from.
    Private(Box<PrivateKey>, String),
    /// A key that verifies, and where it came from.
    Public(String, String),
}

impl Source {
    /// Whether one was named.
    pub fn is_given(&self) -> bool {
        self.secret_prompt
            || self.secret_env.is_some()
            || self.secret_file.is_some()
            || self.secret.is_some()
            || self.public_key_file.is_some()
    }

    /// Reads it.
    pub fn key(&self) -> Result<Key, CliError> {
        if let Some(private) = self.private_key()? {
            return Ok(Key::Private(private.into(), of_option("private-key-file")));
        }
        if let Some(file) = &self.public_key_file {
            let key = text(read(file)?, file)?;
            return Ok(Key::Public(key, of_option("public-key-file")));
        }
        let (bytes, place) = self.bytes()?;
        let has = |what: &[u8]| bytes.windows(what.len()).any(|it| it == what);
        if has(b"PRIVATE KEY-----") {
            let pem = String::from_utf8(bytes).unwrap_or_default();
            return private(&pem, &place).map(|key| Key::Private(key.into(), place));
        }
        Ok(Key::Secret(Secret::new(bytes), place))
    }

    /// The private key, if a file of one was named.
    pub fn private_key(&self) -> Result<Option<PrivateKey>, CliError> {
        let Some(file) = &self.private_key_file else {
            return Ok(None);
        };
        let pem = text(read(file)?, file)?;
        private(&pem, &file.display().to_string()).map(Some)
    }

    fn bytes(&self) -> Result<(Vec<u8>, String), CliError> {
        if let Some(secret) = &self.secret {
            eprintln!(
                "warning: other users can see --secret in the process list, and the shell keeps \
                 it in its history: use --secret-env, --secret-file or --secret-prompt"
            );
            return Ok((secret.clone().into_bytes(), "--secret".to_owned()));
        }
        if let Some(file) = &self.secret_file {
            let mut bytes = read(file)?;
            for end in [b'\n', b'\r'] {
                bytes.pop_if(|last| *last == end);
            }
            return Ok((bytes, file.display().to_string()));
        }
        if self.secret_prompt {
            let secret = rpassword::prompt_password("Secret: ").map_err(|error| {
                let message = format!("--secret-prompt requires a terminal: {error}");
                CliError::Usage(message)
            })?;
            return Ok((secret.into_bytes(), "the prompt".to_owned()));
        }
        let variable = self.secret_env.as_deref().unwrap_or(DEFAULT_VARIABLE);
        let value = required(variable).map_err(|error| {
            CliError::Usage(format!(
                "{error}: set it, or use --secret-env, --secret-file or --secret-prompt"
            ))
        })?;
        let value = value.into_encoded_bytes();
        Ok((value, value_of(variable)))
    }
}

fn of_option(name: &str) -> String {
    format!("the file of --{name}")
}

fn text(bytes: Vec<u8>, file: &Path) -> Result<String, CliError> {
    let message = || format!("{} is not UTF-8 text", file.display());
    String::from_utf8(bytes).map_err(|_| CliError::Usage(message()))
}

fn private(pem: &str, place: &str) -> Result<PrivateKey, CliError> {
    PrivateKey::parse(pem).map_err(|error| CliError::Usage(format!("{place} {error}")))
}

/// Where a secret of `keygate serve` is, as `ID=VARIABLE[:ENCODING]`: never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvSecret<Id> {
    /// Names it among the others.
    pub id: Id,
    variable: String,
    encoding: Option<Encoding>,
}

impl<Id> EnvSecret<Id> {
    /// Parses it; `id` checks the id.
    pub fn parse(text: &str, id: impl FnOnce(&str) -> Result<Id, String>) -> Result<Self, String> {
        let (name, rest) = text
            .split_once('=')
            .ok_or("must be ID=VARIABLE[:ENCODING]")?;
        let id = id(name)?;
        let (variable, encoding) = match rest.split_once(':') {
            None => (rest, None),
            Some((variable, encoding)) => {
                let encoding = Encoding::parse(encoding)
                    .ok_or("the encoding must be utf8, hex, base64 or base64url")?;
                (variable, Some(encoding))
            }
        };
        if variable.is_empty() {
            return Err("the variable is missing".to_owned());
        }
        Ok(Self {
            id,
            variable: variable.to_owned(),
            encoding,
        })
    }

    /// Reads the secret, in this encoding unless it names another; `option` names the source.
    pub fn read(&self, default: Encoding, option: &str) -> Result<Secret, CliError> {
        let text = required(&self.variable).map_err(|error| or_another(&error, option))?;
        let encoding = self.encoding.unwrap_or(default);
        if encoding == Encoding::Utf8 {
            warn_of_padding(&self.variable, text.as_bytes());
        }
        Secret::decode(text.as_bytes(), encoding).map_err(|error| self.wrong(&error))
    }

    /// Says what is wrong with the secret.
    pub fn wrong(&self, error: &dyn Display) -> CliError {
        CliError::Usage(format!("{} {error}", value_of(&self.variable)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<EnvSecret<String>, String> {
        EnvSecret::parse(text, |id| match id {
            "wrong" => Err("the id is wrong".to_owned()),
            id => Ok(id.to_owned()),
        })
    }

    #[test]
    fn a_source_has_an_id_a_variable_and_perhaps_an_encoding() {
        for (text, encoding) in [
            ("01=KEYS", None),
            ("01=KEYS:utf8", Some(Encoding::Utf8)),
            ("01=KEYS:hex", Some(Encoding::Hex)),
            ("01=KEYS:base64", Some(Encoding::Base64)),
            ("01=KEYS:base64url", Some(Encoding::Base64Url)),
        ] {
            let expected = EnvSecret {
                id: "01".to_owned(),
                variable: "KEYS".to_owned(),
                encoding,
            };
            assert_eq!(parsed(text), Ok(expected));
        }
    }

    #[test]
    fn the_message_for_a_wrong_source_names_the_wrong_part() {
        let shape = "must be ID=VARIABLE[:ENCODING]";
        let encoding = "the encoding must be utf8, hex, base64 or base64url";
        for (text, told) in [
            ("KEYS", shape),
            ("wrong=KEYS", "the id is wrong"),
            ("01=", "the variable is missing"),
            ("01=:hex", "the variable is missing"),
            ("01=KEYS:", encoding),
            ("01=KEYS:rot13", encoding),
        ] {
            assert_eq!(parsed(text).err().as_deref(), Some(told), "{text}");
        }
    }
}
