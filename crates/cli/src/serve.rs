//! `keygate serve`: the key service in the foreground.

mod events;
mod file;
mod table;
mod templates;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::process::ExitCode;

use keygate_core::keys::{KeyRingId, MasterSecret, Prefix};
use keygate_core::secret::Encoding;
use keygate_service::events::UNUSED_AFTER;
use keygate_service::{ServeError, ServiceConfig, StoreError, Tokens, serve};

use self::events::{EventSettings, HookSettings};
use self::file::{Settings, listen};
use crate::assertion::AssertionArgs;
use crate::environment::{or_another, required_text, value_of, warn_of_padding};
use crate::error::CliError;
use crate::place::StoreArgs;
use crate::secret::EnvSecret;

/// The address without an option, a variable or a file.
const LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8801));

/// The same for the prefix.
const PREFIX: &str = "kg";

const EXAMPLES: &str = "\
Examples:
  export KEYGATE_APP_KEYS=$(openssl rand -hex 32)
  export KEYGATE_ADMIN_TOKEN=$(openssl rand -hex 24) KEYGATE_EDGE_TOKEN=$(openssl rand -hex 24)
  keygate serve --secret 01=KEYGATE_APP_KEYS

A token variable can contain several tokens, separated by commas. All of them are valid.
SIGTERM and SIGINT stop the service after pending requests, within 10 s.";

/// Run the key service over a SQLite file or PostgreSQL.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// File with settings (TOML, docs/operations.md); an option, and then its variable, comes before
    /// the file
    #[arg(long, value_name = "FILE", env = "KEYGATE_CONFIG")]
    config: Option<PathBuf>,
    /// Address to listen on, 127.0.0.1:8801 by default; port 0 selects a free port
    #[arg(long, value_name = "ADDRESS", env = "KEYGATE_LISTEN", value_parser = listen)]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    store: StoreArgs,
    /// Prefix of every key, kg by default
    #[arg(long, env = "KEYGATE_PREFIX", value_parser = Prefix::parse)]
    prefix: Option<Prefix>,
    /// Master secret of new keys: its id, its environment variable and its encoding (hex,
    /// base64, base64url or utf8; default utf8), all as in the policy
    #[arg(
        long,
        value_name = "ID=VARIABLE[:ENCODING]",
        default_value = "01=KEYGATE_APP_KEYS",
        value_parser = source
    )]
    secret: EnvSecret<KeyRingId>,
    /// Earlier master secret, under which imported keys may be stored; repeatable
    #[arg(
        long = "retired-secret",
        value_name = "ID=VARIABLE[:ENCODING]",
        value_parser = source
    )]
    retired: Vec<EnvSecret<KeyRingId>>,
    /// Environment variable with the admin tokens
    #[arg(long, value_name = "VARIABLE", default_value = "KEYGATE_ADMIN_TOKEN")]
    admin_token_env: String,
    /// Environment variable with the edge tokens
    #[arg(long, value_name = "VARIABLE", default_value = "KEYGATE_EDGE_TOKEN")]
    edge_token_env: String,
    #[command(flatten)]
    assertions: AssertionArgs,
}

/// Serves until a signal.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let file = args.config.as_deref().map(Settings::read).transpose()?;
    let file = file.unwrap_or_default();
    let prefix = match args.prefix.or(file.prefix) {
        Some(prefix) => prefix,
        None => Prefix::parse(PREFIX).map_err(|error| CliError::Usage(error.to_string()))?,
    };
    let config = ServiceConfig {
        listen: args.listen.or(file.listen).unwrap_or(LISTEN),
        database: args.store.place(file.store)?,
        prefix,
        kid: args.secret.id,
        master: master(&args.secret, "--secret")?,
        retired: args
            .retired
            .iter()
            .map(|source| Ok((source.id, master(source, "--retired-secret")?)))
            .collect::<Result<_, _>>()?,
        admin_tokens: tokens(&args.admin_token_env, "--admin-token-env")?,
        edge_tokens: tokens(&args.edge_token_env, "--edge-token-env")?,
        assertions: args.assertions.read()?,
        limits: file.connections,
        key_limits: file.limits,
        space_limits: file.spaces,
        templates: file.templates,
        retention: file.retention,
        events: file
            .events
            .into_iter()
            .map(EventSettings::target)
            .collect::<Result<_, _>>()?,
        unused_after: file.unused_after.unwrap_or(UNUSED_AFTER),
        leaks: file.leaks,
        hook: file.hook.map(HookSettings::target).transpose()?,
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

/// Parses where a master secret is.
fn source(text: &str) -> Result<EnvSecret<KeyRingId>, String> {
    EnvSecret::parse(text, |id| {
        KeyRingId::parse(id).map_err(|error| format!("the id {error}"))
    })
}

fn master(source: &EnvSecret<KeyRingId>, option: &str) -> Result<MasterSecret, CliError> {
    let secret = source.read(Encoding::Utf8, option)?;
    MasterSecret::derive(&secret).map_err(|error| source.wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_master_secret_is_two_letters_or_digits() {
        assert_eq!(source("01=KEYS").unwrap().id.to_string(), "01");
        for wrong in ["1=KEYS", "0_=KEYS", "012=KEYS", "=KEYS"] {
            let told = source(wrong).unwrap_err();
            assert!(told.starts_with("the id "), "{wrong}: {told}");
        }
    }
}
