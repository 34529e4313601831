//! `make faults`: the system under load while its parts fail. See docs/faults.md.

use std::path::PathBuf;
use std::process::ExitCode;

use keygate_tests::faults::{Form, report, run};
use keygate_tests::repository;

fn main() -> ExitCode {
    let mut is_short = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--short" => is_short = true,
            _ => {
                eprintln!("usage: keygate-faults [--short]");
                return ExitCode::from(2);
            }
        }
    }
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let trap_module = repository().join("target/keygate-trap.wasm");
    if !trap_module.is_file() {
        eprintln!(
            "{} is missing: run scripts/wasm trap",
            trap_module.display()
        );
        return ExitCode::from(2);
    }
    let form = Form {
        is_short,
        trap_module,
        faketime: variable("KEYGATE_FAKETIME"),
    };
    report::print_head();
    let rows = run(&form);
    let name = if is_short { "short" } else { "full" };
    report::write(
        &repository().join("target/faults.json"),
        &report::json(&rows, name),
    );
    match rows.iter().all(keygate_tests::faults::Row::is_good) {
        true => ExitCode::SUCCESS,
        false => {
            println!("NOT as promised: see !!! above");
            ExitCode::FAILURE
        }
    }
}
