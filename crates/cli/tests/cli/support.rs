//! The harness: `keygate serve` as a process of its own, and commands against it.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use assert_cmd::assert::Assert;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub const ADMIN: &str = "admin-token-0123456789";
pub const EDGE: &str = "edge-token-0123456789";
pub const MASTER: &str = "0123456789abcdef0123456789abcdef";

/// Longer than anything here takes on a busy machine; nothing waits that long when all is well.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Server {
    child: Child,
    log: Receiver<String>,
    seen: Vec<String>,
    pub url: String,
}

impl Server {
    /// Starts on a free port and waits until it listens.
    pub fn start(database: &Path) -> Self {
        Self::run(&mut serve(database, "127.0.0.1:0"))
    }

    /// The same, by a command of the test's own.
    pub fn run(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = lines(child.stderr.take().unwrap());
        let mut server = Self {
            child,
            log,
            seen: Vec::new(),
            url: String::new(),
        };
        server.url = server.wait_for("listening on ");
        server
    }

    /// Runs `keygate` against this server.
    pub fn keygate(&self, args: &[&str]) -> Assert {
        keygate(args).env("KEYGATE_SERVICE", &self.url).assert()
    }

    /// The standard output of a command that ends well.
    pub fn output(&self, args: &[&str]) -> String {
        let done = self.keygate(args).success();
        String::from_utf8(done.get_output().stdout.clone()).unwrap()
    }

    /// Ends the process at once, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(9));
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Waits for the end; gives the exit status and all that was logged.
    pub fn end(mut self) -> (ExitStatus, String) {
        // The log ends when the process does; one that does not end is ended, and so fails.
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.child.kill().unwrap(),
            }
        }
        let status = self.child.wait().unwrap();
        (status, self.seen.join("\n"))
    }

    /// What follows `text` in the first line of the log that contains it.
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no {text:?} in {:?}", self.seen));
            self.seen.push(line.clone());
            if let Some((_, rest)) = line.split_once(text) {
                return rest.to_owned();
            }
        }
    }
}

/// Ends what the test started, also when it failed.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `keygate` with the admin token and nothing else of this environment.
pub fn keygate(args: &[&str]) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_keygate"));
    command
        .env_clear()
        .env("KEYGATE_ADMIN_TOKEN", ADMIN)
        .timeout(PATIENCE)
        .args(args);
    command
}

/// `keygate serve` with all of its environment.
pub fn serve(database: &Path, listen: &str) -> Command {
    let mut command = serve_bare();
    command
        .args(["--listen", listen, "--database"])
        .arg(database);
    command
}

/// The same without an option.
pub fn serve_bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keygate"));
    command
        .env_clear()
        .env("KEYGATE_APP_KEYS", MASTER)
        .env("KEYGATE_ADMIN_TOKEN", ADMIN)
        .env("KEYGATE_EDGE_TOKEN", EDGE)
        .arg("serve");
    command
}

/// A directory of the test's own and a database in it.
pub fn database() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keygate.db");
    (dir, path)
}

/// The policy in envoy/envoy.yaml.
pub fn demo_policy() -> String {
    let yaml = include_str!("../../../../envoy/envoy.yaml");
    let (_, rest) = yaml.split_once("google.protobuf.StringValue\n").unwrap();
    let (_, block) = rest.split_once("value: |\n").unwrap();
    let deep = block.find('{').unwrap();
    block
        .lines()
        .take_while(|line| line.trim().is_empty() || line.find(|it| it != ' ') >= Some(deep))
        .map(|line| format!("{}\n", line.get(deep..).unwrap_or_default()))
        .collect()
}

/// The same policy for links in Cloudflare's format.
pub fn cloudflare_policy() -> String {
    let native = "\"format\": \"keygate\", \"secrets\": \"media\", \"max_lifetime\": \"7d\"";
    let policy = demo_policy();
    assert!(policy.contains(native), "{policy}");
    policy.replace(
        native,
        "\"format\": \"cloudflare\", \"secrets\": \"media\", \"ttl\": \"3h\"",
    )
}

/// The id inside a key.
pub fn id(key: &str) -> String {
    key["kg_01".len()..][..10].to_owned()
}

fn lines(stderr: ChildStderr) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
