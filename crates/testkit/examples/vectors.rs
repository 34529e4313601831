//! Tries known answers of signed URLs: `cargo run -p keygate-testkit --example vectors -- FILE`.
//!
//! A file is of the form of `tests/vectors/signed-urls.json`. Exit code 0 when all that
//! belong to a format of Keygate do what they should, 1 when one does not.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a tool for tests may panic"
)]

use std::process::ExitCode;

use keygate_testkit::vectors;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: vectors FILE");
        return ExitCode::from(2);
    };
    let read = std::fs::read_to_string(&path).map_err(|error| error.to_string());
    let parsed = read.and_then(|text| serde_json::from_str(&text).map_err(|it| it.to_string()));
    let known: serde_json::Value = match parsed {
        Ok(known) => known,
        Err(error) => {
            eprintln!("{path}: {error}");
            return ExitCode::from(2);
        }
    };
    let tally = vectors::run(&known);
    for line in &tally.failures {
        println!("FAILED  {line}");
    }
    for id in &tally.foreign {
        println!("skipped {id}: of no format of Keygate");
    }
    println!("{} passed, {} failed", tally.passed, tally.failures.len());
    ExitCode::from(u8::from(!tally.failures.is_empty()))
}
