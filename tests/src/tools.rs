//! Programs that the tests need: each from a variable, or from the script that finds or brings it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::repository;

/// The path that a variable has (from the root of the repository), else the one that a script
/// of `scripts/` prints.
///
/// # Panics
/// If the script fails. It has printed what to do.
#[must_use]
pub fn required(variable: &str, script: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => repository().join(path),
        None => from_script(script).into(),
    }
}

/// What a script of `scripts/` prints.
///
/// # Panics
/// If it fails. It has printed what to do.
#[must_use]
pub fn from_script(script: &str) -> String {
    let mut command = Command::new(repository().join("scripts").join(script));
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.unwrap_or_else(|error| panic!("scripts/{script}: {error}"));
    assert!(
        output.status.success(),
        "the tests need what scripts/{script} finds: see its message above"
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The folder that a script of `scripts/` prints; `None` where its programs are not available,
/// and then a line says that `untested` is not tested.
///
/// # Panics
/// If there is none in CI, where nothing may be skipped.
#[must_use]
pub fn optional(script: &str, untested: &str) -> Option<PathBuf> {
    let output = Command::new(repository().join("scripts").join(script)).output();
    let output = output.unwrap_or_else(|error| panic!("scripts/{script}: {error}"));
    if output.status.success() {
        return Some(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(std::env::var_os("CI").is_none(), "{message}");
    eprintln!("!!! SKIPPED: {untested}: {message}");
    None
}
