//! Where the keys are stored: in a file of SQLite, or in PostgreSQL.
//!
//! The password of a database never comes from an argument, which every user of the machine can read.

use std::path::{Path, PathBuf};

use keygate_service::{Place, PostgresUrl};

use crate::error::CliError;
use crate::file::read;

/// The variable with the URL, which may have the password.
const STORE: &str = "KEYGATE_STORE";

/// The variable with the path of the file.
const DATABASE: &str = "KEYGATE_DATABASE";

/// The variable with the path of a password file, as for PostgreSQL's own programs.
const PGPASSFILE: &str = "PGPASSFILE";

/// The file without an option, a variable or a configuration.
const DEFAULT_FILE: &str = "keygate.db";

/// Where the keys are stored.
#[derive(clap::Args)]
pub struct StoreArgs {
    /// SQLite file, keygate.db by default; created if it does not exist [env: KEYGATE_DATABASE=]
    // Not by `env`, which would not tell the option, before every URL, from the variable after it.
    #[arg(long, value_name = "FILE", conflicts_with = "store")]
    database: Option<PathBuf>,
    /// PostgreSQL in place of the file, as postgres://USER@HOST/DATABASE without a password; the
    /// variable KEYGATE_STORE can have the password as well
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// File with the password of the store; one trailing line break is removed. Default: the file that
    /// PGPASSFILE names
    #[arg(long, value_name = "FILE", env = "KEYGATE_STORE_PASSWORD_FILE")]
    store_password_file: Option<PathBuf>,
}

/// What a configuration file says of it.
#[derive(Default)]
pub struct StoreSettings {
    pub database: Option<PathBuf>,
    pub store: Option<String>,
    pub store_password_file: Option<PathBuf>,
}

impl StoreArgs {
    /// Decides where the keys are: what an option says, else a URL before a file, and for both the
    /// variable before the configuration.
    ///
    /// # Errors
    /// The URL is wrong, has a password where others can read it, or its password cannot be read.
    pub fn place(self, file: StoreSettings) -> Result<Place, CliError> {
        if let Some(path) = self.database {
            return Ok(Place::File(path));
        }
        let variable = || std::env::var(STORE).ok().filter(|url| !url.is_empty());
        let (url, source) = match (self.store, variable(), file.store) {
            (Some(url), _, _) => (url, "--store"),
            (None, Some(url), _) => (url, STORE),
            (None, None, Some(url)) => (url, "store in the configuration"),
            (None, None, None) => {
                let variable = std::env::var_os(DATABASE).filter(|path| !path.is_empty());
                let path = variable.map(PathBuf::from).or(file.database);
                return Ok(Place::File(path.unwrap_or_else(|| DEFAULT_FILE.into())));
            }
        };
        let password_file = self.store_password_file.or(file.store_password_file);
        server(&url, source, password_file.as_deref())
    }
}

/// Reads the URL of a database, and its password from where it is.
///
/// # Errors
/// The URL is wrong, has a password where others can read it, or its password cannot be read.
fn server(url: &str, source: &str, password_file: Option<&Path>) -> Result<Place, CliError> {
    let wrong = |told: &str| CliError::Usage(format!("{source} {told}"));
    let parsed = PostgresUrl::parse(url).map_err(|error| wrong(&error.to_string()))?;
    let parsed = match (parsed.has_password(), password_file) {
        (true, _) if source != STORE => {
            let told = "must not have a password, which others could read: write it to a file for \
                        --store-password-file, or to the file that PGPASSFILE names";
            return Err(wrong(told));
        }
        (true, Some(_)) => {
            let told = "has a password, and a password file has another: give one";
            return Err(wrong(told));
        }
        (true, None) => parsed,
        (false, Some(path)) => parsed.with_password(&password(path)?),
        (false, None) => from_password_file(parsed)?,
    };
    Ok(Place::Postgres(Box::new(parsed)))
}

/// Reads an argument that is a file of SQLite or a URL.
///
/// # Errors
/// Those of a URL.
pub fn place(text: &str, name: &str, password_file: Option<&Path>) -> Result<Place, CliError> {
    match text.contains("://") {
        true => server(text, name, password_file),
        false => Ok(Place::File(PathBuf::from(text))),
    }
}

/// The password in a file of its own.
fn password(path: &Path) -> Result<Vec<u8>, CliError> {
    let mut text = read(path)?;
    if text.ends_with(b"\n") {
        text.pop();
        if text.ends_with(b"\r") {
            text.pop();
        }
    }
    match text.is_empty() {
        true => Err(CliError::Usage(format!(
            "{} is empty: write the password of the store to it",
            path.display()
        ))),
        false => Ok(text),
    }
}

/// With the password that the file of PGPASSFILE has for this URL. Without one the server may still
/// let the user in, such as by a socket.
fn from_password_file(url: PostgresUrl) -> Result<PostgresUrl, CliError> {
    let Some(path) = std::env::var_os(PGPASSFILE).filter(|path| !path.is_empty()) else {
        return Ok(url);
    };
    let path = PathBuf::from(path);
    let text = String::from_utf8(read(&path)?)
        .map_err(|_| CliError::Usage(format!("cannot read {}: it is not UTF-8", path.display())))?;
    Ok(match url.password_in(&text) {
        Some(password) => url.with_password(password.as_bytes()),
        None => url,
    })
}
