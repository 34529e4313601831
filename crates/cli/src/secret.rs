//! The secret or key of a command, from wherever it is: never printed, and never from an
//! argument without a warning.

use std::path::{Path, PathBuf};

use keygate_core::Secret;
use keygate_core::signed_url::PrivateKey;

use crate::environment::{required, value_of};
use crate::error::CliError;
use crate::file::read;

/// The variable that is read when nothing else is said.
const DEFAULT_VARIABLE: &str = "KEYGATE_MEDIA";

/// What is wrong with the encoding of an `ID=VARIABLE:ENCODING`.
pub const ENCODINGS: &str = "the encoding must be utf8, hex, base64 or base64url";

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
