//! How Envoy is run here: a binary, or a container of an image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::tools;

/// From `KEYGATE_ENVOY`, else from `scripts/envoy`.
pub static ENVOY: LazyLock<Launcher> = LazyLock::new(find);

/// How Envoy is run.
pub enum Launcher {
    /// The path of the binary.
    Binary(PathBuf),
    /// The name of the image.
    Image(String),
}

/// Removes the container, whatever has become of it.
pub struct Container(String);

impl Launcher {
    /// Envoy with these arguments and, of our own variables, only these. Nothing
    /// but `directory` (to write to) and `module` (to read) is shared with it.
    pub fn command(
        &self,
        arguments: &[String],
        variables: &BTreeMap<String, String>,
        directory: &Path,
        module: &Path,
    ) -> (Command, Option<Container>) {
        match self {
            Self::Binary(path) => {
                let mut command = Command::new(path);
                for (name, _) in std::env::vars_os() {
                    if name.to_string_lossy().starts_with("KEYGATE_") {
                        command.env_remove(name);
                    }
                }
                command.envs(variables).args(arguments);
                (command, None)
            }
            Self::Image(image) => {
                let name = unique_name();
                let mut command = Command::new("docker");
                command.args(["run", "--rm", "--network", "host", "--name", &name]);
                command.args(["--user", &owner(directory)]);
                command.args(["--entrypoint", "/usr/local/bin/envoy"]);
                command.args(["-v", &mount(directory, "rw")]);
                if module.exists() {
                    command.args(["-v", &mount(module, "ro")]);
                }
                for name in variables.keys() {
                    // By name: a value would be seen in the list of processes.
                    command.args(["-e", name]);
                }
                command.envs(variables).arg(image).args(arguments);
                (command, Some(Container(name)))
            }
        }
    }
}

impl Container {
    /// Tells docker to `pause` or `unpause` it.
    ///
    /// # Panics
    /// When docker does not.
    pub fn tell(&self, what: &str) {
        let mut command = Command::new("docker");
        let status = command.args([what, &self.0]).stdout(Stdio::null()).status();
        let status = status.expect("docker can be run");
        assert!(status.success(), "docker {what}: {status}");
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // It is gone already when Envoy ended by itself.
        let _ = Command::new("docker")
            .args(["rm", "-f", &self.0])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

fn find() -> Launcher {
    let how = std::env::var("KEYGATE_ENVOY").unwrap_or_else(|_| tools::from_script("envoy"));
    match how.strip_prefix("docker:") {
        Some(image) => Launcher::Image(image.to_owned()),
        None => Launcher::Binary(PathBuf::from(how)),
    }
}

fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("keygate-test-{}-{count}", std::process::id())
}

/// The owner of the directory can read the configuration and write the log there.
fn owner(directory: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let metadata = directory.metadata().expect("our own directory is there");
    format!("{}:{}", metadata.uid(), metadata.gid())
}

fn mount(path: &Path, mode: &str) -> String {
    let path = path.display();
    format!("{path}:{path}:{mode}")
}
