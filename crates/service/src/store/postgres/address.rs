//! Where a PostgreSQL is, and how a connection to it is protected.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::outbound::roots_of_the_system;
use crate::store::sql::{self, Session};

/// How long it may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a server may take to let us in, TLS and password included, and then to run a statement.
const SILENCE: Duration = Duration::from_secs(5);

/// How long data may stay unacknowledged before the connection counts as lost.
const USER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a silent connection is trusted, how often it is then asked for a sign of life, and how
/// many of these may be missing.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(5), Duration::from_secs(2), 2);

/// The database of a PostgreSQL server. Its `Display` and its `Debug` show no password.
#[derive(Clone)]
pub struct PostgresUrl {
    config: Config,
    tls: Option<Arc<ClientConfig>>,
    shown: String,
}

/// Why a URL names no database that can be used. Carries no password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It cannot be read.
    #[error("must be a URL such as postgres://keygate@db.example.com/keygate: {0}")]
    Malformed(String),
    /// A network could read and change what is sent.
    #[error(
        "sslmode={mode} does not prove that {host} is the database: leave it out, or write \
         sslmode=verify-full"
    )]
    Unprotected {
        /// What the URL says.
        mode: String,
        /// The host.
        host: String,
    },
    /// The authorities that are to be trusted cannot be read.
    #[error("sslrootcert: {} {reason}", path.display())]
    Roots {
        /// The file.
        path: PathBuf,
        /// In the words of the system.
        reason: String,
    },
}

impl PostgresUrl {
    /// Parses a URL. Reads the file of `sslrootcert`.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let malformed = |told: &str| UrlError::Malformed(told.to_owned());
        let schemes = ["postgres://", "postgresql://"];
        if !schemes.iter().any(|scheme| url.starts_with(scheme)) {
            return Err(malformed("it must begin with postgres://"));
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut roots) = (None, None);
        let mut rest = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => roots = Some(PathBuf::from(value.as_ref())),
                _ => {
                    rest.append_pair(&name, &value);
                }
            }
        }
        // The serializer writes a space as `+`, which a URL of PostgreSQL does not know.
        let rest = rest.finish().replace('+', "%20");
        let mut config: Config = format!("{base}?{rest}")
            .parse()
            .map_err(|error: tokio_postgres::Error| UrlError::Malformed(error.to_string()))?;
        // It would be connected to in place of the host, which decides whether TLS is needed.
        if !config.get_hostaddrs().is_empty() {
            return Err(malformed(
                "hostaddr is not accepted: write the address as the host",
            ));
        }
        let (host, is_local) = match config.get_hosts() {
            [Host::Tcp(name)] => (name.clone(), is_loopback(name)),
            [Host::Unix(path)] => (path.display().to_string(), true),
            _ => return Err(malformed("it must name one host")),
        };
        let Some(user) = config.get_user().map(str::to_owned) else {
            return Err(malformed("it must name a user"));
        };
        let tls = match (mode, is_local) {
            (None, false) => Some(trusting(roots.as_deref())?),
            (Some(mode), _) if mode == "verify-full" => Some(trusting(roots.as_deref())?),
            (None, true) => None,
            (Some(mode), true) if mode == "disable" => None,
            (Some(mode), _) => return Err(UrlError::Unprotected { mode, host }),
        };
        let (idle, interval, retries) = KEEPALIVE;
        config
            .ssl_mode(match tls {
                Some(_) => SslMode::Require,
                None => SslMode::Disable,
            })
            .application_name("keygate")
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(USER_TIMEOUT)
            .keepalives(true)
            .keepalives_idle(idle)
            .keepalives_interval(interval)
            .keepalives_retries(retries);
        let shown = format!(
            "{} on {host} port {} as {user}",
            database(&config),
            port(&config)
        );
        Ok(Self { config, tls, shown })
    }

    /// Whether it has a password.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// With another password.
    #[must_use]
    pub fn with_password(mut self, password: &[u8]) -> Self {
        self.config.password(password);
        self
    }

    /// The password of the first line of a password file (`PGPASSFILE`) that fits. As for PostgreSQL's
    /// own programs, a line has host, port, database and user, each a name or `*`, and the password.
    pub fn password_in(&self, file: &str) -> Option<String> {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(_)) | None => "localhost".to_owned(),
        };
        let own = [
            host,
            port(&self.config).to_string(),
            database(&self.config).to_owned(),
            self.config.get_user().unwrap_or_default().to_owned(),
        ];
        let lines = file.lines().filter(|line| !line.starts_with('#'));
        lines.map(fields).find_map(|fields| {
            let (password, names) = fields.split_last()?;
            let mut pairs = names.iter().zip(&own);
            let fits =
                names.len() == own.len() && pairs.all(|(name, own)| name == "*" || name == own);
            fits.then(|| password.clone())
        })
    }

    /// Opens a connection, whose calls are bounded by [`SILENCE`]. Blocks, and must not be called by a
    /// thread that runs async code.
    pub(super) fn connect(&self) -> sql::Result<Session> {
        match &self.tls {
            Some(tls) => {
                let config = ClientConfig::clone(tls);
                Session::open(&self.config, MakeRustlsConnect::new(config), SILENCE)
            }
            None => Session::open(&self.config, NoTls, SILENCE),
        }
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

/// Trusts the authorities of a file, or those of the system.
fn trusting(file: Option<&Path>) -> Result<Arc<ClientConfig>, UrlError> {
    let roots = match file {
        Some(path) => roots_in(path).map_err(|reason| UrlError::Roots {
            path: path.to_owned(),
            reason,
        })?,
        None => roots_of_the_system(),
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has all that TLS 1.2 and 1.3 need")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn roots_in(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let read = CertificateDer::pem_file_iter(path);
    for certificate in read.map_err(|error| format!("cannot be read: {error}"))? {
        let certificate = certificate.map_err(|error| format!("cannot be read: {error}"))?;
        let added = roots.add(certificate);
        added.map_err(|error| format!("has a wrong certificate: {error}"))?;
    }
    match roots.is_empty() {
        true => Err("has no certificate in PEM".to_owned()),
        false => Ok(roots),
    }
}

fn database(config: &Config) -> &str {
    let user = config.get_user().unwrap_or_default();
    config.get_dbname().unwrap_or(user)
}

fn port(config: &Config) -> u16 {
    config.get_ports().first().copied().unwrap_or(5432)
}

fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|it| it.is_loopback())
}

/// The fields of a line, in which a backslash makes a colon or a backslash part of its field.
fn fields(line: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ':' => fields.push(std::mem::take(&mut field)),
            '\\' => field.extend(characters.next()),
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_needs_a_certificate_unless_its_host_is_this_machine() {
        for url in [
            "postgres://keygate@127.0.0.1:5433/keys",
            "postgres://keygate@localhost/keys?sslmode=disable",
            "postgresql://keygate@[::1]/keys",
            "postgres://keygate@%2Frun%2Fpostgresql/keys",
            "postgres://keygate@/keys?host=/run/postgresql",
        ] {
            let parsed = PostgresUrl::parse(url);
            assert!(parsed.is_ok_and(|it| it.tls.is_none()), "{url}");
        }
        for url in [
            "postgres://keygate@db.example.com/keys",
            "postgres://keygate@10.0.0.7/keys?sslmode=verify-full",
            "postgres://keygate@127.0.0.1/keys?sslmode=verify-full",
        ] {
            let parsed = PostgresUrl::parse(url);
            assert!(parsed.is_ok_and(|it| it.tls.is_some()), "{url}");
        }
        for mode in ["disable", "prefer", "require", "verify-ca", ""] {
            let url = format!("postgres://keygate@db.example.com/keys?sslmode={mode}");
            let error = PostgresUrl::parse(&url).unwrap_err();
            assert!(
                matches!(error, UrlError::Unprotected { .. }),
                "{mode}: {error}"
            );
        }
    }

    #[test]
    fn a_url_that_names_no_database_is_rejected() {
        for url in [
            "",
            "db.example.com",
            "https://db.example.com/",
            "postgres://db.example.com/keys",
            "postgres://keygate@/keys",
            "postgres://keygate@a.example.com,b.example.com/keys",
            "postgres://keygate@localhost/keys?sslmod=disable",
            "postgres://keygate@localhost:port/keys",
            "postgres://keygate@127.0.0.1/keys?hostaddr=10.0.0.7",
        ] {
            let error = PostgresUrl::parse(url).unwrap_err();
            assert!(matches!(error, UrlError::Malformed(_)), "{url}: {error}");
        }
        let url = "postgres://keygate@db.example.com/keys?sslrootcert=/nowhere.pem";
        let error = PostgresUrl::parse(url).unwrap_err().to_string();
        let expected = "sslrootcert: /nowhere.pem cannot be read";
        assert!(error.starts_with(expected), "{error}");
    }

    #[test]
    fn a_password_is_never_shown() {
        let url = PostgresUrl::parse("postgres://keygate:hunter2@127.0.0.1/keys").unwrap();
        assert!(url.has_password());
        let shown = format!("{url} {url:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(url.to_string(), "keys on 127.0.0.1 port 5432 as keygate");
    }

    #[test]
    fn the_first_fitting_line_of_a_password_file_counts() {
        let url = PostgresUrl::parse("postgres://keygate@127.0.0.1:5433/keys").unwrap();
        let file = "# a comment\n127.0.0.1:5432:keys:keygate:other port\n\
                    127.0.0.1:5433:*:keygate:a\\:b\\\\c\n*:*:*:*:last\n";
        assert_eq!(url.password_in(file).as_deref(), Some("a:b\\c"));
        assert_eq!(url.password_in("*:*:*:*:all").as_deref(), Some("all"));
        assert_eq!(url.password_in("*:*:*:other:all\n*:*\n"), None);
    }
}
