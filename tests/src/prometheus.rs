//! A real Prometheus with the files that a user copies, which scrapes a real Envoy and key service.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::port::Port;
use crate::process::Process;
use crate::{client, repository, tools, wait};

/// From `KEYGATE_PROMETHEUS`, else from `scripts/prometheus`.
static PROGRAMS: LazyLock<PathBuf> =
    LazyLock::new(|| tools::required("KEYGATE_PROMETHEUS", "prometheus"));

/// `promtool` with these arguments, in this directory: what it printed, as an error if it failed.
///
/// # Errors
/// What it printed.
///
/// # Panics
/// When it cannot be run.
pub fn promtool(directory: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(PROGRAMS.join("promtool"));
    let output = command.args(arguments).current_dir(directory).output();
    let output = output.expect("promtool can be run");
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    match output.status.success() {
        true => Ok(printed),
        false => Err(printed),
    }
}

/// A running Prometheus; it ends when dropped.
pub struct Prometheus {
    port: Port,
    _process: Process,
    _directory: TempDir,
}

impl Prometheus {
    /// With `envoy/prometheus/`, every second: of an Envoy by its admin port, and of a key service.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(envoy: u16, service: u16) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let files = repository().join("envoy/prometheus");
        let text = fs::read_to_string(files.join("prometheus.yaml")).expect("the file is there");
        let text = text
            .replace("127.0.0.1:9901", &format!("127.0.0.1:{envoy}"))
            .replace("127.0.0.1:8801", &format!("127.0.0.1:{service}"))
            .replace("_interval: 5s", "_interval: 1s");
        let config = directory.path().join("prometheus.yaml");
        fs::write(&config, text).expect("a file can be written");
        fs::copy(
            files.join("alerts.yaml"),
            directory.path().join("alerts.yaml"),
        )
        .expect("a file can be copied");
        let port = Port::claim();
        let mut command = Command::new(PROGRAMS.join("prometheus"));
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{}", port.number()));
        let process = Process::start("prometheus", command, directory.path().join("log"));
        let prometheus = Self {
            port,
            _process: process,
            _directory: directory,
        };
        wait::until("Prometheus", wait::STARTUP, || {
            let ready = client::get(prometheus.port.number(), "/-/ready").try_send();
            ready.is_ok_and(|answer| answer.status == 200).then_some(())
        });
        prometheus
    }

    /// The series that a query finds now, each with its labels and its value.
    ///
    /// # Panics
    /// When the query is wrong.
    #[must_use]
    pub fn query(&self, query: &str) -> Vec<Value> {
        let answer = self.api(&format!("query?query={}", encoded(query)));
        let series = answer["result"].as_array().cloned();
        series.unwrap_or_else(|| panic!("{query}: {answer}"))
    }

    /// The series that a query finds between two times (unix seconds), with a value for each step
    /// of so many seconds.
    ///
    /// # Panics
    /// When the query is wrong.
    #[must_use]
    pub fn range(&self, query: &str, from: u64, to: u64, step: u32) -> Vec<Value> {
        let encoded = encoded(query);
        let path = format!("query_range?query={encoded}&start={from}&end={to}&step={step}");
        let answer = self.api(&path);
        let series = answer["result"].as_array().cloned();
        series.unwrap_or_else(|| panic!("{query}: {answer}"))
    }

    /// Its version.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn version(&self) -> String {
        let answer = self.api("status/buildinfo");
        answer["version"].as_str().unwrap_or_default().to_owned()
    }

    /// The alert rules, with their state.
    ///
    /// # Panics
    /// When Prometheus does not answer.
    #[must_use]
    pub fn rules(&self) -> Vec<Value> {
        let answer = self.api("rules");
        let groups = answer["groups"].as_array().cloned().unwrap_or_default();
        let rules = groups.iter().filter_map(|group| group["rules"].as_array());
        rules.flatten().cloned().collect()
    }

    fn api(&self, path: &str) -> Value {
        let answer = client::get(self.port.number(), format!("/api/v1/{path}")).send();
        let text = answer.text();
        assert_eq!(answer.status, 200, "{path}: {text}");
        let answer: Value = serde_json::from_str(&text).expect("Prometheus answers in JSON");
        answer["data"].clone()
    }
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut done, byte| {
        match byte.is_ascii_alphanumeric() {
            true => done.push(char::from(byte)),
            false => write!(done, "%{byte:02X}").expect("a String takes all"),
        }
        done
    })
}
