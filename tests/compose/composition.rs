//! Docker and its composition, as commands.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use keygate_tests::port::Port;
use keygate_tests::repository;
use serde_json::Value;

/// The variables of `envoy/compose.yaml` with ports of this machine.
const PORTS: [&str; 4] = [
    "KEYGATE_PORT",
    "KEYGATE_SERVICE_PORT",
    "KEYGATE_PROMETHEUS_PORT",
    "KEYGATE_GRAFANA_PORT",
];

/// Whether to test: `make test-compose` says so with `KEYGATE_COMPOSE`. Elsewhere, what is then not
/// tested is printed.
pub fn is_wanted() -> bool {
    let is_wanted = std::env::var_os("KEYGATE_COMPOSE").is_some();
    if !is_wanted {
        eprintln!("!!! SKIPPED: envoy/compose.yaml is not started: make test-compose does that");
    }
    is_wanted
}

/// An image of this service, from a registry or made here; `None` if it cannot be had.
pub fn image(service: &str) -> Option<String> {
    let script = repository().join("scripts/docker-image");
    let output = Command::new(script).arg(service).output();
    let output = output.expect("scripts/docker-image can be run");
    if output.status.success() {
        let image = String::from_utf8_lossy(&output.stdout);
        return Some(image.trim().to_owned());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    eprintln!("!!! LEFT OUT of the composition: {service}: {told}");
    None
}

/// What `docker inspect` says of a container.
#[track_caller]
pub fn container(id: &str) -> Value {
    let text = run(Command::new("docker").args(["inspect", id]));
    let all: Value = serde_json::from_str(&text).unwrap();
    all[0].clone()
}

/// Runs a program to its end. Returns what it has printed to standard output.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command.current_dir(repository()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

/// `docker compose`, or the older program, in the root of the repository.
pub fn compose() -> Command {
    let mut plugin = Command::new("docker");
    let plugin = plugin.args(["compose", "version"]).output();
    let mut command = match plugin.is_ok_and(|it| it.status.success()) {
        true => {
            let mut command = Command::new("docker");
            command.arg("compose");
            command
        }
        false => Command::new("docker-compose"),
    };
    command.current_dir(repository());
    command
}

/// The options of the command that the page shows for this file, without the `up` at its end.
#[track_caller]
fn options(file: &str) -> Vec<String> {
    let page = fs::read_to_string(repository().join("docs/docker.md")).unwrap();
    let mut shown = page
        .lines()
        .filter_map(|it| it.strip_prefix("    docker compose "));
    let named = format!("{file} --env-file");
    let shown = shown.find(|it| it.contains(&named)).unwrap();
    let options = shown.strip_suffix(" up").unwrap();
    options.split(' ').map(str::to_owned).collect()
}

/// The running composition. Stopped when it is dropped, with its volume.
pub struct Composition {
    /// The last of the files that make it.
    file: &'static str,
    name: String,
    variables: Vec<(&'static str, String)>,
    /// Held until the end, so that no other test takes one.
    claims: Vec<Port>,
}

impl Composition {
    /// Starts every service but those that are left out, on free ports of this machine.
    #[track_caller]
    pub fn up(file: &'static str, variables: &[(&'static str, String)], left_out: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut composition = Self {
            file,
            name: format!("keygate-test-{}-{count}", std::process::id()),
            variables: variables.to_vec(),
            claims: Vec::new(),
        };
        for name in PORTS {
            let port = Port::claim();
            composition
                .variables
                .push((name, port.number().to_string()));
            composition.claims.push(port);
        }
        let text = run(composition.command().args(["config", "--services"]));
        let services = text.lines().filter(|it| !left_out.contains(it));
        let mut up = composition.command();
        run(up.args(["up", "--detach", "--no-build"]).args(services));
        composition
    }

    /// A port on this machine, by the variable that names it.
    pub fn port(&self, name: &str) -> u16 {
        let mut variables = self.variables.iter();
        let (_, port) = variables.find(|it| it.0 == name).unwrap();
        port.parse().unwrap()
    }

    /// The container of a service.
    #[track_caller]
    pub fn id(&self, service: &str) -> String {
        run(self.command().args(["ps", "--quiet", service]))
            .trim()
            .to_owned()
    }

    fn command(&self) -> Command {
        let mut command = compose();
        command.args(options(self.file)).args(["-p", &self.name]);
        command.envs(self.variables.iter().cloned());
        command
    }
}

impl Drop for Composition {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = self.command().args(["logs", "--no-color"]).output();
            let logs = logs.map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
            eprintln!("{}", logs.unwrap_or_default());
        }
        let _ = self.command().args(["down", "--volumes"]).output();
    }
}
