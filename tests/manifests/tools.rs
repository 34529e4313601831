//! Programs of Kubernetes: helm, kubectl, and a validator of its own kinds.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::LazyLock;

use keygate_tests::{repository, tools};

/// The folder of the programs, from `KEYGATE_KUBERNETES`, else from `scripts/kubernetes`.
static TOOLS: LazyLock<Option<PathBuf>> =
    LazyLock::new(|| tools::optional("kubernetes", "the chart, except its values"));

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
