//! `make soak`: a load for a long time. See docs/faults.md.

use std::process::ExitCode;
use std::time::Duration;

use keygate_tests::faults::report;
use keygate_tests::{repository, soak};

/// Twenty minutes.
const SECONDS: u64 = 1200;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = match arguments.as_slice() {
        [] => std::env::var("KEYGATE_SOAK_SECONDS").ok(),
        [name, value] if name == "--seconds" => Some(value.clone()),
        _ => return usage(),
    };
    let seconds = match given.map(|it| it.parse::<u64>()) {
        None => SECONDS,
        Some(Ok(seconds)) if seconds >= 20 => seconds,
        Some(_) => return usage(),
    };
    let outcome = soak::run(Duration::from_secs(seconds));
    outcome.print();
    report::write(&repository().join("target/soak.json"), &outcome.json());
    match outcome.problems().is_empty() && outcome.tally.is_clean() {
        true => ExitCode::SUCCESS,
        false => {
            println!("NOT as promised: see !!! above");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: keygate-soak [--seconds N], or KEYGATE_SOAK_SECONDS=N; at least 20");
    ExitCode::from(2)
}
