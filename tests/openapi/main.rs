//! The OpenAPI document as other programs read it: a fuzzer that knows it, and generators of clients.

mod clients;
mod schemathesis;

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use keygate_tests::repository;
use keygate_tests::service::Service;

/// The folder of the programs, from `KEYGATE_OPENAPI`, else from `scripts/openapi`.
static TOOLS: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let output = Command::new(repository().join("scripts/openapi")).output();
    let output = output.expect("scripts/openapi can be run");
    if output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout);
        return Some(text.trim().into());
    }
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(std::env::var_os("CI").is_none(), "{told}");
    eprintln!("!!! SKIPPED: the OpenAPI document is not tested with other programs: {told}");
    None
});

/// A program among these, which finds the others too; `None` where they cannot be had.
fn tool(name: &str) -> Option<Command> {
    let folder = TOOLS.as_ref()?;
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(folder.join(name));
    command
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Some(command)
}

fn url(service: &Service) -> String {
    format!("http://127.0.0.1:{}", service.port())
}

/// Runs a program to its end. Returns what it has printed.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{text}",
        output.status
    );
    text
}
