//! A real Envoy with the file that a user copies.

mod config;

use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

pub use config::EnvoyConfig;

use crate::client;
use crate::launch::{Container, ENVOY};
use crate::leaks::{self, Source};
use crate::process::Process;
use crate::wait;

/// How long one question to the admin port may take.
const ADMIN_PATIENCE: Duration = Duration::from_secs(5);

/// What the admin port tells.
const ADMIN_PAGES: [&str; 7] = [
    "/config_dump?include_eds",
    "/stats",
    "/stats/prometheus",
    "/server_info",
    "/clusters",
    "/listeners",
    "/runtime",
];

/// A running Envoy; it ends when dropped, and its log is printed if the test failed.
pub struct Envoy {
    // The order matters: fields are dropped from the first to the last.
    process: Mutex<Process>,
    container: Option<Container>,
    directory: TempDir,
    port: u16,
    admin_port: u16,
    log_levels: String,
}

impl Envoy {
    /// Starts it and waits until it serves.
    ///
    /// # Panics
    /// When it does not come up; its log says why.
    #[must_use]
    pub fn start(config: EnvoyConfig) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let addresses = directory.path().join("admin");
        let log_levels = config.log_levels.clone();
        let (mut process, container) = launch(
            config,
            &directory,
            &[
                "--admin-address-path".to_owned(),
                addresses.display().to_string(),
            ],
        );
        let admin_port = wait::until("Envoy's admin port", wait::STARTUP, || {
            process.assert_running();
            let address = std::fs::read_to_string(&addresses).ok()?;
            address.rsplit_once(':')?.1.trim().parse::<u16>().ok()
        });
        wait::until("Envoy to be ready", wait::STARTUP, || {
            process.assert_running();
            let ready = client::get(admin_port, "/ready").patience(ADMIN_PATIENCE);
            (ready.try_send().ok()?.status == 200).then_some(())
        });
        let port = listener_port(admin_port);
        Self {
            process: Mutex::new(process),
            container,
            directory,
            port,
            admin_port,
            log_levels,
        }
    }

    /// Loads the configuration, as `envoy --mode validate` does.
    ///
    /// # Errors
    /// Envoy's message if it rejects the configuration.
    pub fn validate(config: EnvoyConfig) -> Result<(), String> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let arguments = ["--mode".to_owned(), "validate".to_owned()];
        let (mut process, _container) = launch(config, &directory, &arguments);
        let status = wait::until("Envoy's validation", wait::STARTUP, || process.ended());
        if status.success() {
            Ok(())
        } else if leaks::is_on() {
            Err(leaks::at_ordinary_level(&process.log(), ""))
        } else {
            Err(process.log())
        }
    }

    /// Where clients connect on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the admin interface listens on 127.0.0.1.
    #[must_use]
    pub fn admin_port(&self) -> u16 {
        self.admin_port
    }

    /// `GET` on the admin interface.
    ///
    /// # Panics
    /// When it does not answer 200.
    #[must_use]
    pub fn admin(&self, path: &str) -> String {
        admin(self.admin_port, path)
    }

    /// A counter or a gauge by its whole name; `None` if it has never been touched.
    #[must_use]
    pub fn stat(&self, name: &str) -> Option<u64> {
        let stats = self.admin("/stats?usedonly");
        let mut lines = stats.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(n, _)| *n == name)?.1.trim().parse().ok()
    }

    /// Every counter and gauge whose name contains the text.
    #[must_use]
    pub fn stats(&self, part: &str) -> Vec<(String, u64)> {
        let stats = self.admin("/stats?usedonly");
        let lines = stats.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(name, _)| name.contains(part))
            .filter_map(|(name, value)| Some((name.to_owned(), value.trim().parse().ok()?)))
            .collect()
    }

    /// What it has written so far: its own log and the access log.
    #[must_use]
    pub fn log(&self) -> String {
        let log = self.process().log();
        match leaks::is_on() {
            true => leaks::at_ordinary_level(&log, &self.log_levels),
            false => log,
        }
    }

    /// Waits until the log contains the text; the access log is written with a delay.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait_for_log(&self, text: &str) {
        let what = format!("{text:?} in Envoy's log");
        wait::until(&what, Duration::from_secs(5), || {
            self.log().contains(text).then_some(())
        });
    }

    /// Whether the process is still there.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process().ended().is_none()
    }

    /// The number of its process; `None` where it is in a container.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.container.is_none().then(|| self.process().id())
    }

    /// Stops it where it is (SIGSTOP), until [`resume`](Self::resume): it keeps its memory and its
    /// connections, and answers nothing.
    pub fn pause(&self) {
        match &self.container {
            Some(container) => container.tell("pause"),
            None => self.process().freeze(),
        }
    }

    /// Lets a [paused](Self::pause) one go on.
    pub fn resume(&self) {
        match &self.container {
            Some(container) => container.tell("unpause"),
            None => self.process().signal(Signal::CONT),
        }
    }

    /// Ends it by SIGTERM, as an operator would.
    pub fn stop(&self) -> ExitStatus {
        self.process().stop()
    }

    /// Replaces the listener of a [dynamic](EnvoyConfig::dynamic) configuration, and waits
    /// until Envoy has accepted or rejected it. Returns `true` if it was accepted.
    ///
    /// # Panics
    /// When Envoy says neither.
    pub fn update(&self, config: &EnvoyConfig) -> bool {
        let count = |name: &str| {
            let stat = self.stat(&format!("listener_manager.lds.update_{name}"));
            stat.unwrap_or(0)
        };
        let (accepted, rejected) = (count("success"), count("rejected"));
        let file = config::listeners_file(self.directory.path());
        config::write_whole(&file, &format!("{:#}", config.discovery()));
        wait::until(
            "Envoy to read its listeners again",
            wait::STARTUP,
            || match (count("success") > accepted, count("rejected") > rejected) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                (false, false) => None,
            },
        )
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if !leaks::is_on() {
            return;
        }
        for path in ADMIN_PAGES {
            let page = client::get(self.admin_port, path).patience(ADMIN_PATIENCE);
            // A test may have ended it.
            if let Ok(page) = page.try_send() {
                leaks::keep(Source::Admin, &page.body);
            }
        }
        self.process().stop();
        let [log, output] = self.process().files();
        leaks::keep_file(Source::EnvoyLog, &log);
        leaks::keep_file(Source::AccessLog, &output);
    }
}

fn launch(
    mut config: EnvoyConfig,
    directory: &TempDir,
    more: &[String],
) -> (Process, Option<Container>) {
    if config.has_filter() {
        config::assert_built(&config.module);
    }
    config.split_listeners(directory.path());
    let bootstrap = directory.path().join("bootstrap.json");
    let text = format!("{:#}", config.bootstrap());
    std::fs::write(&bootstrap, text).expect("a temporary directory can be written to");
    let mut arguments = vec!["--config-path".to_owned(), bootstrap.display().to_string()];
    let concurrency = config.concurrency.to_string();
    arguments.extend(["--concurrency".to_owned(), concurrency]);
    if leaks::is_on() {
        arguments.extend(["--log-level", "trace", "--log-format-escaped"].map(str::to_owned));
    } else {
        // At level info, `main` begins with 30 kB of what is compiled in.
        let levels = format!("main:warning{}", config.log_levels);
        arguments.extend(["--component-log-level".to_owned(), levels]);
    }
    arguments.extend(["--drain-time-s".to_owned(), "1".to_owned()]);
    // Many Envoys on one machine; an access log that a test can read soon.
    arguments.push("--disable-hot-restart".to_owned());
    arguments.extend(["--file-flush-interval-msec".to_owned(), "50".to_owned()]);
    arguments.extend_from_slice(more);
    let (command, container) = ENVOY.command(
        &arguments,
        &config.variables,
        directory.path(),
        &config.module,
    );
    let log = directory.path().join("envoy.log");
    (Process::start("envoy", command, log), container)
}

fn admin(port: u16, path: &str) -> String {
    let response = client::get(port, path).patience(ADMIN_PATIENCE).send();
    assert_eq!(response.status, 200, "admin {path}: {}", response.text());
    response.text()
}

fn listener_port(admin_port: u16) -> u16 {
    let listeners: Value =
        serde_json::from_str(&admin(admin_port, "/listeners?format=json")).expect("JSON");
    let port = &listeners["listener_statuses"][0]["local_address"]["socket_address"]["port_value"];
    let port = port.as_u64().and_then(|port| u16::try_from(port).ok());
    port.unwrap_or_else(|| panic!("no port in {listeners}"))
}
