//! On what, with what and when it was measured.

use std::fs;
use std::process::Command;

use keygate_tests::repository;
use serde_json::{Value, json};

use crate::cpu::Cores;

/// Date, machine and versions.
pub fn describe(cores: Cores) -> Value {
    let envoy = std::env::var("KEYGATE_ENVOY").unwrap_or_else(|_| "envoy".to_owned());
    let module = fs::metadata(repository().join("target/keygate.wasm"));
    json!({
        "date": first_line("date", &["-u", "+%F"]),
        "machine": {
            "cpu": processor(),
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "kernel": first_line("uname", &["-sr"]),
            "core_of_proxies": cores.proxies,
            "core_of_load": cores.load,
            "core_of_services": cores.services
        },
        "versions": {
            "keygate": first_line("git", &["-C", &repository().display().to_string(), "describe", "--always", "--dirty"]),
            "envoy": version(&first_line(&envoy, &["--version"])),
            "nginx": first_line("nginx", &["-v"]),
            "rustc": first_line("rustc", &["-V"])
        },
        "module_bytes": module.map_or(0, |it| it.len())
    })
}

/// Out of a line like `envoy  version: 0b8a…/1.40.0/Clean/RELEASE/BoringSSL`.
fn version(line: &str) -> &str {
    let after = line.split_once("version: ").map(|(_, after)| after);
    after
        .and_then(|it| it.split('/').nth(1))
        .unwrap_or("unknown")
}

/// What a command says first, on whichever output it does.
fn first_line(command: &str, arguments: &[&str]) -> String {
    let Ok(output) = Command::new(command).args(arguments).output() else {
        return "unknown".to_owned();
    };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    text.lines().next().unwrap_or("unknown").to_owned()
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|it| it.strip_prefix("model name"));
    line.map_or("unknown", |it| it.trim_start_matches([' ', '\t', ':']))
        .to_owned()
}
