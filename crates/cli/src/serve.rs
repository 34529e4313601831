//! `keygate serve`: the key service in the foreground.

use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use keygate_core::Secret;
use keygate_core::keys::{KeyRingId, MasterSecret, Prefix};
use keygate_core::secret::Encoding;
use keygate_service::{Limits, ServeError, ServiceConfig, StoreError, Tokens, serve};

use crate::assertion::AssertionArgs;
use crate::environment::{or_another, required, required_text, value_of, warn_of_padding};
use crate::error::CliError;
use crate::secret::ENCODINGS;

const EXAMPLES: &str = "\
Examples:
  export KEYGATE_APP_KEYS=$(openssl rand -hex 32)
  export KEYGATE_ADMIN_TOKEN=$(openssl rand -hex 24) KEYGATE_EDGE_TOKEN=$(openssl rand -hex 24)
  keygate serve --secret 01=KEYGATE_APP_KEYS

A token variable can contain several tokens, separated by commas. All of them are valid.
SIGTERM and SIGINT stop the service after pending requests, within 10 s.";

/// Run the key service over a SQLite file.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Address to listen on; port 0 selects a free port
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8801",
        value_parser = parse_listen
    )]
    listen: SocketAddr,
    /// SQLite file; created if it does not exist
    #[arg(long, value_name = "FILE", default_value = "keygate.db")]
    database: PathBuf,
    /// Prefix of every key
    #[arg(long, default_value = "kg", value_parser = Prefix::parse)]
    prefix: Prefix,
    /// Master secret of new keys: its id, its environment variable and its encoding (utf8, the
    /// default, hex, base64 or base64url), all as in the policy
    #[arg(
        long,
        value_name = "ID=VARIABLE[:ENCODING]",
        default_value = "01=KEYGATE_APP_KEYS"
    )]
    secret: SecretSource,
    /// Earlier master secret, under which imported keys may be stored; repeatable
    #[arg(long = "retired-secret", value_name = "ID=VARIABLE[:ENCODING]")]
    retired: Vec<SecretSource>,
    /// Environment variable with the admin tokens
    #[arg(long, value_name = "VARIABLE", default_value = "KEYGATE_ADMIN_TOKEN")]
    admin_token_env: String,
    /// Environment variable with the edge tokens
    #[arg(long, value_name = "VARIABLE", default_value = "KEYGATE_EDGE_TOKEN")]
    edge_token_env: String,
    #[command(flatten)]
    assertions: AssertionArgs,
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse();
    address.map_err(|_| "must be an IP address and a port, such as 127.0.0.1:8801".to_owned())
}

/// Serves until a signal.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let config = ServiceConfig {
        listen: args.listen,
        database: args.database,
        prefix: args.prefix,
        kid: args.secret.kid,
        master: args.secret.read("--secret")?,
        retired: args
            .retired
            .iter()
            .map(|source| source.read("--retired-secret"))
            .collect::<Result<_, _>>()?,
        admin_tokens: tokens(&args.admin_token_env, "--admin-token-env")?,
        edge_tokens: tokens(&args.edge_token_env, "--edge-token-env")?,
        assertions: args.assertions.read()?,
        limits: Limits::default(),
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| CliError::Usage(format!("cannot start: {error}")))?;
    runtime
        .block_on(serve(config))
        .map_err(|error| CliError::Usage(not_started(&error)))?;
    Ok(ExitCode::SUCCESS)
}

/// Why the service does not start, and which option may help.
fn not_started(error: &ServeError) -> String {
    match error {
        ServeError::Listen { .. } => format!("{error}: choose another address with --listen"),
        ServeError::Store(StoreError::InUse { .. }) => {
            format!("{error}: stop that process, or choose another file with --database")
        }
        _ => error.to_string(),
    }
}

fn tokens(variable: &str, option: &str) -> Result<Tokens, CliError> {
    let text = required_text(variable).map_err(|error| or_another(&error, option))?;
    for token in text.split(',') {
        warn_of_padding(variable, token.trim().as_bytes());
    }
    Tokens::parse(&text).map_err(|error| CliError::Usage(format!("{} {error}", value_of(variable))))
}

/// Where a master secret is: never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SecretSource {
    kid: KeyRingId,
    variable: String,
    encoding: Encoding,
}

impl SecretSource {
    fn read(&self, option: &str) -> Result<MasterSecret, CliError> {
        let name = &self.variable;
        let wrong =
            |error: &dyn std::fmt::Display| CliError::Usage(format!("{} {error}", value_of(name)));
        let text = required(name).map_err(|error| or_another(&error, option))?;
        if self.encoding == Encoding::Utf8 {
            warn_of_padding(name, text.as_bytes());
        }
        let secret =
            Secret::decode(text.as_bytes(), self.encoding).map_err(|error| wrong(&error))?;
        MasterSecret::derive(&secret).map_err(|error| wrong(&error))
    }
}

impl FromStr for SecretSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kid, rest) = text
            .split_once('=')
            .ok_or("must be ID=VARIABLE[:ENCODING]")?;
        let (variable, encoding) = match rest.split_once(':') {
            None => (rest, Encoding::Utf8),
            Some((variable, encoding)) => match Encoding::parse(encoding) {
                Some(encoding) => (variable, encoding),
                None => return Err(ENCODINGS.to_owned()),
            },
        };
        if variable.is_empty() {
            return Err("the variable is missing".to_owned());
        }
        Ok(Self {
            kid: KeyRingId::parse(kid).map_err(|error| format!("the id {error}"))?,
            variable: variable.to_owned(),
            encoding,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_source_has_an_id_a_variable_and_perhaps_an_encoding() {
        let parsed = |text: &str| {
            let source: SecretSource = text.parse().unwrap();
            (source.kid.to_string(), source.variable, source.encoding)
        };
        for (text, encoding) in [
            ("01=KEYS", Encoding::Utf8),
            ("01=KEYS:utf8", Encoding::Utf8),
            ("01=KEYS:hex", Encoding::Hex),
            ("01=KEYS:base64", Encoding::Base64),
            ("01=KEYS:base64url", Encoding::Base64Url),
        ] {
            assert_eq!(parsed(text), ("01".to_owned(), "KEYS".to_owned(), encoding));
        }
        for wrong in [
            "KEYS",
            "1=KEYS",
            "0_=KEYS",
            "01=",
            "01=:hex",
            "01=KEYS:",
            "01=KEYS:rot13",
        ] {
            assert!(wrong.parse::<SecretSource>().is_err(), "{wrong}");
        }
    }
}
