//! What is published about the command `keygate`.
#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::process::{Command, Output};

use serde_json::Value;

const MUSL: &str = "x86_64-unknown-linux-musl";

fn published(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keygate-release"));
    command.args(args).output().unwrap()
}

#[test]
fn the_bill_of_the_command_is_that_of_an_application_with_its_database() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let file = file.path().to_str().unwrap();
    let output = published(&["bill", "keygate-cli", MUSL, file]);
    let bill: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(bill["metadata"]["component"]["type"], "application");
    let components = bill["components"].as_array().unwrap();
    let has = |name: &str| components.iter().any(|it| it["name"] == name);
    for name in ["libsqlite3-sys", "rustls", "keygate-service"] {
        assert!(has(name), "{name}");
    }
    for name in ["tempfile", "proxy-wasm", "windows-sys"] {
        assert!(!has(name), "{name} is not in the command");
    }
}

#[test]
fn the_licenses_are_those_of_every_program() {
    let wasm = "wasm32-unknown-unknown";
    let output = published(&["licenses", "keygate-filter", wasm, "keygate-cli", MUSL]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "\nproxy-wasm 0",
        "\nrusqlite 0",
        "musl (MIT",
        "Permission is hereby granted",
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(
        !text.contains("\nkeygate-core "),
        "it has the license of the repository"
    );
}

#[test]
fn an_unknown_package_and_a_wrong_call_are_errors() {
    let output = published(&["licenses", "keygate-none", MUSL]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("no package keygate-none"), "{told}");
    assert_eq!(published(&["publish"]).status.code(), Some(2));
    let output = published(&["licenses", "keygate-cli"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("without a target"), "{told}");
}
