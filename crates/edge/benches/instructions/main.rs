//! How many instructions a decision takes, counted by callgrind: a guard that does not time,
//! and so holds on any machine, however busy.
//!
//! `make bench-guard`, or `cargo bench -p keygate-edge --bench instructions`: every case is
//! run under valgrind and compared with `baseline.json`; and what grows with its input may
//! grow no faster than its class. With `BENCH_RENEW=1` the baseline is written again.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench is a program, and may panic"
)]

mod cases;
mod costly;
mod guard;

use std::hint::black_box;
use std::process::ExitCode;

/// How often a case is run while callgrind counts.
const TIMES: u64 = 10;

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let case = std::env::args().skip(1).find(|it| !it.starts_with("--"));
    let Some(name) = case else {
        return guard::run();
    };
    let mut case = cases::named(&name);
    // What is done once for all, and the first memory.
    case();
    measured(&mut *case);
    ExitCode::SUCCESS
}

/// Callgrind counts what happens in here alone: see `--toggle-collect` in [`guard`].
#[inline(never)]
fn measured(case: &mut dyn FnMut()) {
    for _ in 0..TIMES {
        black_box(&mut *case)();
    }
}
