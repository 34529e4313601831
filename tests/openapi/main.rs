//! The OpenAPI document as other programs read it: a fuzzer that knows it, and generators of clients.

mod clients;
mod schemathesis;

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use keygate_tests::service::Service;
use keygate_tests::tools;

/// The folder of the programs, from `KEYGATE_OPENAPI`, else from `scripts/openapi`.
static TOOLS: LazyLock<Option<PathBuf>> =
    LazyLock::new(|| tools::optional("openapi", "the OpenAPI document with other programs"));

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
