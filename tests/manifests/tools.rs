//! Programs of Kubernetes: helm, kubectl, and a validator of its own kinds.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::LazyLock;

use keygate_tests::repository;

/// The folder of the programs, from `KEYGATE_KUBERNETES`, else from `scripts/kubernetes`.
static TOOLS: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let output = Command::new(repository().join("scripts/kubernetes")).output();
    let output = output.expect("scripts/kubernetes can be run");
    if output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout);
        return Some(text.trim().into());
    }
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(std::env::var_os("CI").is_none(), "{told}");
    eprintln!(
        "!!! SKIPPED: the chart is not rendered, and nothing of it is checked but its values: {told}"
    );
    None
});

/// A program among these, in the root of the repository; `None` where they cannot be had.
pub fn tool(name: &str) -> Option<Command> {
    let folder = TOOLS.as_ref()?;
    let mut command = Command::new(folder.join(name));
    command
        .current_dir(repository())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Some(command)
}

/// Runs a program to its end. Returns what it has printed to standard output.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a program succeeded, and all that it has printed.
pub fn attempt(command: &mut Command) -> (bool, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let printed = [stdout, stderr].concat();
    (
        status.success(),
        String::from_utf8_lossy(&printed).into_owned(),
    )
}
