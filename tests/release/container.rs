//! An empty Debian in docker.

use std::process::Command;

use crate::{brought, run};

/// What this machine trusts, at the same place there.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What is printed when a script has ended.
pub const ENDED: &str = "@@ended@@";

/// A running container. Removed when it is dropped.
pub struct Container {
    id: String,
}

impl Container {
    /// Starts one for a user; `None` if there is no docker or no image.
    #[track_caller]
    pub fn start(user: &str) -> Option<Self> {
        let image = brought("scripts/debian-image")?;
        let certificates = format!("{CERTIFICATES}:{CERTIFICATES}:ro");
        let mut command = Command::new("docker");
        command
            .args(["run", "--detach", "--init", "--user", user])
            .args(["--workdir", "/tmp", "--env", "HOME=/tmp"])
            .args(["--volume", &certificates])
            .args(["--env", &format!("PIP_CERT={CERTIFICATES}")])
            .args([&image, "sleep", "infinity"]);
        let id = run(&mut command).trim().to_owned();
        Some(Self { id })
    }

    /// Copies a file of this machine to /tmp.
    #[track_caller]
    pub fn copy(&self, file: &std::path::Path) {
        let to = format!("{}:/tmp", self.id);
        let _ = run(Command::new("docker").arg("cp").arg(file).arg(to));
    }

    /// bash there, in a folder, for a script in its next arguments: `-c`, the script.
    pub fn bash(&self, folder: &str) -> Command {
        let mut command = Command::new("docker");
        command.args(["exec", "--workdir", folder, &self.id, "bash"]);
        command
    }

    /// Runs a script to its end. Returns what it has printed.
    #[track_caller]
    pub fn run(&self, script: &str) -> String {
        run(self.bash("/tmp").args(["-euc", script]))
    }

    /// Starts a script that runs on, and prints to a file there; [`ENDED`] is the last line of one that
    /// has ended.
    #[track_caller]
    pub fn start_script(&self, script: &str, log: &str) {
        let script = format!("exec >{log} 2>&1\ntrap 'echo {ENDED}' EXIT\n{script}");
        let mut command = Command::new("docker");
        command.args(["exec", "--detach", &self.id, "bash", "-euc", &script]);
        let _ = run(&mut command);
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let mut remove = Command::new("docker");
        let _ = remove.args(["rm", "--force", &self.id]).output();
    }
}
