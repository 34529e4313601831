//! What `make release` has built, as a user gets it. `make test-release` builds it, and runs these.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod archives;
mod container;
mod first_contact;
mod packages;

use std::path::PathBuf;
use std::process::Command;

use keygate_tests::repository;

/// The version of every file.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The folder with the release; `None` if none is to be tested: `make test-release` says so with
/// `KEYGATE_RELEASE`.
fn release() -> Option<PathBuf> {
    if std::env::var_os("KEYGATE_RELEASE").is_none() {
        eprintln!("!!! SKIPPED: no release is tested: make test-release does that");
        return None;
    }
    let folder = repository().join("target/dist");
    assert!(folder.is_dir(), "target/dist is missing: run make release");
    Some(folder)
}

/// The processors that the release is for, as `uname -m` has them.
fn processors() -> Vec<String> {
    let asked_for = std::env::var("KEYGATE_PROCESSORS").unwrap_or_default();
    let asked_for = match asked_for.trim() {
        "" => "x86_64 aarch64",
        some => some,
    };
    asked_for.split_whitespace().map(str::to_owned).collect()
}

/// Says that something cannot be tested on this machine, which is a failure in CI.
#[track_caller]
fn skip(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what}");
    eprintln!("!!! SKIPPED: {what}");
}

/// Runs a program to its end. Returns what it has printed to standard output.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.current_dir(repository()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a script prints that brings a program or an image; `None` if it cannot.
#[track_caller]
fn brought(script: &str) -> Option<String> {
    let output = Command::new(repository().join(script)).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        skip(&format!("{script}: {told}"));
        return None;
    }
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}
